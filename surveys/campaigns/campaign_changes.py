"""Making, changing and closing campaigns, by administrators and, for their own organisations, by organisers."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import UNSET, Meta, Struct, UnsetType

from surveys import history
from surveys.campaigns import campaigns
from surveys.campaigns.campaigns import KINDS, Held, Terms
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people import organisations
from surveys.people.people import Reader
from surveys.premises.door_states import Every
from surveys.premises.premises import PremisesKind
from surveys.refusals import (
    IdTaken,
    Invalid,
    Missing,
    NotAllowed,
    NothingChanges,
    StaleVersion,
    TextUnusable,
    TimeBeforeAll,
    TimeInFuture,
    TimesReversed,
    UnknownArea,
    UnknownOrganisation,
)

FIRST_YEAR, LAST_YEAR = 2000, 2999  # that a campaign can be in

Moment = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Promise = Annotated[str, Meta(max_length=1_000)]
Reason = Annotated[str, Meta(min_length=1, max_length=5_000)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Codes = Annotated[tuple[Code, ...], Meta(max_length=1_000)]
Organisations = Annotated[tuple[UUID, ...], Meta(max_length=1_000)]
Kinds = Annotated[tuple[PremisesKind, ...], Meta(min_length=1, max_length=3)]
Questionnaires = dict[PremisesKind, Annotated[str, Meta(max_length=100)]]


class UnknownQuestionnaire(Invalid):
    """No questionnaire that is given out, or one that is meant for another kind of door."""

    code: ClassVar[str] = "unknown_questionnaire"


class CampaignDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new campaign. Without streets and communities it is in the whole district, without organisations everybody's;
    `questionnaires` names one for each kind of door that has one."""

    id: UUID
    name: Name
    kinds: Kinds = KINDS
    starts_at: Moment
    ends_at: Moment
    every: Every = "once"
    promise: Promise = ""
    streets: Codes = ()
    communities: Codes = ()
    organisations: Organisations = ()
    questionnaires: Questionnaires = {}


class CampaignChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change as it is asked for; what is left out stays as it is."""

    id: UUID
    expected_version: int
    reason: Reason
    name: Name | UnsetType = UNSET
    kinds: Kinds | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    every: Every | UnsetType = UNSET
    promise: Promise | UnsetType = UNSET
    streets: Codes | UnsetType = UNSET
    communities: Codes | UnsetType = UNSET
    organisations: Organisations | UnsetType = UNSET
    questionnaires: Questionnaires | UnsetType = UNSET


class Closing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a campaign is closed, before its end or after."""

    id: UUID
    expected_version: int
    reason: Reason


class Changed(Struct, frozen=True, kw_only=True):
    """What making, changing or closing a campaign led to."""

    id: str
    version: int


async def make(conn: Connection, reader: Reader, draft: CampaignDraft, now: datetime) -> Changed:
    """Make a campaign; the same draft again gets its first answer.

    Raises NotAllowed, Missing, UnknownOrganisation, UnknownArea, UnknownQuestionnaire, TimesReversed, TextUnusable or
    IdTaken."""
    reach = await organisations.within(conn, reader)
    campaign = str(draft.id)
    if before := await _asked_before(conn, reader, campaign, draft.id, draft):
        return before
    terms = Terms(**{name: getattr(draft, name) for name in Terms.__struct_fields__})
    terms = await _checked(conn, reader, reach, terms)
    await conn.execute(MAKE, reader.district, campaign, *_columns(terms), reader.member, now)
    await _write_parts(conn, reader.district, campaign, terms)
    made = Changed(id=campaign, version=1)
    await _tell(conn, reader, made, "make", draft, terms, None, now)
    return made


MAKE = """
insert into campaign (district, id, version, name, kinds, starts_at, ends_at, every, promise, created_by, created_at)
values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10)
"""
CHANGE = """
update campaign set name = $3, kinds = $4, starts_at = $5, ends_at = $6, every = $7, promise = $8, version = $9
where district = $1 and id = $2
"""


def _columns(terms: Terms) -> tuple[object, ...]:
    return terms.name, list(terms.kinds), terms.starts_at, terms.ends_at, terms.every, terms.promise


async def change(conn: Connection, reader: Reader, campaign: str, asked: CampaignChange, now: datetime) -> Changed:
    """Change what a campaign says; the same again gets its first answer.

    Raises NotFound, CampaignClosed, StaleVersion, NothingChanges and what `make` raises."""
    reach, held = await _held(conn, reader, campaign)
    if before := await _asked_before(conn, reader, campaign, asked.id, asked):
        return before
    was = await _to_change(conn, reader, reach, campaign, held, asked.expected_version)
    changes = {name: value for name in Terms.__struct_fields__ if (value := getattr(asked, name)) is not UNSET}
    terms = await _checked(conn, reader, reach, msgspec.structs.replace(was, **changes))
    if terms == was:
        raise NothingChanges
    version = held.version + 1
    await conn.execute(CHANGE, reader.district, campaign, *_columns(terms), version)
    await _write_parts(conn, reader.district, campaign, terms)
    await _tell(conn, reader, Changed(id=campaign, version=version), "change", asked, terms, asked.reason, now)
    return Changed(id=campaign, version=version)


CLOSE = "update campaign set closed_at = $3, version = $4 where district = $1 and id = $2"


async def close(conn: Connection, reader: Reader, campaign: str, asked: Closing, now: datetime) -> Changed:
    """Close a campaign: it stays to be read. The same again gets its first answer.

    Raises NotAllowed, NotFound, UnknownOrganisation, CampaignClosed, StaleVersion or TextUnusable."""
    reach, held = await _held(conn, reader, campaign)
    if before := await _asked_before(conn, reader, campaign, asked.id, asked):
        return before
    terms = await _to_change(conn, reader, reach, campaign, held, asked.expected_version)
    version = held.version + 1
    await conn.execute(CLOSE, reader.district, campaign, now, version)
    await _tell(conn, reader, Changed(id=campaign, version=version), "close", asked, terms, asked.reason, now)
    return Changed(id=campaign, version=version)


async def _held(conn: Connection, reader: Reader, campaign: str) -> tuple[set[UUID] | None, Held]:
    """The organisations whose campaigns the reader changes, None standing for all, and the campaign, locked."""
    reach = await organisations.within(conn, reader)
    return reach, await campaigns.lock(conn, reader.district, campaign)


async def _to_change(
    conn: Connection, reader: Reader, reach: set[UUID] | None, campaign: str, held: Held, expected: int
) -> Terms:
    """What a campaign says that this reader may change now."""
    terms = await campaigns.terms_of(conn, reader.district, campaign)
    if not campaigns.may_change(reach, terms.organisations):
        raise NotAllowed
    campaigns.refuse_closed(held)
    if expected != held.version:
        raise StaleVersion("expected_version", version=held.version)
    return terms


ASKED_BEFORE = "select thing, actor, request, version from history where district = $1 and id = $2"


async def _asked_before(conn: Connection, reader: Reader, campaign: str, id_: UUID, asked: object) -> Changed | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    asker, thing_ = str(reader.member), campaigns.thing(reader.district, campaign)
    if (first["actor"], first["request"], first["thing"]) != (asker, request_digest(asked), thing_):
        raise IdTaken("id")
    return Changed(id=campaign, version=first["version"])


KNOWN = """
select array(select code from street where district = $1) as streets,
       array(select code from community where district = $1) as communities,
       array(select id from organisation where district = $1 and closed_at is null) as organisations,
       array(select (id, kind) from questionnaire where district = $1 and current is not null) as questionnaires
"""


async def _checked(conn: Connection, reader: Reader, reach: set[UUID] | None, terms: Terms) -> Terms:
    """What a campaign is to say, in one order, once the district has all that it names."""
    _check_times(terms)
    (known,) = await conn.fetch(KNOWN, reader.district)
    for field in ("streets", "communities"):
        for code in getattr(terms, field):
            if code not in known[field]:
                raise UnknownArea(field, given=code)
    for organisation in terms.organisations:
        if organisation not in known["organisations"] or (reach is not None and organisation not in reach):
            raise UnknownOrganisation("organisations", given=organisation)
    if reach is not None and not terms.organisations:
        raise Missing("organisations")
    questionnaires = {kind: id_ for kind in KINDS if (id_ := terms.questionnaires.get(kind))}
    given_out = dict(known["questionnaires"])
    for kind, id_ in questionnaires.items():
        if id_ not in given_out or given_out[id_] not in (None, kind):
            raise UnknownQuestionnaire(f"questionnaires.{kind}", given=id_)
    return msgspec.structs.replace(
        terms,
        name=_name(terms.name),
        kinds=tuple(kind for kind in KINDS if kind in terms.kinds),
        streets=tuple(sorted(set(terms.streets))),
        communities=tuple(sorted(set(terms.communities))),
        organisations=tuple(sorted(set(terms.organisations))),
        questionnaires=questionnaires,
    )


def _check_times(terms: Terms) -> None:
    for field, moment in (("starts_at", terms.starts_at), ("ends_at", terms.ends_at)):
        if moment.year < FIRST_YEAR:
            raise TimeBeforeAll(field)
        if moment.year > LAST_YEAR:
            raise TimeInFuture(field)
    if terms.ends_at <= terms.starts_at:
        raise TimesReversed("ends_at")


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise TextUnusable("name")
    return name


# What a campaign consists of beside its row, written whole each time.
FORGET_PARTS = """
with areas as (delete from campaign_area where district = $1 and campaign = $2),
organisations as (delete from campaign_organisation where district = $1 and campaign = $2)
delete from campaign_questionnaire where district = $1 and campaign = $2
"""
WRITE_PARTS = """
with areas as (
  insert into campaign_area (district, campaign, kind, code)
  select $1::int, $2::text, 'street', code from unnest($3::text[]) code
  union all select $1::int, $2::text, 'community', code from unnest($4::text[]) code
), organisations as (
  insert into campaign_organisation (district, campaign, organisation) select $1::int, $2::text, unnest($5::uuid[])
)
insert into campaign_questionnaire (district, campaign, kind, questionnaire)
select $1::int, $2::text, kind, questionnaire from unnest($6::text[], $7::text[]) q(kind, questionnaire)
"""


async def _write_parts(conn: Connection, district: int, campaign: str, terms: Terms) -> None:
    await conn.execute(FORGET_PARTS, district, campaign)
    questionnaires = terms.questionnaires
    await conn.execute(
        WRITE_PARTS,
        district,
        campaign,
        terms.streets,
        terms.communities,
        terms.organisations,
        list(questionnaires),
        list(questionnaires.values()),
    )


async def _tell(
    conn: Connection,
    reader: Reader,
    changed: Changed,
    event: str,
    asked: CampaignDraft | CampaignChange | Closing,
    terms: Terms,
    reason: str | None,
    now: datetime,
) -> None:
    """Write what the campaign says from now on into its history: codes and times, and the digest of its words."""
    thing_ = campaigns.thing(reader.district, changed.id)
    words = {"name": terms.name, "promise": terms.promise}
    text, digest = text_row(reader.district, thing_, changed.version, words, now)
    texts: list[Row] = [text]
    said: dict[str, Any] = {name: getattr(terms, name) for name in Terms.__struct_fields__ if name not in words}
    facts = {"campaign": changed.id, "text_version": changed.version, "text_digest": digest} | said
    if reason is not None:
        why, facts["reason_digest"] = text_row(reader.district, asked.id, 1, {"reason": _reason(reason)}, now)
        texts.append(why)
    told = event_row(
        district=reader.district,
        id=asked.id,
        kind="campaign",
        thing=thing_,
        version=changed.version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request_digest(asked),
    )
    await history.append(conn, [told], texts)


def _reason(text: str) -> str:
    if not text.strip():
        raise TextUnusable("reason")
    return text
