"""The line between a phone and the server, as bad as a test wants it: slow, silent in the middle, broken, or cut."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE = 4 * 1024  # bytes forwarded at a time
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class BadLine:
    """A proxy on loopback. Troubles come after seeded random numbers of bytes from the phone, as many as are wanted."""

    def __init__(
        self, port: int, *, bits_per_second: int | None = None, seed: int = 0, resets: int = 0, stalls: int = 0
    ) -> None:
        self._to = port
        self._rate = bits_per_second / 8 if bits_per_second else None
        self._dice = random.Random(seed)  # noqa: S311 -- the same troubles each time
        self._troubles = ["reset"] * resets + ["stall"] * stalls
        self._dice.shuffle(self._troubles)
        self._until_next = 0
        self._free_at = {"up": 0.0, "down": 0.0}
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._held = socket.socket()  # bound and never listening: nobody else gets the port while the line is cut
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self.sent = 0  # bytes from the phone
        self.happened: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def mend(self) -> None:
        """Let the phone through, at the address that it knows."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """No line at all: what is open breaks, and what is tried is refused."""
        if self._server:
            self._server.close()
        for writer in list(self._open):
            _reset(writer)
        self._server = None

    async def end(self) -> None:
        """Cut it, and let the port go."""
        await self.cut()
        self._held.close()

    def expect_trouble(self, after: tuple[int, int]) -> None:
        """From now on trouble comes, each time after so many bytes, from and to."""
        self._between = after
        self._until_next = self._dice.randint(*after)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            _reset(writer)
            return
        if self._server is None:  # it was cut meanwhile
            for one in (writer, back):
                _reset(one)
            return
        self._open |= {writer, back}
        stalled = asyncio.Event()
        up = asyncio.create_task(self._pump(reader, back, "up", stalled, (writer, back)))
        down = asyncio.create_task(self._pump(there, writer, "down", stalled, (writer, back)))
        await asyncio.wait({up, down})
        for one in (writer, back):
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: str,
        stalled: asyncio.Event,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await reader.read(PIECE):
                await self._slowly(len(piece), way)
                if way == "up":
                    self.sent += len(piece)
                    match self._trouble(len(piece)):
                        case "reset":
                            for one in both:
                                _reset(one)
                            return
                        case "stall":
                            stalled.set()
                if stalled.is_set():
                    continue  # swallowed: neither side hears of the other any more
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    async def _slowly(self, count: int, way: str) -> None:
        """All connections share the one line."""
        if self._rate is None:
            return
        now = asyncio.get_running_loop().time()
        self._free_at[way] = max(now, self._free_at[way]) + count / self._rate
        await asyncio.sleep(self._free_at[way] - now)

    def _trouble(self, count: int) -> str | None:
        if not self._until_next or not self._troubles:
            return None
        self._until_next -= count
        if self._until_next > 0:
            return None
        self._until_next = self._dice.randint(*self._between)
        self.happened.append(self._troubles.pop())
        return self.happened[-1]


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


@asynccontextmanager
async def line(port: int, **how: int) -> AsyncIterator[BadLine]:
    """A line for as long as a test needs it."""
    opened = BadLine(port, **how)
    try:
        await opened.mend()
        yield opened
    finally:
        await opened.end()
