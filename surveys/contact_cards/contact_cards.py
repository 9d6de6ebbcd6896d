"""Contact cards: made for an organisation, left at a door by a visit, revoked when one is lost.

A card's number is public. What opens its door's page is the token in its QR code, 128 random bits that are shown in the
printed sheet and nowhere else; of it only the SHA-256 is kept. A card that is lost is revoked, and another one made."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid5

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys import cursors, history
from surveys.contact_cards import card_numbers
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people import organisations
from surveys.people.member_lists import OrganisationName
from surveys.refusals import Conflict, IdTaken, InvalidCursor, InvalidFilter, NotFound, TextUnusable

TOKEN_BYTES = 16
LONGEST_NAME = 40  # characters of a service name that a card has room for

_NAMESPACE = UUID("8c9a3a4e-6f0d-5d0b-9b57-3f1f6b8f2f64")  # of the ids of cards in the history

State = Literal["free", "bound", "revoked"]


class SeriesFull(Conflict):
    """All numbers of these letters are given out; the district chooses others."""

    code: ClassVar[str] = "series_full"


class CardRevoked(Conflict):
    """The card has been revoked already."""

    code: ClassVar[str] = "card_revoked"


# --- a visit leaves a card

# The cards of new visits, $7. A card belongs to the door at which it was first left; when that visit was withdrawn it
# can be left again, in its next round. Of two visits that leave one card at once one does, and the other is flagged.
BIND = """left_cards as (
  select u.district, u.card, u.visit, u.premises, u.bound_at, k.number is not null as known,
         k.revoked_at is not null as revoked, b.round, b.premises as bound_premises, b.withdrawn_at
  from json_to_recordset($7) as u(district int, card text, visit uuid, premises uuid, bound_at timestamptz)
  left join contact_card k on k.district = u.district and k.number = u.card
  left join lateral (
    select c.round, v.premises, v.withdrawn_at from card_binding c
    join visit v on v.district = c.district and v.id = c.visit
    where c.district = u.district and c.card = u.card order by c.round desc limit 1
  ) b on true
  where u.visit in (select id from filed)
), bound as (
  insert into card_binding (district, card, round, visit, bound_at)
  select distinct on (district, card) district, card, coalesce(round, 0) + 1, visit, bound_at from left_cards
  where known and not revoked and (round is null or withdrawn_at is not null) order by district, card, visit
  on conflict do nothing
  returning card, visit
)"""

# What is said of a visit whose card could not be left: the same door again, by its id, is in order.
FLAGS = """
  select u.district, u.visit,
         case when not u.known then 'card_unknown' when u.revoked then 'card_revoked' else 'card_already_bound' end,
         u.bound_at
  from left_cards u
  left join bound b on b.card = u.card
  left join left_cards f on f.visit = b.visit
  where not u.known or u.revoked or (b.visit is distinct from u.visit and (u.premises is null
    or u.premises is distinct from case when b.visit is null then u.bound_premises else f.premises end))
"""


# --- making


class Giver(Struct, frozen=True, kw_only=True):
    """In whose name a card is given out: an organisation, or one of its members."""

    organisation: UUID
    member: UUID | None = None
    service_name: str


class NewCard(Struct, frozen=True):
    """A card that was just made, with the token that is shown this once."""

    number: str
    token: str


def token_digest(district: int, token: str) -> bytes:
    """What is kept of a token; it names its district, so that no district's card opens another's door."""
    return hashlib.sha256(f"{district}.{token}".encode()).digest()


# Each series has its own row, so that nobody who files waits for who makes cards.
RESERVE = """
insert into number_series as s (district, series, next) values ($1, $2, 1 + $3)
on conflict (district, series) do update set next = s.next + $3
returning next - $3
"""
MAKE = """
insert into contact_card (district, number, id, version, digest, organisation, member, service_name, made_at)
select $1, c.number, c.id, 1, c.digest, c.organisation, c.member, c.service_name, $8
from unnest($2::text[], $3::uuid[], $4::bytea[], $5::uuid[], $6::uuid[], $7::text[])
  c(number, id, digest, organisation, member, service_name)
"""


async def make(
    conn: Connection, district: int, givers: Sequence[Giver], series: str, actor: Actor, now: datetime
) -> Sequence[NewCard]:
    """Make a card for each of these under the next numbers; their tokens can be read this once.

    Raises SeriesFull or TextUnusable."""
    for name in {giver.service_name for giver in givers}:
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise TextUnusable("service_name", most=LONGEST_NAME)
    first: int = await conn.fetchval(RESERVE, district, f"card {series}", len(givers))
    if first + len(givers) - 1 > card_numbers.MOST:
        raise SeriesFull("series", series=series)
    made = [
        NewCard(card_numbers.numbered(series, at), secrets.token_urlsafe(TOKEN_BYTES))
        for at, _ in enumerate(givers, start=first)
    ]
    ids = [uuid5(_NAMESPACE, f"{district}/{card.number}") for card in made]
    await conn.execute(
        MAKE,
        district,
        [card.number for card in made],
        ids,
        [token_digest(district, card.token) for card in made],
        [giver.organisation for giver in givers],
        [giver.member for giver in givers],
        [giver.service_name for giver in givers],
        now,
    )
    told = [_made(district, *one, actor, now) for one in zip(givers, made, ids, strict=True)]
    await history.append(conn, told, [])
    return made


def _made(district: int, giver: Giver, card: NewCard, id_: UUID, actor: Actor, now: datetime) -> Row:
    facts: dict[str, object] = {"number": card.number, "organisation": giver.organisation}
    if giver.member is not None:
        facts["member"] = giver.member
    return event_row(
        district=district,
        id=uuid5(id_, "make"),
        kind="card",
        thing=id_,
        version=1,
        event="make",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
    )


# --- revoking


class Revocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a card is good for nothing any more: it is lost, or was given out by mistake."""

    id: UUID
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


class Revoked(Struct, frozen=True, kw_only=True):
    """A card that opens nothing any more."""

    number: str
    revoked_at: datetime


LOCK = """
select number, id, organisation, revoked_at from contact_card where district = $1 and number = $2 for update
"""
REVOKE = "update contact_card set revoked_at = $3, version = version + 1 where district = $1 and number = $2"
ASKED_BEFORE = "select thing, actor, request from history where district = $1 and id = $2"


async def revoke(
    conn: Connection,
    district: int,
    number: str,
    asked: Revocation,
    actor: Actor,
    now: datetime,
    reach: set[UUID] | None = None,
) -> Revoked:
    """Revoke a card of one of these organisations, None standing for all; the same request again gets its first answer.

    Raises NoCardNumber, CardNumberMistyped, NotFound, CardRevoked, TextUnusable or IdTaken."""
    row = await conn.fetchrow(LOCK, district, card_numbers.read(number))
    if row is None or (reach is not None and row["organisation"] not in reach):
        raise NotFound
    if first := await conn.fetchrow(ASKED_BEFORE, district, asked.id):
        if (first["thing"], first["actor"], first["request"]) != (row["id"], actor.id, request_digest(asked)):
            raise IdTaken("id")
        return Revoked(number=row["number"], revoked_at=row["revoked_at"])
    if row["revoked_at"] is not None:
        raise CardRevoked("number", number=row["number"], revoked_at=row["revoked_at"])
    if not asked.reason.strip():
        raise TextUnusable("reason")
    await conn.execute(REVOKE, district, row["number"], now)
    text, digest = text_row(district, asked.id, 1, {"reason": asked.reason.strip()}, now)
    event = event_row(
        district=district,
        id=asked.id,
        kind="card",
        thing=row["id"],
        version=2,
        event="revoke",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"number": row["number"], "revoked_at": now, "reason_digest": digest},
        request=request_digest(asked),
    )
    await history.append(conn, [event], [text])
    return Revoked(number=row["number"], revoked_at=now)


# --- listing


class CardItem(Struct, frozen=True, kw_only=True):
    """A card as a list shows it; `visit` is the one that left it at a door."""

    number: str
    state: State
    organisation: OrganisationName
    member: UUID | None
    service_name: str
    made_at: datetime
    revoked_at: datetime | None
    visit: UUID | None
    bound_at: datetime | None


class CardPage(Struct, frozen=True, kw_only=True):
    """A part of the cards, by their numbers; `total` counts all parts."""

    items: list[CardItem]
    next: str | None
    total: int | None = None


class Filters(Struct, frozen=True, kw_only=True):
    """Which cards to list: of an organisation and all below it, in these states, with a part of a number or name."""

    organisation: UUID | None = None
    states: tuple[State, ...] = ()
    text: str | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    number: str
    asked: str


SEEN = f"""
{organisations.TREE}, seen as (
  select k.number, k.organisation, t.path, k.member, k.service_name, k.made_at, k.revoked_at, b.visit, b.bound_at,
         case when k.revoked_at is not null then 'revoked'
              when b.visit is not null then 'bound' else 'free' end as state
  from contact_card k
  join tree t on t.id = k.organisation
  left join lateral (
    select c.visit, c.bound_at from card_binding c
    join visit v on v.district = c.district and v.id = c.visit and v.withdrawn_at is null
    where c.district = k.district and c.card = k.number order by c.round desc limit 1
  ) b on true
  where k.district = $1 and ($2::uuid[] is null or k.organisation = any($2))
    and ($3::uuid is null or $3 = any(t.line))
    and ($4::text is null or k.number ilike $4 or k.service_name ilike $4)
)
"""
WANTED = "($5::text[] is null or state = any($5))"
PAGE = f"{SEEN} select * from seen where {WANTED} and ($6::text is null or number > $6) order by number limit $7"
COUNT = f"{SEEN} select count(*) from seen where {WANTED}"
LONGEST_TEXT = 100


async def page(
    conn: Connection,
    district: int,
    reach: set[UUID] | None,
    filters: Filters,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> CardPage:
    """A part of the cards of these organisations, None standing for all. Raises InvalidFilter and InvalidCursor."""
    asked = "|".join([filters.text or "", str(filters.organisation or ""), *sorted(filters.states)])
    after = _after(cursor, asked) if cursor else None
    where = (
        district,
        None if reach is None else list(reach),
        filters.organisation,
        _pattern(filters.text),
        list(filters.states) or None,
    )
    rows = await conn.fetch(PAGE, *where, after, limit + 1)
    items = [_item(row) for row in rows[:limit]]
    return CardPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].number, asked)) if len(rows) > limit else None,
        total=await conn.fetchval(COUNT, *where) if total else None,
    )


def _after(cursor: str, asked: str) -> str:
    read = cursors.read(cursor, _Cursor)
    if read.asked != asked or "\x00" in read.number:
        raise InvalidCursor("cursor")
    return read.number


def _pattern(text: str | None) -> str | None:
    folded = " ".join((text or "").split())
    if len(folded) > LONGEST_TEXT:
        raise InvalidFilter("text", expected=f"1–{LONGEST_TEXT} characters")
    escaped = card_numbers.as_printed(folded).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if folded else None


def _item(row: Record) -> CardItem:
    return CardItem(
        number=row["number"],
        state=row["state"],
        organisation=OrganisationName(row["organisation"], row["path"]),
        member=row["member"],
        service_name=row["service_name"],
        made_at=row["made_at"],
        revoked_at=row["revoked_at"],
        visit=row["visit"],
        bound_at=row["bound_at"],
    )
