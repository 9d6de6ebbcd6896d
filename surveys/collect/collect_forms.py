"""What ODK Collect is given: the visit forms that a member fills in, and the lists that these choose from."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence

from asyncpg import Connection
from msgspec import Struct

from surveys.campaigns.days import Day
from surveys.collect import visit_form
from surveys.collect.submissions import OF_QUESTIONNAIRE, UnknownForm
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.premises.premises import PremisesKind

DOORS, CATEGORIES = "doors.csv", "categories.csv"
KINDS: dict[PremisesKind, str] = {"shop": "商铺", "enterprise": "企业", "household": "住户"}


class Form(Struct, frozen=True):
    """A visit form as it is listed: its id, version and title, and the MD5 by which Collect sees that it is another."""

    id: str
    version: str
    title: dict[str, str]  # by language
    md5: str


# Questionnaires that are given out: those of campaigns that are not over in which the reader visits, and those that no
# campaign has claimed.
FORMS = """
select v.questionnaire, v.version, v.title, md5(v.visit_xform) as md5
from questionnaire q
join questionnaire_version v on v.district = q.district and v.questionnaire = q.id and v.version = q.current
where q.district = $1 and (
  exists (select from campaign_questionnaire c where c.district = q.district and c.questionnaire = q.id
          and c.campaign = any($2))
  or not exists (select from campaign_questionnaire c where c.district = q.district and c.questionnaire = q.id))
order by q.id
"""


async def of_reader(conn: Connection, reader: Reader, campaigns: Sequence[str]) -> list[Form]:
    """The forms with a questionnaire that a reader who visits in these campaigns fills in. Raises NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    rows = await conn.fetch(FORMS, reader.district, list(campaigns))
    return [
        Form(OF_QUESTIONNAIRE + row["questionnaire"], row["version"], titled(row["title"]), row["md5"]) for row in rows
    ]


def titled(title: dict[str, str]) -> dict[str, str]:
    """What a visit form with this questionnaire is called."""
    return {language: _whole(language, title) for language in ("zh", "en")}


def _whole(language: str, title: dict[str, str]) -> str:
    own = title.get(language) or next(iter(title.values()), "")
    return f"Visit: {own}" if language == "en" else f"走访：{own}"


PLAIN_TITLE = {"zh": visit_form.TITLE_ZH, "en": visit_form.TITLE_EN}
XFORM = """
select visit_xform from questionnaire_version where district = $1 and questionnaire = $2 and version = $3
"""


async def xform(conn: Connection, reader: Reader, form: str, version: str) -> str:
    """A published form; an old version too, for who still has visits of it. Raises UnknownForm, NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    named = form.removeprefix(OF_QUESTIONNAIRE)
    found: str | None = await conn.fetchval(XFORM, reader.district, named, version) if named != form else None
    if found is None:
        raise UnknownForm("formId", given=form)
    return found


def refuse_who_visits_nothing(reader: Reader) -> None:
    """Raises NotAllowed for whoever holds no role that goes to doors."""
    scopes.refuse_who_reads_nothing(reader)


def md5(content: bytes) -> str:
    """The hash that OpenRosa knows contents by."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def doors(day: Day) -> bytes:
    """The member's doors as a list of entities, in walking order. A door that they have in two campaigns is visited for
    the one that began first, as it stands once in a list."""
    header = ("name", "label", "__version", "kind", "door_name", "address", "campaign", "place", "state", "geometry")
    once = {door.id: door for door in reversed(day.doors)}
    return _csv(
        header,
        (
            (
                str(door.id),
                _label(door.place, door.name or KINDS[door.kind], door.address or ""),
                "1",
                door.kind,
                door.name or KINDS[door.kind],
                door.address or "",
                door.campaign,
                str(door.place),
                door.state,
                "" if door.lat is None else f"{door.lat} {door.lon} 0 0",
            )
            for door in reversed(once.values())
        ),
    )


def _label(place: int, name: str, address: str) -> str:
    numbered = f"{place}. {name}" if place else name
    return f"{numbered} · {address}" if address else numbered


def categories(day: Day) -> bytes:
    """What a problem can be about, each with the urgencies that it may have."""
    names = {category.code: category.name for category in day.categories}
    return _csv(
        ("name", "label", "parent", "urgencies"),
        (
            (
                one.code,
                f"{names[one.parent]} › {one.name}" if one.parent in names else one.name,
                one.parent or "",
                " ".join(one.urgencies),
            )
            for one in day.categories
            if one.urgencies
        ),
    )


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return written.getvalue().encode()
