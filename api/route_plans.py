"""Proposals under way: each worked out by a process of its own, one at a time, and kept in the database when done."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg
import msgspec
import structlog

from api import database
from api.auth import Clock
from api.pictures import INHERITED
from surveys.campaigns import proposals
from surveys.campaigns.proposals import Division, Party
from surveys.campaigns.route_tasks import Answer, Group, Progress, Share, Task

log = structlog.get_logger()

LEAST_S, A_DOOR_S, MOST_S = 1.0, 0.008, 60.0  # that the solver may take
LATE_S = 60.0  # that all else may take beside it, on a machine that does much else
LONGEST_LINE = 1 << 24


class RoutePlans:
    """Works out proposals, one after another; what is under way when the program ends came to nothing."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._one_at_a_time = asyncio.Semaphore(1)
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self, district: int, proposal: UUID, parties: Sequence[Party]) -> None:
        """Begin to work at a proposal that has been written down."""
        task = asyncio.create_task(self._work(district, proposal, parties))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _work(self, district: int, proposal: UUID, parties: Sequence[Party]) -> None:
        try:
            async with self._one_at_a_time:
                await self._solve(district, proposal, parties)
        except Exception as error:
            log.error("proposal_failed", district=district, proposal=str(proposal), error=type(error).__name__)
            with suppress(*database.UNAVAILABLE):
                async with database.acquired(self._pool) as conn:
                    await proposals.fail(conn, district, proposal)

    async def _solve(self, district: int, proposal: UUID, parties: Sequence[Party]) -> None:
        among = [party for party in parties if party.members]
        divisions = [proposals.division(party) for party in among]
        answer = None
        task = planned(among, divisions)
        async with asyncio.timeout(task.seconds + LATE_S):
            async for said in ask(task):
                if isinstance(said, Answer):
                    answer = said
                else:
                    async with database.acquired(self._pool) as conn:
                        await proposals.beat(conn, district, proposal, said.done, self._clock())
        if answer is None:
            raise RuntimeError("the planner ended without an answer")
        found = [
            holding
            for party, division, routes in zip(among, divisions, answer.routes, strict=True)
            for holding in proposals.holdings(party, division, routes)
        ]
        plain = sum(proposals.plain_metres(division) for division in divisions)
        found += [
            (party.organisation, None, [door.id for door in party.doors])
            for party in parties
            if party.organisation is not None and not party.members
        ]
        async with database.acquired(self._pool) as conn, conn.transaction():
            await proposals.finish(conn, district, proposal, found, plain)


def planned(parties: Sequence[Party], divisions: Sequence[Division]) -> Task:
    """What the planner is asked, and how long it may take."""
    doors = sum(len(division.placed) for division in divisions)
    groups = [
        Group(
            doors=[(door.lon or 0.0, door.lat or 0.0) for door in division.placed],
            shares=[Share(share, near) for share, near in zip(division.shares, party.near, strict=True)],
        )
        for party, division in zip(parties, divisions, strict=True)
    ]
    return Task(groups=groups, seconds=min(LEAST_S + A_DOOR_S * doors, MOST_S))


async def ask(task: Task) -> AsyncIterator[Progress | Answer]:
    """What the planner says, line by line; it ends with us."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.route_planner",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    assert process.stdin is not None  # noqa: S101 - they were asked for
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        await process.stdin.drain()
        async for line in process.stdout:
            if line.startswith(b'{"routes"'):
                yield msgspec.json.decode(line, type=Answer)
            else:
                yield msgspec.json.decode(line, type=Progress)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
