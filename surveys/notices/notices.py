"""Notices: what members are told of issues, services and rounds of ratings; in their inbox, and by a message where they
want one.

A notice names one of them and what happened to it, by ids and codes; no resident's text is in it, or ever in
a message. Its id follows from what it tells of, so that nobody is told twice, however often that is read."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, get_args
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import cursors
from surveys.people import people
from surveys.people.people import Reader

NoticeKind = Literal[
    "offered",  # something new, or something that another asks one to take on
    "handed_on",  # by an absence or a departure
    "department_assigned",
    "request",  # to return, pause or extend, which waits for a dispatcher's judgement
    "granted",
    "refused",
    "returned",
    "due_soon",
    "overdue",  # a level of escalation
    "reopened",
    "merged",
    "resolved",
    "invited",  # to ask the resident whether it is solved
    "green_channel",  # every move, to the leader who follows it
    "opinion_wanted",  # in a joint review
    "service_soon",  # to who serves, leads or booked for a door, the day before
    "service_moved",  # to another time
    "service_cancelled",
    "rating_due",  # to who is missing in a round, when its organiser reminds them
]
KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)

# How somebody wants to be told: not at all; in the inbox; by a message too, at once or with the next morning's others.
Way = Literal["nothing", "inbox", "at_once", "digest"]
Language = Literal["zh", "en"]

WAYS: Mapping[NoticeKind, Way] = {
    "offered": "at_once",
    "handed_on": "digest",
    "department_assigned": "digest",
    "request": "at_once",
    "granted": "at_once",
    "refused": "at_once",
    "returned": "at_once",
    "due_soon": "digest",
    "overdue": "digest",
    "reopened": "at_once",
    "merged": "digest",
    "resolved": "digest",
    "invited": "digest",
    "green_channel": "at_once",
    "opinion_wanted": "at_once",
    "service_soon": "at_once",
    "service_moved": "at_once",
    "service_cancelled": "at_once",
    "rating_due": "at_once",
}


class NoticeSettings(Struct, frozen=True, kw_only=True):
    """How a member wants to be told. Messages that are not urgent wait while it is quiet; the digest comes when quiet
    ends. It is never quiet if both times are the same."""

    language: Language = "zh"
    quiet_from: time = time(21)
    quiet_to: time = time(8)
    ways: Mapping[NoticeKind, Way] = {}  # those that are not the program's own

    def way(self, kind: NoticeKind) -> Way:
        """How to tell of this kind."""
        return self.ways.get(kind, WAYS[kind])

    def quiet_at(self, at: time) -> bool:
        """Whether it is quiet at this time of the day."""
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= at < self.quiet_to
        return at >= self.quiet_from or at < self.quiet_to


USUAL = NoticeSettings()


class Telling(Struct, frozen=True, kw_only=True):
    """Something that a member is to be told, of an issue, a service or a round; `cause` is what it follows from: an
    event, or a reminder."""

    member: UUID
    kind: NoticeKind
    issue: UUID | None = None
    service: UUID | None = None
    round: UUID | None = None
    cause: UUID
    happened_at: datetime
    urgent: bool = False
    level: int | None = None


SETTINGS = """
select member, language, quiet_from, quiet_to, ways from notice_setting where district = $1 and member = any($2)
"""


async def settings(conn: Connection, district: int, members: Sequence[UUID]) -> dict[UUID, NoticeSettings]:
    """How these members want to be told, where they have said so."""
    rows = await conn.fetch(SETTINGS, district, list(set(members)))
    return {
        row["member"]: NoticeSettings(
            language=row["language"],
            quiet_from=row["quiet_from"],
            quiet_to=row["quiet_to"],
            ways={kind: way for kind, way in row["ways"].items() if kind in KINDS},
        )
        for row in rows
    }


SET = """
insert into notice_setting (district, member, language, quiet_from, quiet_to, ways, changed_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (district, member) do update set language = excluded.language, quiet_from = excluded.quiet_from,
  quiet_to = excluded.quiet_to, ways = excluded.ways, changed_at = excluded.changed_at
"""


async def set_settings(conn: Connection, reader: Reader, wanted: NoticeSettings, now: datetime) -> None:
    """Tell the reader as they want from now on."""
    quiet = (wanted.quiet_from, wanted.quiet_to)
    await conn.execute(SET, reader.district, reader.member, wanted.language, *quiet, dict(wanted.ways), now)


def send_after(wanted: NoticeSettings, one: Telling, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When a message may go out; None where the inbox is enough."""
    way = wanted.way(one.kind)
    if way in ("nothing", "inbox"):
        return None
    if one.urgent:
        return now
    local = now.astimezone(zone)
    if way == "at_once" and not wanted.quiet_at(local.time()):
        return now
    morning = datetime.combine(local.date(), wanted.quiet_to, zone)
    return morning if morning > now else datetime.combine(local.date() + timedelta(days=1), wanted.quiet_to, zone)


INSERT = """
insert into notice (district, id, member, kind, issue, service, round, level, happened_at, made_at, send_after)
select $1, id, member, kind, issue, service, round, level, happened_at, $2, send_after
from unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::smallint[],
            $10::timestamptz[], $11::timestamptz[])
  n(id, member, kind, issue, service, round, level, happened_at, send_after)
on conflict do nothing
"""


async def tell(conn: Connection, district: int, tellings: Sequence[Telling], now: datetime) -> int:
    """Tell members, each as they want to be told; what was told before is not told again. How many notices it made."""
    if not tellings:
        return 0
    of_district = await people.district(conn, district)
    assert of_district is not None  # noqa: S101 - its own are being told
    wanted = await settings(conn, district, [one.member for one in tellings])
    told = [
        (one, send_after(wish, one, of_district.zone, now))
        for one in tellings
        if (wish := wanted.get(one.member, USUAL)).way(one.kind) != "nothing"
    ]
    done = await conn.execute(
        INSERT,
        district,
        now,
        [uuid5(one.cause, f"{one.kind} {one.member}") for one, _ in told],
        [one.member for one, _ in told],
        [one.kind for one, _ in told],
        [one.issue for one, _ in told],
        [one.service for one, _ in told],
        [one.round for one, _ in told],
        [one.level for one, _ in told],
        [one.happened_at for one, _ in told],
        [after for _, after in told],
    )
    return int(done.split()[2])


class Notice(Struct, frozen=True, kw_only=True):
    """One notice as its member reads it: of an issue, with its number, category and limit, of a service, with its
    title, its place in words and when it begins, or of a round, with its title."""

    id: UUID
    kind: NoticeKind
    level: int | None
    issue: UUID | None
    number: str | None
    category: str | None
    due_at: datetime | None
    service: UUID | None
    round: UUID | None
    title: str | None
    place: str | None
    starts_at: datetime | None
    community: str | None
    happened_at: datetime
    made_at: datetime
    seen: bool


class Inbox(Struct, frozen=True, kw_only=True):
    """A page of a member's notices, newest first."""

    items: list[Notice]
    next: str | None
    unseen: int


class _Cursor(Struct, frozen=True):
    at: datetime
    id: UUID


# What notices `n` are about, as the district and its teams call it.
TOLD_OF = """
  n.issue, i.number::text as number, c.name as category, i.due_at, n.service, n.round,
  case when n.issue is null then coalesce(t.body->>'title', o.body->>'name', '') end as title,
  t.body->>'place' as place, s.starts_at, p.name as community
from notice n
left join issue i on i.district = n.district and i.id = n.issue
left join category c on c.district = n.district and c.code = i.category
left join service s on s.district = n.district and s.id = n.service
left join text_version t on t.district = n.district and t.subject = s.id and t.version = s.text_version
left join rating_round r on r.district = n.district and r.id = n.round
left join text_version o on o.district = n.district and o.subject = r.id and o.version = r.text_version
left join community p on p.district = n.district and p.code = coalesce(i.community, s.community)
"""
OF_MEMBER = f"""
select n.id, n.kind, n.level, n.happened_at, n.made_at, n.seen_at is not null as seen, {TOLD_OF}
where n.district = $1 and n.member = $2 and ($3::timestamptz is null or (n.made_at, n.id) < ($3, $4))
  and (n.seen_at is null or not $5)
order by n.made_at desc, n.id desc limit $6
"""
UNSEEN = "select count(*) from notice where district = $1 and member = $2 and seen_at is null"


async def inbox(conn: Connection, reader: Reader, cursor: str | None, limit: int, *, unseen: bool = False) -> Inbox:
    """The reader's own notices, newest first. Raises InvalidCursor."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    moment, last = (after.at, after.id) if after else (None, None)
    rows = await conn.fetch(OF_MEMBER, reader.district, reader.member, moment, last, unseen, limit + 1)
    items = [Notice(**row) for row in rows[:limit]]
    more = cursors.write(_Cursor(items[-1].made_at, items[-1].id)) if len(rows) > limit else None
    return Inbox(items=items, next=more, unseen=await conn.fetchval(UNSEEN, reader.district, reader.member))


SEE = """
update notice set seen_at = $3 where district = $1 and member = $2 and seen_at is null
  and ($4::uuid[] is null or id = any($4))
"""


async def see(conn: Connection, reader: Reader, ids: Sequence[UUID] | None, now: datetime) -> None:
    """The reader has seen these of their notices, or all."""
    await conn.execute(SEE, reader.district, reader.member, now, list(ids) if ids is not None else None)


FORGET = "delete from notice where district = $1 and made_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove notices made before this; how many there were."""
    return int((await conn.execute(FORGET, district, before)).split()[1])


SeenIds = Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=500)]


class Seen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which notices were seen; all of them, if none is named."""

    ids: SeenIds | msgspec.UnsetType = msgspec.UNSET
