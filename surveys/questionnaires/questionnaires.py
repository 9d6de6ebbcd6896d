"""Questionnaires: published in versions that never change, so that the answers to an old one stay readable."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import UNSET, Struct, UnsetType

from surveys import history
from surveys.history import Actor, event_row
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.premises.premises import PremisesKind
from surveys.questionnaires.questionnaire_fields import Field, Labels
from surveys.refusals import Conflict, Invalid, NotFound, NothingChanges

_NAMESPACE = UUID("5f0c6f0e-6d0c-5c52-9d0b-0d6b6c6a7a11")

Status = Literal["published", "unchanged"]


class VersionTaken(Conflict):
    """Another form was published under this version; a published version never changes."""

    code = "version_taken"


class UnknownVersion(Invalid):
    """No version of this questionnaire that was published here."""

    code = "unknown_version"


class Form(Struct, frozen=True, kw_only=True):
    """A questionnaire made of an XLSForm, ready to be published."""

    id: str
    kind: PremisesKind | None
    version: str
    title: Labels
    digest: bytes
    source: bytes
    source_name: str
    xform: str
    visit_xform: str
    fields: tuple[Field, ...]


class Published(Struct, frozen=True):
    """What became of a form: the version under which it stands, and whether it is new."""

    id: str
    version: str
    status: Status


PRESENT = """
insert into questionnaire (district, id, kind, created_at) values ($1, $2, $3, $4)
on conflict (district, id) do update set kind = coalesce(excluded.kind, questionnaire.kind)
"""
SAME = """
select version, digest = $4 or xform = $5 as same from questionnaire_version
where district = $1 and questionnaire = $2 and (version = $3 or digest = $4)
order by digest = $4 desc
"""
PUBLISH = """
with published as (
  insert into questionnaire_version (district, questionnaire, version, title, digest, source, source_name, xform,
                                     visit_xform, fields, published_at, published_by)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  returning version
)
update questionnaire set current = published.version from published where district = $1 and id = $2
"""


async def publish(
    conn: Connection, district: int, form: Form, actor: Actor, now: datetime, *, member: UUID | None = None
) -> Published:
    """Publish a form, and give it out from now on. The same file again changes nothing, whatever became of it since.

    Raises VersionTaken when another form has this version. Run it in a transaction."""
    await conn.execute(PRESENT, district, form.id, form.kind, now)
    known = await conn.fetch(SAME, district, form.id, form.version, form.digest, form.xform)
    if known:
        if not known[0]["same"]:
            raise VersionTaken("version", given=form.version)
        return Published(form.id, known[0]["version"], "unchanged")
    await conn.execute(
        PUBLISH,
        district,
        form.id,
        form.version,
        form.title,
        form.digest,
        form.source,
        form.source_name,
        form.xform,
        form.visit_xform,
        form.fields,
        now,
        member,
    )
    facts = {"questionnaire": form.id, "version": form.version, "digest": form.digest.hex(), "kind": form.kind}
    await _tell(conn, district, form.id, "publish", actor, facts, now)
    return Published(form.id, form.version, "published")


class QuestionnaireChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a questionnaire: the version that is filled in from now on, or null to give out none, and the
    kind of door it is meant for."""

    current: str | UnsetType | None = UNSET
    kind: PremisesKind | UnsetType | None = UNSET


FOR_UPDATE = "select kind, current from questionnaire where district = $1 and id = $2 for update"
HAS_VERSION = """
select exists (select from questionnaire_version where district = $1 and questionnaire = $2 and version = $3)
"""
CHANGE = "update questionnaire set current = $3, kind = $4 where district = $1 and id = $2"


async def change(
    conn: Connection, reader: Reader, questionnaire: str, asked: QuestionnaireChange, now: datetime
) -> None:
    """Give out another version, or none, or say for which kind of door it is. Raises NotFound, UnknownVersion and
    NothingChanges."""
    reader.require("administrator")
    row = await conn.fetchrow(FOR_UPDATE, reader.district, questionnaire)
    if row is None:
        raise NotFound("questionnaire")
    current = row["current"] if asked.current is UNSET else asked.current
    kind = row["kind"] if asked.kind is UNSET else asked.kind
    if (current, kind) == (row["current"], row["kind"]):
        raise NothingChanges
    if current is not None and not await conn.fetchval(HAS_VERSION, reader.district, questionnaire, current):
        raise UnknownVersion("current", given=current)
    await conn.execute(CHANGE, reader.district, questionnaire, current, kind)
    event = "withdraw" if current is None else "give_out" if current != row["current"] else "change"
    facts = {"questionnaire": questionnaire, "version": current, "kind": kind}
    await _tell(conn, reader.district, questionnaire, event, Actor("member", str(reader.member)), facts, now)


async def _tell(
    conn: Connection,
    district: int,
    questionnaire: str,
    event: str,
    actor: Actor,
    facts: Mapping[str, object],
    now: datetime,
) -> None:
    thing = uuid5(_NAMESPACE, f"{district}/{questionnaire}")
    version = await conn.fetchval(EARLIER, district, thing) + 1
    row = event_row(
        district=district,
        id=uuid5(thing, str(version)),
        kind="questionnaire",
        thing=thing,
        version=version,
        event=event,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={name: value for name, value in facts.items() if value is not None},
    )
    await history.append(conn, [row], [])


EARLIER = "select count(*) from history where district = $1 and thing = $2"


class Version(Struct, frozen=True, kw_only=True):
    """A version of a questionnaire as a list shows it; `answers` counts the visits that the reader sees."""

    version: str
    title: Labels
    source_name: str
    questions: int
    answers: int
    published_at: datetime
    published_by: str | None  # their name; null where the program brought it along


class Questionnaire(Struct, frozen=True, kw_only=True):
    """A questionnaire with its versions, newest first; `current` is the one that is given out."""

    id: str
    kind: PremisesKind | None
    current: str | None
    title: Labels  # of the version given out, else of the newest
    answers: int
    versions: list[Version]


VERSIONS = """
select q.id, q.kind, q.current, v.version, v.title, v.source_name, v.published_at, m.name as published_by,
       jsonb_array_length(v.fields) as questions, coalesce(a.answers, 0) as answers
from questionnaire q
join questionnaire_version v on v.district = $1 and v.questionnaire = q.id
left join member m on m.district = $1 and m.id = v.published_by
left join (
  select questionnaire, questionnaire_version, count(*) as answers from visit v
  where district = $1 and questionnaire is not null and withdrawn_at is null and {reached}
  group by questionnaire, questionnaire_version
) a on a.questionnaire = q.id and a.questionnaire_version = v.version
where q.district = $1 and ($2::text is null or q.id = $2)
order by q.id, v.published_at desc, v.version desc
"""


async def every(conn: Connection, reader: Reader, only: str | None = None) -> list[Questionnaire]:
    """The questionnaires of the district, by their ids. Raises NotAllowed for whoever reads no visits."""
    parameter = scopes.Parameters(reader.district, only)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "visit", "v") or "true"
    found: dict[str, Questionnaire] = {}
    for row in await conn.fetch(VERSIONS.format(reached=reached), *parameter.values):
        version = Version(**{name: row[name] for name in Version.__struct_fields__})
        known = found.get(row["id"])
        versions = [*known.versions, version] if known else [version]
        titled = version if known is None or version.version == row["current"] else None
        found[row["id"]] = Questionnaire(
            id=row["id"],
            kind=row["kind"],
            current=row["current"],
            title=titled.title if titled else known.title if known else {},
            answers=sum(one.answers for one in versions),
            versions=versions,
        )
    return list(found.values())


async def one(conn: Connection, reader: Reader, questionnaire: str) -> Questionnaire:
    """One questionnaire. Raises NotFound, and NotAllowed for whoever reads no visits."""
    found = await every(conn, reader, questionnaire)
    if not found:
        raise NotFound("questionnaire")
    return found[0]


class Stored(Struct, frozen=True, kw_only=True):
    """A version as it was published, without the form itself."""

    questionnaire: str
    version: str
    kind: PremisesKind | None
    title: Labels
    fields: list[Field]
    published_at: datetime


STORED = """
select v.questionnaire, v.version, q.kind, v.title, v.fields, v.published_at
from questionnaire_version v join questionnaire q on q.district = v.district and q.id = v.questionnaire
where v.district = $1 and v.questionnaire = $2 and ($3::text is null or v.version = $3)
order by v.published_at desc, v.version desc
"""


async def stored(conn: Connection, reader: Reader, questionnaire: str, version: str | None = None) -> list[Stored]:
    """A version, or all of them with the newest first. Raises NotFound, and NotAllowed for whoever reads no visits."""
    scopes.refuse_who_reads_nothing(reader)
    rows = await conn.fetch(STORED, reader.district, questionnaire, version)
    if not rows:
        raise NotFound("questionnaire")
    return [msgspec.convert(dict(row), Stored) for row in rows]


class Content(Struct, frozen=True):
    """The XForm of a version, or the file that it came as, with the digest of that file."""

    digest: bytes
    source_name: str
    content: bytes


XFORM = """
select digest, source_name, convert_to(xform, 'UTF8') as content from questionnaire_version
where district = $1 and questionnaire = $2 and version = $3
"""
SOURCE = """
select digest, source_name, source as content from questionnaire_version
where district = $1 and questionnaire = $2 and version = $3
"""


async def xform(conn: Connection, reader: Reader, questionnaire: str, version: str) -> Content:
    """The form as our own client fills it in. Raises NotFound, and NotAllowed for whoever reads no visits."""
    scopes.refuse_who_reads_nothing(reader)
    return await _content(conn, XFORM, reader.district, questionnaire, version)


async def source(conn: Connection, reader: Reader, questionnaire: str, version: str) -> Content:
    """The file as it came. Raises NotFound, and NotAllowed for whoever reads no visits."""
    scopes.refuse_who_reads_nothing(reader)
    return await _content(conn, SOURCE, reader.district, questionnaire, version)


async def _content(conn: Connection, question: str, district: int, questionnaire: str, version: str) -> Content:
    row = await conn.fetchrow(question, district, questionnaire, version)
    if row is None:
        raise NotFound("questionnaire")
    return Content(row["digest"], row["source_name"], row["content"])


FIELDS = """
select q.questionnaire, q.version, q.fields from unnest($2::text[], $3::text[]) as w(questionnaire, version)
join questionnaire_version q on q.district = $1 and q.questionnaire = w.questionnaire and q.version = w.version
"""


async def fields(
    conn: Connection, district: int, versions: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Field, ...]]:
    """The questions of those of these versions that were published here."""
    ids, numbers = [one[0] for one in versions], [one[1] for one in versions]
    return {
        (row["questionnaire"], row["version"]): msgspec.convert(row["fields"], tuple[Field, ...])
        for row in await conn.fetch(FIELDS, district, ids, numbers)
    }
