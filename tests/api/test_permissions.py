"""Every route and every page as every role, in its own scope, in another's, and with none; a route without a row fails.

A row says which roles are answered, and what the others are told. To add a route, add its row to ROUTES; a new kind of
thing in an address gets a line in VALUES; what a route shows is counted where a number must not tell what it hides."""

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import httpx
import pyogrio
import pytest
import python_calamine as calamine
from litestar import Litestar
from msgspec import Struct

from api import database
from api.app import create_app
from api.settings import Settings
from surveys.collect import visit_form
from surveys.contact_cards import card_numbers
from surveys.people.people import Role, ScopeKind
from tests import cards, collect, doors, drafts, photographs, services_at_hand
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NOW,
    OPERATOR,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    STREET_DISPATCHER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    found_district,
    founded,
    join,
    person,
    serving,
)

pytestmark = pytest.mark.anyio

# The twin of the district in the same database, with people, codes and even things of the same ids.
TWIN = 110101

OTHER_HANDLER = person("21", "别的部门", "department_handler", "department", "housing")
OTHER_STREET_DISPATCHER = person("22", "别街调度", "dispatcher", "street", "410103002")
OTHER_STREET_LEADER = person("23", "别街领导", "leader", "street", "410103002")
LEAF = UUID(int=103)  # an organisation that the twin does not have
ROLELESS = person("24", "没有角色", "", "", "")


class Held(Struct, frozen=True):
    """A role as two hold it: one in whose scope the things of the tests are, and one in whose scope they are not; who
    holds it for a whole district has no other scope in it than the twin district's."""

    own: Person
    other: Person | None = None

    def others_headers(self) -> dict[str, str]:
        return self.other.headers if self.other else self.own.headers_in(TWIN)


ROLES: dict[str, Held] = {
    "member": Held(MEMBER, MEMBER_BESIDE),
    "organiser": Held(ORGANISER, ORGANISER_BESIDE),
    "community_worker": Held(WORKER, OTHER_WORKER),
    "street_dispatcher": Held(STREET_DISPATCHER, OTHER_STREET_DISPATCHER),
    "dispatcher": Held(DISPATCHER),
    "department_handler": Held(HANDLER, OTHER_HANDLER),
    "street_leader": Held(STREET_LEADER, OTHER_STREET_LEADER),
    "leader": Held(LEADER),
    "administrator": Held(ADMINISTRATOR),
    "auditor": Held(AUDITOR),
    "operator": Held(OPERATOR),
}

Roles = frozenset[str]
ALL: Roles = frozenset(ROLES)
NONE: Roles = frozenset()
READERS: Roles = ALL - {"auditor", "operator"}
DEPARTMENT: Roles = frozenset({"department_handler"})  # reads issues, and no visits but its own
LOOKERS: Roles = frozenset({"organiser", "leader", "street_leader"})  # read, and change nothing
ADMINISTRATION: Roles = frozenset({"administrator"})
AUDIT: Roles = frozenset({"auditor", "administrator"})
DESK: Roles = frozenset({"community_worker", "street_dispatcher", "dispatcher", "administrator"})
ASSIGNERS: Roles = DESK | {"organiser"}  # say who visits which door
KEEPERS: Roles = frozenset({"administrator", "organiser"})  # look after people
TEAM_KEEPERS: Roles = KEEPERS | {"community_worker"}  # look after volunteers, beside those who lead a team
OVER_PEOPLE: Roles = KEEPERS | {"leader"}  # and lead them; no organisation of the tests answers for a street


class Things(Struct, frozen=True):
    """A visit at a door of the near community, and the issue found on it, which was given to a department."""

    visit: str
    issue: str


# What stands in an address for each of the names in its path.
VALUES: dict[str, Callable[[Things], str]] = {
    "visit:uuid": lambda things: things.visit,
    "erasure:uuid": lambda _: str(uuid4()),
    "issue:uuid": lambda things: things.issue,
    "other:uuid": lambda _: str(uuid4()),
    "member:uuid": lambda _: str(ROLELESS.id),
    "organisation:uuid": lambda _: str(LEAF),
    "door:uuid": lambda _: str(uuid4()),
    "campaign:str": lambda _: "none",
    "proposal:uuid": lambda _: str(uuid4()),
    "number:str": lambda _: card_numbers.numbered("EQ", 1),
    "device:uuid": lambda _: str(uuid4()),
    "session:uuid": lambda _: str(uuid4()),
    "channel:uuid": lambda _: str(uuid4()),
    "webhook:uuid": lambda _: str(uuid4()),
    "job:str": lambda _: "seal_history",
    "upload:uuid": lambda _: str(uuid4()),
    "kind:str": lambda _: "nothing",
    "view:uuid": lambda _: str(uuid4()),
    "team:uuid": lambda _: str(uuid4()),
    "file:uuid": lambda _: str(uuid4()),
    "sha256:str": lambda _: PHOTO["sha256"],
    "file_path:path": lambda _: "x",
    "path:str": lambda _: "x",
    "name:path": lambda _: "nothing",
    "questionnaire:str": lambda _: "nothing",
    "instrument:str": lambda _: "nothing",
    "version:str": lambda _: "1",
    "community:str": lambda _: "nothing",
    "integration:uuid": lambda _: str(uuid4()),
    "service:uuid": lambda _: str(uuid4()),
    "account:uuid": lambda _: str(uuid4()),
    "transaction:uuid": lambda _: str(uuid4()),
    "claim:uuid": lambda _: str(uuid4()),
    "help_request:uuid": lambda _: str(uuid4()),
    "booking:uuid": lambda _: str(uuid4()),
    "service:str": lambda _: "nothing",
    "token:str": lambda _: "nothing",
    "name:str": lambda _: "nothing.xlsx",
    "report:uuid": lambda _: str(uuid4()),
    "round:uuid": lambda _: str(uuid4()),
    "subject:uuid": lambda _: str(uuid4()),
    "appeal:uuid": lambda _: str(uuid4()),
    "window:uuid": lambda _: str(uuid4()),
    "making:uuid": lambda _: str(uuid4()),
    "volunteer:uuid": lambda _: str(uuid4()),
    "month:str": lambda _: "2026-10",
    "model:uuid": lambda _: str(uuid4()),
    "commitment:uuid": lambda _: str(uuid4()),
    "ballot:uuid": lambda _: str(uuid4()),
    "z:str": lambda _: "0",
    "x:str": lambda _: "0",
    "y:str": lambda _: "0.json",
}


class Row(Struct, frozen=True, kw_only=True):
    """Who is answered what by a route.

    In their own scope those who `may` get `ok`; those who see the thing and may not do this with it get 403, and those
    who do not see it 404 or, of what is listed or counted, nothing. In another's scope they all get `other`, or the
    same where no one thing is asked for. All other roles get 403 everywhere. Somebody signed in without a role gets
    `roleless`, nobody at all `nobody`.

    `shown` counts what an answer shows: something in one's own scope, nothing in another's."""

    may: Roles = READERS
    ok: int = 200
    sees: Roles = NONE
    blind: Roles = NONE
    other: int | None = None
    roleless: int = 403
    nobody: int = 401
    body: Callable[[Things], Any] | None = None
    query: str = ""
    shown: Callable[[httpx.Response], int] | None = None

    def in_own_scope(self, role: str) -> int:
        if role in self.may:
            return self.ok
        if role in self.blind:
            return self.ok if self.shown else 404
        return 403

    def in_others_scope(self, role: str) -> int:
        if self.other is None:
            return self.in_own_scope(role)
        return self.other if role in self.may | self.sees | self.blind else 403


def public(status: int) -> Row:
    """A route that asks nobody who they are."""
    return Row(may=ALL, ok=status, roleless=status, nobody=status)


def signed_in(status: int, **more: Any) -> Row:
    """A route for everybody who has signed in, whatever their role; it is about themselves, or about no person."""
    return Row(may=ALL, ok=status, roleless=status, **more)


def nobody_by_token(body: Callable[[Things], Any]) -> Row:
    """A route for browsers, which whoever holds a token alone is refused."""
    return signed_in(403, body=body)


def _total(answer: httpx.Response) -> int:
    total: int = answer.json()["total"]
    return total


def _clusters(answer: httpx.Response) -> int:
    return sum(cluster["count"] for cluster in answer.json()["clusters"])


def _cells(answer: httpx.Response) -> int:
    return sum(cell[2] for cell in answer.json()["cells"])


def _of_trust(answer: httpx.Response) -> int:
    return int(answer.json()["issues"])


def _areas(answer: httpx.Response) -> int:
    return sum(area["total"] for area in answer.json()["areas"])


def _shown_visits(answer: httpx.Response) -> int:
    return answer.text.count("visit-line")


def _issues(answer: httpx.Response) -> int:
    return len(answer.json()["issues"])


def _items(answer: httpx.Response) -> int:
    return len(answer.json()["items"])


def _channel(_: Things) -> object:
    return {"id": str(uuid4()), "name": "短信", "template": "file:///etc/passwd?{address}"}


def _webhook(_: Things) -> object:
    return {"id": str(uuid4()), "url": "http://127.0.0.1/", "events": ["report"]}


def _counted(answer: httpx.Response) -> int:
    return sum(row["bounce"]["denominator"] for row in answer.json()["rows"])


def _reported(answer: httpx.Response) -> int:
    reported: int = answer.json()["reported"]["now"]["count"]
    return reported


def _csv_rows(answer: httpx.Response) -> int:
    return len(list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))))


def _sheet_rows(answer: httpx.Response) -> int:
    sheet = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0)
    return len(sheet.to_python()) - 1  # its header


def _features(answer: httpx.Response) -> int:
    return len(answer.json()["features"])


def _matched(answer: httpx.Response) -> int:
    matched: int = answer.json()["numberMatched"]
    return matched


def _points(answer: httpx.Response) -> int:
    with tempfile.NamedTemporaryFile(suffix=".gpkg") as file:
        file.write(answer.content)
        file.flush()
        return len(pyogrio.raw.read(file.name)[2])


def _move(_: Things) -> Any:
    return drafts.move("correct", 1, reason="写错了", correction={"title": "门口垃圾"})


def _flags(_: Things) -> Any:
    return {"id": str(uuid4()), "flags": ["card_unknown"], "reason": "已核对"}


def _bounds(_: Things) -> Any:
    return {
        "extensions_most": 2,
        "extension_percent": 100,
        "longest_pause_days": 90,
        "review_amount": 3,
        "review_unit": "working_days",
    }


def _settlement(_: Things) -> Any:
    things = [{"id": str(uuid4()), "expected_version": 1}]
    return {"id": str(uuid4()), "kind": "issue", "things": things, "reason": "核对"}


def _correction(_: Things) -> Any:
    return drafts.correction(1, note="改了")


def _answer(_: Things) -> Any:
    return {"id": str(uuid4()), "via": "call", "solved": True, "satisfaction": 5}


def _organisation(_: Things) -> Any:
    return {"id": str(uuid4()), "name": "新支部", "parent": str(uuid4())}


def _member(_: Things) -> Any:
    return {"id": str(uuid4()), "number": "NEW", "name": "新同志", "organisation": str(uuid4())}


def _team(_: Things) -> Any:
    return {"id": str(uuid4()), "name": "新队", "kind": "arts", "organisation": str(uuid4())}


def _change(name: str) -> Any:
    return {"id": str(uuid4()), "change": name, "expected_version": 99}


def _campaign(**more: Any) -> Any:
    times = {"starts_at": "2026-11-01T00:00:00+08:00", "ends_at": "2027-01-01T00:00:00+08:00"}
    return {"id": str(uuid4()), "name": "大走访"} | times | more


def _door(**more: Any) -> Any:
    return {"id": str(uuid4()), "kind": "shop", "name": "店"} | more


def _ballot(_: Things) -> Any:
    times = {"opens_at": "2026-12-01T00:00:00Z", "closes_at": "2026-12-02T00:00:00Z"}
    groups = [{"code": "A", "name": "群众", "weight": 100}]
    asked = {"title": "测评", "candidates": [{"matter": "作风"}], "groups": groups}
    return {"id": str(uuid4()), "organisation": str(uuid4())} | times | asked


def _commitment(_: Things) -> Any:
    return {"id": str(uuid4()), "text": " ", "due_on": "2026-12-20", "aim": "area"}


def _commitment_move(_: Things) -> Any:
    return {"id": str(uuid4()), "expected_version": 1, "move": "approve"}


def _commitment_rating(_: Things) -> Any:
    return {"id": str(uuid4()), "rated_by": "leader", "kept": True, "stars": 5}


def _closing() -> Any:
    return {"id": str(uuid4()), "expected_version": 1, "reason": "完成"}


def _rules(_: Things) -> Any:
    by_no_time = {"time": {"points": "1", "per_minutes": 0}}
    return {"id": str(uuid4()), "valid_from": "2026-12", "rules": by_no_time}


def _board(_: Things) -> Any:
    return {"id": str(uuid4()), "month": "2026-11", "known_at": "2026-11-23T12:00:00+08:00"}


def _model(_: Things) -> Any:
    return {"id": str(uuid4()), "month": "2026-11", "subject": "team", "who": str(uuid4()), "text": "天天到"}


def _rating_round(_: Things) -> Any:
    names = ("opens_at", "self_until", "people_until", "peers_until", "leaders_until", "first_at", "appeals_until")
    times = {name: f"2027-01-{at + 1:02}T00:00:00+08:00" for at, name in enumerate((*names, "decisions_until"))}
    return {
        "id": str(uuid4()),
        "name": "考核",
        "instrument": "none",
        "instrument_version": "1",
        "period": "2026-Q4",
        **times,
    }


def _extension(_: Things) -> Any:
    return {**_closing(), "step": "self_until", "until": "2027-01-01T00:00:00+08:00"}


def _window(_: Things) -> Any:
    return {"id": str(uuid4()), "name": "一号窗口", "organisation": str(uuid4()), "member": str(MEMBER.id)}


def _rating(_: Things) -> Any:
    return {"id": str(uuid4()), "group": "self", "points": {}}


def _ruling(_: Things) -> Any:
    return {**_closing(), "upheld": False}


def _time_correction(_: Things) -> Any:
    return {"id": str(uuid4()), "minutes": 0, "reason": "记错了"}


def _decision(_: Things) -> Any:
    return {"id": str(uuid4()), "decision": "refuse", "reason": "没有签到"}


def _help(_: Things) -> Any:
    wanted_at = (NOW + timedelta(days=1)).isoformat()
    return {"id": str(uuid4()), "account": str(uuid4()), "what": "买菜", "wanted_at": wanted_at, "minutes": 30}


def _saying(_: Things) -> Any:
    times = {"started_at": (NOW - timedelta(hours=2)).isoformat(), "ended_at": (NOW - timedelta(hours=1)).isoformat()}
    return {"id": str(uuid4()), "expected_version": 1, **times}


def _time_rules(_: Things) -> Any:
    return {"id": str(uuid4()), "expected_version": 0, "reason": "区里的规定", "round_to": 7}


def _office_hours(_: Things) -> Any:
    return {"id": str(uuid4()), "expected_version": 0, "valid_from": "2000-01-01", "week": {}}


def _absence(_: Things) -> Any:
    times = {"starts_at": "2026-12-01T00:00:00+08:00", "ends_at": "2026-12-02T00:00:00+08:00"}
    return {"id": str(uuid4()), "deputy": "nobody"} | times


CONTENT = photographs.photo(64, 64)
PHOTO: drafts.Draft = photographs.promised(CONTENT)
PHONE = "13800001234"
_TWIN = {"category": "0102", "title": "门口垃圾成堆", "position": drafts.NEAR_DOOR}
JURISDICTION = f"?jurisdiction_id={DISTRICT}"
RESIDENT = {"phone": PHONE, "purpose": "居民申请"}

SERVICE = "/api/volunteering/services/{service:uuid}"
BANK = "/api/volunteering/time"
OF_THING = "/api/volunteering/services/{thing:uuid}"

ROUTES: dict[str, Row] = {
    # briefs, of those who look after places
    "GET /reports": Row(),
    "GET /reports/makings": Row(),
    "GET /reports/{report:uuid}": Row(ok=404),
    "GET /api/reports": Row(),
    "POST /api/reports": Row(
        may=READERS - {"member", "department_handler"}, ok=409, body=lambda _: {"period": "2998-W01"}
    ),
    "GET /api/reports/makings": Row(),
    "POST /api/reports/makings/{making:uuid}/cancel": Row(ok=404, body=lambda _: {}),
    "GET /api/reports/{report:uuid}": Row(ok=404),
    "GET /api/reports/{report:uuid}/pdf": Row(ok=404),
    "GET /api/reports/{report:uuid}/docx": Row(ok=404),
    "POST /api/reports/{report:uuid}/cases": Row(ok=404, body=lambda _: {"cases": ["1"]}),
    "GET /api/reports/templates": Row(may=ADMINISTRATION),
    "GET /api/reports/template": Row(may=ADMINISTRATION),
    "POST /api/reports/template": Row(may=ADMINISTRATION, ok=422, body=lambda _: "docx"),
    # doors that are open
    "GET /": public(303),
    "GET /static/{file_path:path}": public(404),
    "GET /schema": public(200),
    "GET /schema/{path:str}": public(404),
    "GET /schema/openapi.json": public(200),
    "GET /health/live": public(200),
    "GET /phone": public(308),
    "GET /phone/{name:path}": public(404),
    "GET /health/ready": public(200),
    "GET /metrics": public(200),  # of this machine; tests/api/test_metrics.py has more
    # signing in and out
    "GET /sign-in": public(200),
    "POST /sign-in": public(401),
    "POST /sign-out": signed_in(303),
    "GET /first-access": public(200),
    "POST /api/first-access": public(400),  # of an empty body
    "POST /api/devices": public(400),
    # one's own account; what changes how somebody signs in is for browsers alone
    "GET /account": signed_in(200),
    "POST /api/account/password": nobody_by_token(lambda _: {"password": "菜场门口修了路灯"}),
    "POST /api/account/notices/seen": signed_in(204, body=lambda _: {}),
    "POST /api/account/sign-out-everywhere": signed_in(204, body=lambda _: {}),
    "POST /api/devices/collect": nobody_by_token(lambda _: {"password": "菜场门口修了路灯"}),
    "GET /api/devices": signed_in(200),
    "POST /api/devices/{device:uuid}/revoke": signed_in(404, body=lambda _: {}),  # one's own, and this is nobody's
    "GET /api/sessions": signed_in(200),
    "POST /api/sessions/{session:uuid}/end": signed_in(404, body=lambda _: {}),
    "GET /second-factor": signed_in(200),
    "POST /api/second-factor": nobody_by_token(lambda _: {}),
    "POST /api/second-factor/confirmation": nobody_by_token(lambda _: {"code": "000000"}),
    "POST /api/second-factor/check": nobody_by_token(lambda _: {"code": "000000"}),
    "POST /api/second-factor/removal": nobody_by_token(lambda _: {"code": "000000", "password": "x"}),
    # a blank reason is refused to those who may, once they are known to be
    "POST /api/members/{member:uuid}/one-time-codes": Row(
        may=frozenset({"administrator", "organiser"}), ok=422, other=404, body=lambda _: {"reason": " "}
    ),
    # points: their rules and boards are read by all who read, and counted before they are published by those who look
    # after people; there are none yet, and what is published here could not be
    "GET /api/points/rules": Row(),
    "POST /api/points/rules": Row(may=ADMINISTRATION, ok=422, body=_rules),
    "POST /api/points/trials": Row(
        may=ADMINISTRATION, body=lambda _: {"month": "2026-10", "rules": {"time": {"points": "1"}}}
    ),
    "GET /api/points": Row(may=KEEPERS, ok=409, query="?month=2026-10"),
    "GET /api/points/volunteers/{volunteer:uuid}": Row(may=KEEPERS, ok=404, query="?month=2026-10"),
    "GET /api/points/boards": Row(),
    "POST /api/points/boards": Row(may=ADMINISTRATION, ok=409, body=_board),
    "GET /api/points/boards/{month:str}": Row(ok=404),
    "GET /volunteering/points": Row(may=KEEPERS),
    "GET /volunteering/points/volunteers/{volunteer:uuid}": Row(may=KEEPERS, ok=404),
    "GET /volunteering/points/rules": Row(may=KEEPERS),
    "GET /volunteering/points/publish": Row(may=ADMINISTRATION, ok=409, query="?month=2026-10"),
    "GET /volunteering/models": Row(may=KEEPERS | {"community_worker"}),
    "GET /board": public(200),
    "GET /api/board": public(422),  # of two districts one has to be named
    "GET /api/models": Row(may=KEEPERS | {"community_worker"}),
    "POST /api/models": Row(may=KEEPERS | {"community_worker"}, ok=422, body=_model),
    "POST /api/models/{model:uuid}/decisions": Row(
        may=ADMINISTRATION, ok=404, body=lambda _: {"id": str(uuid4()), "decision": "approve", "expected_version": 1}
    ),
    # organisations and members, by those who look after them; what is asked for could not be done by anybody
    "GET /people": Row(may=KEEPERS),
    "GET /people/new": Row(may=KEEPERS),
    "GET /people/{member:uuid}": Row(may=KEEPERS, other=404),
    "GET /api/organisations": Row(may=KEEPERS),
    "POST /api/organisations": Row(may=KEEPERS, ok=422, body=_organisation),
    "POST /api/organisations/{organisation:uuid}/changes": Row(
        may=KEEPERS, ok=409, other=404, body=lambda _: _change("close")
    ),
    "GET /api/office-hours": signed_in(200),
    "PUT /api/office-hours": Row(may=ADMINISTRATION, ok=422, body=_office_hours),
    "GET /api/members": Row(may=KEEPERS),
    "POST /api/members": Row(may=KEEPERS, ok=422, body=_member),
    "GET /api/members/{member:uuid}": Row(may=KEEPERS, other=404),
    "POST /api/members/{member:uuid}/changes": Row(may=KEEPERS, ok=409, other=404, body=lambda _: _change("close")),
    "POST /api/members/{member:uuid}/absences": Row(may=KEEPERS, ok=422, other=404, body=_absence),
    # visits: filed by anybody, read by those within whose reach they are
    "POST /api/visits": signed_in(201, body=lambda _: drafts.visit()),
    "POST /api/visits/batch": signed_in(200, body=lambda _: [drafts.visit()]),
    "POST /api/receipts": signed_in(200, body=lambda things: {"ids": [things.visit]}),
    "GET /api/day": Row(),  # everybody's own
    "GET /api/colleagues": Row(query="?text=nobody"),
    # the register of doors; nobody has the one that is asked for, and the empty list cannot be read
    "GET /premises/{door:uuid}": Row(ok=404),
    "GET /desk/visits": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_shown_visits),
    "GET /desk/visits/{visit:uuid}": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, other=404),
    "GET /premises": Row(may=DESK | {"organiser"}),
    "GET /api/premises": Row(),
    "GET /api/premises.csv": Row(),
    "GET /api/premises.xlsx": Row(),
    "GET /api/premises.geojson": Row(),
    "GET /api/premises.gpkg": Row(),
    "GET /api/premises/{door:uuid}": Row(ok=404),
    "POST /api/premises": Row(may=DESK | {"organiser"}, ok=422, body=lambda _: _door(name=" ")),
    "POST /api/premises/{door:uuid}/changes": Row(
        may=DESK | {"organiser"}, ok=404, body=lambda _: {**_change("confirm"), "reason": "核对"}
    ),
    "POST /api/premises/imports": Row(may=ADMINISTRATION, ok=422, body=lambda _: "名称"),
    # places that are not certain, settled by those who answer for them; the thing that is named there is none
    "GET /api/places": Row(may=DESK),
    "POST /api/places/settlements": Row(may=DESK, body=_settlement),
    "GET /desk/places": Row(may=DESK),
    # views that somebody saved; nobody has the one that is asked for
    "GET /api/views": signed_in(200),
    "POST /api/views": signed_in(422, body=lambda _: {"id": str(uuid4()), "name": "我的", "address": "/elsewhere"}),
    "POST /api/views/{view:uuid}/changes": signed_in(404, body=lambda _: {"expected_version": 1}),
    "POST /api/views/{view:uuid}/removal": signed_in(404, body=lambda _: {}),
    "GET /desk/views": Row(),
    "GET /desk/views/{view:uuid}": Row(ok=404),
    # campaigns, by those who look after their organisations; none has the name that is asked for
    "GET /api/campaigns": Row(),
    "POST /api/campaigns": Row(may=KEEPERS, ok=422, body=lambda _: _campaign(organisations=[str(uuid4())])),
    "GET /api/campaigns/{campaign:str}": Row(ok=404),
    "POST /api/campaigns/{campaign:str}/changes": Row(may=KEEPERS, ok=404, body=lambda _: _closing()),
    "POST /api/campaigns/{campaign:str}/close": Row(may=KEEPERS, ok=404, body=lambda _: _closing()),
    "GET /api/campaigns/{campaign:str}/coverage": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage.geojson": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/doors": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/doors.geojson": Row(ok=404, query="?bbox=113,34,114,35"),
    "GET /api/campaigns/{campaign:str}/assignments": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/members": Row(may=ASSIGNERS, ok=404),
    "POST /api/campaigns/{campaign:str}/assignments": Row(
        may=ASSIGNERS, ok=404, body=lambda _: {"id": str(uuid4()), "doors": [str(uuid4())]}
    ),
    "POST /api/campaigns/{campaign:str}/proposals": Row(may=ASSIGNERS, ok=404, body=lambda _: {"id": str(uuid4())}),
    "GET /api/campaigns/{campaign:str}/proposals/{proposal:uuid}": Row(may=ASSIGNERS, ok=404),
    "POST /api/campaigns/{campaign:str}/proposals/{proposal:uuid}/changes": Row(
        may=ASSIGNERS, ok=404, body=lambda _: {"expected_version": 1, "doors": [str(uuid4())]}
    ),
    "POST /api/campaigns/{campaign:str}/proposals/{proposal:uuid}/accept": Row(
        may=ASSIGNERS, ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1}
    ),
    "GET /campaigns": Row(),
    "GET /campaigns/{campaign:str}/coverage": Row(ok=404),
    "GET /campaigns/{campaign:str}": Row(ok=404),
    "GET /campaigns/{campaign:str}/assignment": Row(may=ASSIGNERS, ok=404),
    "GET /api/visits": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_total),
    "GET /api/visits/{visit:uuid}": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, other=404),
    "POST /api/visits/{visit:uuid}/flags": Row(
        may=DESK, ok=409, sees=LOOKERS | {"member"}, blind=DEPARTMENT, other=404, body=_flags
    ),
    "POST /api/visits/{visit:uuid}/corrections": Row(
        may=DESK | {"member"}, sees=LOOKERS, blind=DEPARTMENT, other=404, body=_correction
    ),
    # issues
    "GET /api/issues": Row(shown=_total),
    "GET /api/issues/{issue:uuid}": Row(other=404),
    # photos: shown to who sees their issue or visit, and sent by whoever works on it; this content is no photo
    "GET /api/issues/{thing:uuid}/photos": Row(other=404, shown=_items),
    "GET /api/issues/{thing:uuid}/photos/{sha256:str}": Row(other=404),
    "GET /api/issues/{thing:uuid}/photos/{sha256:str}/thumbnail": Row(other=404),
    "PUT /api/issues/{thing:uuid}/photos/{sha256:str}": Row(
        may=DESK | DEPARTMENT | {"member"}, ok=422, sees=LOOKERS, other=404, body=lambda _: {}
    ),
    "GET /api/visits/{thing:uuid}/photos": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, other=404),
    "GET /api/visits/{thing:uuid}/photos/{sha256:str}": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, other=404),
    "GET /api/visits/{thing:uuid}/photos/{sha256:str}/thumbnail": Row(
        may=READERS - DEPARTMENT, blind=DEPARTMENT, other=404
    ),
    "PUT /api/visits/{thing:uuid}/photos/{sha256:str}": Row(
        may=frozenset({"member"}),
        ok=422,
        sees=READERS - DEPARTMENT - {"member"},
        blind=DEPARTMENT,
        other=404,
        body=lambda _: {},
    ),
    # uploads: refused before anything is asked about, without the protocol's header; tests/api/test_uploads.py has more
    "POST /api/uploads": signed_in(412),
    "PATCH /api/uploads/{upload:uuid}": signed_in(412),
    "POST /api/uploads/{upload:uuid}": signed_in(405),
    "DELETE /api/uploads/{upload:uuid}": signed_in(412),
    "POST /api/issues/{issue:uuid}/moves": Row(may=DESK | {"member"}, sees=LOOKERS | DEPARTMENT, other=404, body=_move),
    "GET /api/return-visits": Row(),
    "POST /api/issues/{issue:uuid}/return-visits": Row(
        may=DESK | {"member"}, ok=409, sees=LOOKERS | DEPARTMENT, other=404, body=_answer
    ),
    "GET /api/return-visits/terms": Row(may=ADMINISTRATION),
    "POST /api/return-visits/terms": Row(may=ADMINISTRATION, body=lambda _: {"days": 7}),
    "POST /api/issues/{issue:uuid}/contact": Row(
        may=DESK | DEPARTMENT, sees=LOOKERS | {"member"}, other=404, body=lambda _: {"purpose": "回访"}
    ),
    # a thing alone has no twin; of one that is not there nobody says more than that
    "GET /api/issues/{issue:uuid}/twins": Row(other=404),
    "POST /api/issues/twins": Row(body=lambda _: _TWIN, shown=_items),
    "POST /api/issues/{issue:uuid}/twins/{other:uuid}/dismiss": Row(ok=404, other=404, body=lambda _: {}),
    "POST /api/contacts/search": Row(may=DESK | DEPARTMENT | {"member"}, body=lambda _: {"phone": PHONE}, shown=_items),
    # questionnaires: read by whoever reads visits, and published by an administrator; the twin has none
    "GET /questionnaires": Row(),
    "GET /questionnaires/{questionnaire:str}/{version:str}": Row(ok=404),
    "GET /api/questionnaires": Row(),
    "POST /api/questionnaires": Row(may=ADMINISTRATION, ok=422, query="?name=form.xlsx", body=lambda _: {}),
    "POST /api/questionnaires/shipped": Row(may=ADMINISTRATION),
    "GET /api/questionnaires/shipped/{name:str}": Row(may=ADMINISTRATION, ok=404),
    "GET /api/questionnaires/{questionnaire:str}": Row(ok=404),
    "POST /api/questionnaires/{questionnaire:str}/changes": Row(
        may=ADMINISTRATION, ok=404, body=lambda _: {"current": None}
    ),
    "GET /api/questionnaires/{questionnaire:str}/versions/{version:str}": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/versions/{version:str}/form.xml": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/versions/{version:str}/source": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/answers.csv": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/answers.xlsx": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/answers-long.csv": Row(ok=404),
    "GET /api/questionnaires/{questionnaire:str}/answers-long.xlsx": Row(ok=404),
    # scorecards: read by whoever works here, and published by an administrator; the twin has none
    "GET /assessments/instruments": Row(),
    "GET /assessments/instruments/{instrument:str}/{version:str}": Row(ok=404),
    "POST /assessments/instruments/preview": Row(may=ADMINISTRATION, ok=422, body=lambda _: {}),
    "GET /api/assessments/instruments": Row(),
    "POST /api/assessments/instruments": Row(may=ADMINISTRATION, ok=422, body=lambda _: {}),
    "POST /api/assessments/instruments/shipped": Row(may=ADMINISTRATION),
    "GET /api/assessments/instruments/{instrument:str}/versions/{version:str}": Row(ok=404),
    "GET /api/assessments/instruments/{instrument:str}/versions/{version:str}/workbook": Row(ok=404),
    # files of what the lists show
    "GET /api/issues.csv": Row(shown=_csv_rows),
    "GET /api/issues.xlsx": Row(shown=_sheet_rows),
    "GET /api/issues.geojson": Row(shown=_features),
    "GET /api/issues.gpkg": Row(shown=_points),
    "GET /api/visits.csv": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_csv_rows),
    "GET /api/visits.xlsx": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_sheet_rows),
    "GET /api/visits.geojson": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_features),
    "GET /api/visits.gpkg": Row(may=READERS - DEPARTMENT, blind=DEPARTMENT, shown=_points),
    "GET /api/rates.csv": Row(),
    "GET /api/rates.xlsx": Row(),
    "GET /api/rates.geojson": Row(shown=_features),
    "GET /api/rates.gpkg": Row(shown=_points),
    "GET /api/campaigns/{campaign:str}/coverage.csv": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage.xlsx": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage.gpkg": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage/doors.csv": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage/doors.xlsx": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage/doors.geojson": Row(ok=404),
    "GET /api/campaigns/{campaign:str}/coverage/doors.gpkg": Row(ok=404),
    # rounds of ratings; who rates, appeals or is rated finds no round here, whatever their role
    "GET /assessments/rate/{round:uuid}/{subject:uuid}": signed_in(404),
    "GET /assessments/rounds/{round:uuid}/results/{subject:uuid}": signed_in(404),
    "GET /assessments/rounds/{round:uuid}/results/{subject:uuid}/hours": signed_in(404),
    "GET /api/assessments/rounds/{round:uuid}/results/{subject:uuid}/hours": signed_in(404),
    "GET /assessments/rounds/{round:uuid}/people": Row(may=OVER_PEOPLE, ok=404),
    "GET /assessments/rounds/{round:uuid}/people/{subject:uuid}": signed_in(404),
    "POST /assessments/rounds/{round:uuid}/people/{subject:uuid}": signed_in(422),
    "GET /rate": public(200),
    "POST /rate": public(422),  # without a code
    "GET /api/assessments/rounds": Row(),
    "POST /api/assessments/rounds": Row(may=KEEPERS, ok=422, body=_rating_round),
    "GET /api/assessments/rounds/{round:uuid}": Row(ok=404),
    "POST /api/assessments/rounds/{round:uuid}/extensions": Row(may=KEEPERS, ok=404, body=_extension),
    "POST /api/assessments/rounds/{round:uuid}/cancel": Row(may=KEEPERS, ok=404, body=lambda _: _closing()),
    "POST /api/assessments/rounds/{round:uuid}/publish": Row(may=KEEPERS, ok=404, body=lambda _: _closing()),
    "POST /api/assessments/rounds/{round:uuid}/computations": Row(may=KEEPERS, ok=404, body=lambda _: _closing()),
    "GET /api/assessments/rounds/{round:uuid}/progress": Row(may=OVER_PEOPLE, ok=404),
    "GET /api/assessments/rounds/{round:uuid}/missing": Row(may=OVER_PEOPLE, ok=404),
    "POST /api/assessments/rounds/{round:uuid}/reminders": Row(may=OVER_PEOPLE, ok=404, body=lambda _: {}),
    "GET /api/assessments/rounds/{round:uuid}/ratings/{subject:uuid}": signed_in(404, query="?group=self"),
    "PUT /api/assessments/rounds/{round:uuid}/ratings/{subject:uuid}": signed_in(404, body=_rating),
    "POST /api/assessments/rounds/{round:uuid}/subjects/{subject:uuid}/codes": signed_in(
        404, body=lambda _: {"id": str(uuid4()), "count": 1}
    ),
    "GET /api/assessments/tasks": signed_in(200),
    "POST /api/assessments/code-sheets": public(400),  # of an empty body
    "POST /api/assessments/code-ratings": public(400),
    "GET /api/assessments/windows": Row(),
    "POST /api/assessments/windows": Row(may=KEEPERS, ok=422, body=_window),
    "GET /assessments/windows": Row(),
    "POST /api/assessments/windows/{window:uuid}/rename": Row(
        may=KEEPERS, ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1, "name": "一号窗口"}
    ),
    "POST /api/assessments/windows/{window:uuid}/close": Row(may=KEEPERS, ok=404, body=lambda _: {"id": str(uuid4())}),
    "GET /assessments": Row(),
    "GET /assessments/rounds/new": Row(may=KEEPERS),
    "GET /assessments/rounds/{round:uuid}": Row(may=OVER_PEOPLE, ok=404),
    "GET /api/assessments/rounds/{round:uuid}/results": Row(may=OVER_PEOPLE, ok=404),
    "GET /api/assessments/rounds/{round:uuid}/results.csv": Row(may=OVER_PEOPLE, ok=404),
    "GET /api/assessments/rounds/{round:uuid}/results.xlsx": Row(may=OVER_PEOPLE, ok=404),
    "GET /api/assessments/rounds/{round:uuid}/results/{subject:uuid}": signed_in(404),
    "POST /api/assessments/rounds/{round:uuid}/results/{subject:uuid}/appeals": signed_in(
        404, body=lambda _: {"id": str(uuid4()), "item": "A1", "reason": "漏记"}
    ),
    "POST /api/assessments/rounds/{round:uuid}/results/{subject:uuid}/decisions": Row(
        ok=404, body=lambda _: {"id": str(uuid4()), "stars": 5, "reason": "属实"}
    ),
    "GET /api/assessments/rounds/{round:uuid}/appeals": Row(may=OVER_PEOPLE, ok=404),
    "POST /api/assessments/rounds/{round:uuid}/appeals/{appeal:uuid}/ruling": Row(ok=404, body=_ruling),
    # files that are made later: whoever reads may ask; another's is not there
    "POST /api/exports": Row(ok=202, body=lambda _: {"table": "premises", "format": "csv"}),
    "GET /api/exports": signed_in(200),
    "GET /api/exports/{file:uuid}": signed_in(404),
    "POST /api/exports/{file:uuid}/cancel": signed_in(404),
    "GET /api/exports/{file:uuid}/file": signed_in(404),
    "GET /exports": Row(),
    "GET /exports/list": Row(),
    "POST /exports": Row(ok=422, body=lambda _: {}),
    "POST /exports/{file:uuid}/cancel": signed_in(404),
    # residents' rights, and how long data is kept
    "POST /api/residents/find": Row(may=ADMINISTRATION, body=lambda _: RESIDENT, shown=_issues),
    "POST /api/residents/export": Row(may=ADMINISTRATION, other=404, body=lambda _: RESIDENT),
    "POST /api/residents/erase": Row(may=ADMINISTRATION, other=404, body=lambda _: RESIDENT),
    "GET /api/residents/erasures": Row(may=ADMINISTRATION),
    "GET /api/residents/erasures/{erasure:uuid}": Row(may=ADMINISTRATION, ok=404),
    "GET /api/retention": Row(may=ADMINISTRATION),
    "POST /api/retention": Row(may=ADMINISTRATION, body=lambda _: {"kind": "contacts", "days": 365}),
    # contact cards, by those who look after the organisations that give them out
    "GET /api/cards": Row(may=KEEPERS, shown=_total),
    "POST /api/cards": Row(may=KEEPERS, ok=422, body=lambda _: {"organisation": str(uuid4())}),
    "GET /desk/cards": Row(may=KEEPERS),
    "POST /api/cards/{number:str}/revoke": Row(
        may=KEEPERS, ok=422, other=404, body=lambda _: {"id": str(uuid4()), "reason": " "}
    ),
    "GET /api/cards/terms": Row(may=KEEPERS),
    "POST /api/cards/terms": Row(may=ADMINISTRATION, ok=422, body=lambda _: {"series": "1"}),
    "POST /api/cards/hotline": Row(may=KEEPERS, ok=422, body=lambda _: {"organisation": str(uuid4()), "hotline": ""}),
    # the resident's page, for whoever holds a card
    "GET /card": public(200),
    "GET /card/report": public(200),
    "POST /card/session": public(400),  # of an empty body
    "POST /card/reports": public(400),
    "POST /card/issues/{issue:uuid}/answer": public(400),
    "POST /card/issues/{issue:uuid}/photos/{sha256:str}": public(401),
    "POST /card/leave": public(401),
    # volunteer teams, found by all who read and looked after by a few
    "GET /volunteering": Row(),
    "GET /volunteering/teams/new": Row(may=TEAM_KEEPERS),
    "GET /volunteering/teams/{team:uuid}": Row(ok=404),
    "GET /volunteering/volunteers": Row(may=TEAM_KEEPERS),
    "GET /volunteering/volunteers/{volunteer:uuid}": Row(may=TEAM_KEEPERS, ok=404),
    "GET /api/volunteering/teams": Row(),
    "POST /api/volunteering/teams": Row(may=TEAM_KEEPERS, ok=422, body=_team),
    "GET /api/volunteering/teams/{team:uuid}": Row(ok=404),
    "POST /api/volunteering/teams/{team:uuid}/changes": Row(
        ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1, "name": "新名"}
    ),
    "POST /api/volunteering/teams/{team:uuid}/closing": Row(ok=404, body=lambda _: _closing()),
    "GET /api/volunteering/teams/{team:uuid}/volunteers": Row(ok=404),
    "POST /api/volunteering/teams/{team:uuid}/joinings": Row(
        ok=404, body=lambda _: {"id": str(uuid4()), "member": "1"}
    ),
    "POST /api/volunteering/teams/{team:uuid}/leavings": Row(
        ok=404, body=lambda _: {"id": str(uuid4()), "volunteer": str(uuid4())}
    ),
    "GET /api/volunteering/skills": Row(),
    "POST /api/volunteering/skills": Row(may=TEAM_KEEPERS, body=lambda _: {"name": "理发"}),
    "GET /api/volunteering/volunteers": Row(may=TEAM_KEEPERS),
    "POST /api/volunteering/volunteers": Row(
        may=TEAM_KEEPERS, ok=422, body=lambda _: {"id": str(uuid4()), "name": "\t"}
    ),
    "GET /api/volunteering/volunteers/{volunteer:uuid}": Row(may=TEAM_KEEPERS, ok=404),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/changes": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1, "phone": ""}
    ),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/consent": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"id": str(uuid4()), "name_public": True}
    ),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/phone": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"purpose": "通知服务"}
    ),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/link": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"id": str(uuid4())}
    ),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/link/revocation": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"id": str(uuid4())}
    ),
    "POST /api/volunteering/volunteers/{volunteer:uuid}/ending": Row(
        may=TEAM_KEEPERS, ok=404, body=lambda _: {"id": str(uuid4()), "sure": True}
    ),
    # what is kept on a volunteer, by themselves: nobody here is one
    "POST /volunteering/me/registration": signed_in(422, body=lambda _: {}),
    "GET /volunteering/me/record": signed_in(404),
    "POST /volunteering/me/changes": signed_in(404, body=lambda _: {"id": str(uuid4()), "expected_version": 1}),
    "POST /volunteering/me/consent": signed_in(404, body=lambda _: {"id": str(uuid4()), "name_public": True}),
    "POST /volunteering/me/leavings": signed_in(404, body=lambda _: {"id": str(uuid4()), "team": str(uuid4())}),
    "POST /volunteering/me/ending": signed_in(404, body=lambda _: {"id": str(uuid4()), "sure": True}),
    # a volunteer's own page, by session or by personal link
    "GET /volunteering/me": public(200),
    "POST /volunteering/me/session": public(400),
    "POST /volunteering/me/leave": public(401),
    "POST /card/services/{service:uuid}/bookings": public(400),
    "POST /card/bookings/{booking:uuid}/cancellation": public(400),
    "POST /card/bookings/{booking:uuid}/answer": public(400),
    "POST /volunteering/me/time/relatives": public(400),
    "POST /volunteering/me/time/relatives/{account:uuid}/forgetting": public(400),
    "POST /volunteering/me/time/passing-on": public(400),
    "POST /volunteering/me/time/help": public(400),
    "POST /volunteering/me/time/help/{help_request:uuid}/taking": public(400),
    "POST /volunteering/me/time/help/{help_request:uuid}/giving-back": public(400),
    "POST /volunteering/me/time/help/{help_request:uuid}/cancellation": public(400),
    "POST /volunteering/me/time/help/{help_request:uuid}/saying": public(400),
    "GET /volunteering/me/time/{account:uuid}/statement.csv": signed_in(404),  # who does not serve has none
    # the time bank: who reads has their own account, and those of volunteers whom they look after
    f"GET {BANK}/accounts": Row(),
    f"GET {BANK}/accounts/{{account:uuid}}": Row(ok=404),
    f"GET {BANK}/accounts/{{account:uuid}}/statement": Row(ok=404),
    f"GET {BANK}/accounts/{{account:uuid}}/statement.csv": Row(ok=404),
    f"GET {BANK}/accounts/{{account:uuid}}/statement.xlsx": Row(ok=404),
    f"POST {BANK}/transactions/{{transaction:uuid}}/correction": Row(ok=404, body=_time_correction),
    f"GET {BANK}/held": Row(),
    f"POST {BANK}/held/{{claim:uuid}}/decision": Row(ok=404, body=_decision),
    f"GET {BANK}/help": Row(),
    f"POST {BANK}/help": Row(ok=404, body=_help),
    f"POST {BANK}/help/{{help_request:uuid}}/cancellation": Row(ok=404, body=lambda _: _closing()),
    f"POST {BANK}/help/{{help_request:uuid}}/confirmation": Row(ok=404, body=_saying),
    f"GET {BANK}/rules": Row(),
    f"POST {BANK}/rules": Row(may=ADMINISTRATION, ok=422, body=_time_rules),
    f"GET {BANK}/check": Row(),
    "GET /volunteering/time": Row(),
    "GET /volunteering/time/help": Row(),
    "GET /volunteering/time/accounts/{account:uuid}": Row(ok=404),
    # services: all who read see them; who looks after the team, and who serves, changes them
    "GET /api/volunteering/services": Row(),
    "POST /api/volunteering/services": Row(ok=404, body=lambda _: services_at_hand.announcement()),
    f"GET {SERVICE}": Row(ok=404),
    f"POST {SERVICE}/changes": Row(ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1}),
    f"POST {SERVICE}/cancellation": Row(ok=404, body=lambda _: _closing()),
    f"POST {SERVICE}/volunteers": Row(ok=404, body=lambda _: {}),
    f"POST {SERVICE}/attendance": Row(ok=404, body=lambda _: {}),
    f"POST {SERVICE}/report": Row(ok=404, body=lambda _: services_at_hand.report([], {}, 1)),
    f"POST {SERVICE}/confirmation": Row(ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1}),
    f"POST {SERVICE}/bookings": Row(ok=404, body=lambda _: {"id": str(uuid4())}),
    f"GET {OF_THING}/photos": Row(ok=404),
    f"PUT {OF_THING}/photos/{{sha256:str}}": Row(ok=404),
    f"GET {OF_THING}/photos/{{sha256:str}}": Row(ok=404),
    f"GET {OF_THING}/photos/{{sha256:str}}/thumbnail": Row(ok=404),
    "GET /volunteering/services": Row(),
    "GET /volunteering/services/{service:uuid}": Row(ok=404),
    "POST /volunteering/me/services/{service:uuid}/joining": signed_in(404, body=lambda _: {}),
    "POST /volunteering/me/services/{service:uuid}/leaving": signed_in(404, body=lambda _: {}),
    "GET /api/volunteering/bookings": Row(),
    "GET /api/volunteering/return-visits": Row(),
    "GET /volunteering/bookings": Row(),
    "POST /api/volunteering/bookings/{booking:uuid}/cancellation": Row(ok=404, body=lambda _: {}),
    "POST /api/volunteering/bookings/{booking:uuid}/answer": Row(may=DESK | {"member"}, ok=404, body=_answer),
    "POST /card/commitments/{commitment:uuid}/rating": public(400),  # of an empty body
    # public commitments, made and read by whoever reads; nobody has the one that is asked for, and none has no text
    "GET /api/assessments/commitments": Row(),
    "GET /api/assessments/commitments.csv": Row(),
    "GET /api/assessments/commitments.xlsx": Row(),
    "GET /api/assessments/commitments/figures": Row(),
    "POST /api/assessments/commitments": Row(ok=422, body=_commitment),
    "GET /api/assessments/commitments/{commitment:uuid}": Row(ok=404),
    "POST /api/assessments/commitments/{commitment:uuid}/moves": Row(ok=404, body=_commitment_move),
    "POST /api/assessments/commitments/{commitment:uuid}/ratings": Row(ok=404, body=_commitment_rating),
    "GET /api/assessments/commitments/{thing:uuid}/photos": Row(ok=404),
    "PUT /api/assessments/commitments/{thing:uuid}/photos/{sha256:str}": Row(ok=404),
    "GET /api/assessments/commitments/{thing:uuid}/photos/{sha256:str}": Row(ok=404),
    "GET /api/assessments/commitments/{thing:uuid}/photos/{sha256:str}/thumbnail": Row(ok=404),
    # ballots: slips for whoever holds one; the rest by who looks after organisations, and by who is on the roll
    "GET /assessments/commitments": Row(),
    "GET /assessments/commitments/{commitment:uuid}": Row(ok=404),
    "GET /assessments/ballots": Row(),
    "GET /assessments/ballots/{ballot:uuid}": Row(ok=404),
    "GET /assessments/ballots/{ballot:uuid}/vote": Row(ok=404),
    "GET /ballot": public(200),
    "POST /ballot/form": public(400),  # of an empty body
    "POST /ballot/votes": public(400),
    "GET /api/assessments/ballots": Row(),
    "POST /api/assessments/ballots": Row(may=KEEPERS, ok=422, body=_ballot),
    "GET /api/assessments/ballots/combined": Row(ok=404, query=f"?ballot={uuid4()}&weight=100"),
    "GET /api/assessments/ballots/{ballot:uuid}": Row(ok=404),
    "GET /api/assessments/ballots/{ballot:uuid}/roll": Row(ok=404),
    "POST /api/assessments/ballots/{ballot:uuid}/roll": Row(ok=404, body=lambda _: {"id": str(uuid4()), "group": "A"}),
    "POST /api/assessments/ballots/{ballot:uuid}/handed": Row(ok=404, body=lambda _: {"member": str(uuid4())}),
    "POST /api/assessments/ballots/{ballot:uuid}/slips": Row(ok=404, body=lambda _: {"group": "A", "count": 1}),
    "POST /api/assessments/ballots/{ballot:uuid}/moves": Row(
        ok=404, body=lambda _: {"id": str(uuid4()), "expected_version": 1, "move": "count"}
    ),
    "GET /api/assessments/ballots/{ballot:uuid}/result": Row(ok=404),
    "GET /api/assessments/ballots/{ballot:uuid}/form": Row(ok=404),
    "POST /api/assessments/ballots/{ballot:uuid}/votes": Row(ok=404, body=lambda _: {"choices": [1]}),
    # lists that come in; a list of one heading lacks what is needed, and that is told
    "POST /api/imports/{kind:str}": Row(may=ADMINISTRATION, ok=404, body=lambda _: "名称"),
    "GET /desk/imports": Row(may=ADMINISTRATION),
    # categories and the rules of handling
    "GET /api/categories": Row(),
    "POST /api/categories": Row(may=ADMINISTRATION, ok=422, body=lambda _: {"code": "9999"}),
    "GET /api/handling-rules": Row(),
    "PUT /api/handling-rules": Row(may=ADMINISTRATION, body=_bounds),
    "GET /desk/categories": Row(),
    "GET /desk/limits": Row(),
    # the rates, over what each reaches
    "GET /api/rates": Row(query="?by=district", shown=_counted),
    "GET /api/rates/weights": Row(),
    "PUT /api/rates/weights": Row(may=ADMINISTRATION, body=lambda _: {"response": 2}),
    "GET /api/dashboard": Row(shown=_reported),
    "GET /dashboards": Row(),
    "GET /dashboards/return-visits": Row(),
    "GET /dashboards/rates": Row(),
    # maps
    "GET /maps/issues": Row(),
    "GET /desk": Row(),
    "GET /desk/queues": Row(),
    "GET /desk/total": Row(),
    "GET /desk/issues/{issue:uuid}": Row(other=404),
    "GET /desk/issues/{issue:uuid}/twins": Row(other=404),
    "POST /desk/issues/{issue:uuid}/moves": Row(ok=422, body=lambda _: {}),
    "POST /desk/issues/{issue:uuid}/contact": Row(ok=422, body=lambda _: {}),
    "POST /desk/issues/{issue:uuid}/twins/{other:uuid}/dismiss": Row(ok=404, body=lambda _: {}),
    "GET /desk/bulk/all": Row(),
    "POST /desk/bulk": Row(ok=422, body=lambda _: {}),
    "GET /desk/people": Row(query="?find=王"),
    "GET /desk/issues": Row(ok=303, query="?number=10001"),
    "GET /maps/issues/clusters": Row(query="?zoom=12", shown=_clusters),
    "GET /maps/issues/areas": Row(shown=_areas),
    "GET /maps/issues/density": Row(query="?zoom=12", shown=_cells),
    "GET /maps/issues/satisfaction": Row(),
    "GET /maps/issues/coverage": Row(query="?campaign=none", ok=404),
    "GET /maps/issues/visits": Row(),
    "GET /maps/issues/services": Row(query="?zoom=12"),
    "GET /maps/issues/trust": Row(shown=_of_trust),
    "GET /maps/tiles/{z:str}/{x:str}/{y:str}": Row(shown=_clusters),
    # other programs read maps live; communities are for everybody who has signed in, as they are elsewhere
    "GET /ogc": signed_in(200),
    "GET /ogc/conformance": signed_in(200),
    "GET /ogc/api": signed_in(200),
    "GET /ogc/collections": Row(),
    "GET /ogc/collections/communities": Row(),
    "GET /ogc/collections/issues": Row(),
    "GET /ogc/collections/communities/items": signed_in(200),
    "GET /ogc/collections/communities/items/{community:str}": signed_in(404),
    "GET /ogc/collections/issues/items": Row(shown=_matched),
    "GET /ogc/collections/issues/items/{issue:uuid}": Row(other=404),
    # city apps, by keys of their own, which nobody's token is; tests/api/test_open311.py has more
    "GET /open311/v2/discovery.json": public(200),
    "GET /open311/v2/discovery.xml": public(200),
    "GET /open311/v2/services.json": Row(may=ALL, query=JURISDICTION, roleless=200, nobody=200),
    "GET /open311/v2/services.xml": Row(may=ALL, query=JURISDICTION, roleless=200, nobody=200),
    "GET /open311/v2/services/{service:str}": public(404),
    "GET /open311/v2/requests.json": public(403),
    "GET /open311/v2/requests.xml": public(403),
    "POST /open311/v2/requests.json": public(403),
    "POST /open311/v2/requests.xml": public(403),
    "GET /open311/v2/requests/{number:str}": public(404),
    "GET /open311/v2/tokens/{token:str}": public(404),
    "GET /api/integrations": Row(may=ADMINISTRATION),
    "POST /api/integrations": Row(may=ADMINISTRATION, ok=422, body=lambda _: {"id": str(uuid4()), "name": " "}),
    "POST /api/integrations/{integration:uuid}/key": Row(may=ADMINISTRATION, ok=404, body=lambda _: {}),
    "POST /api/integrations/{integration:uuid}/revoke": Row(may=ADMINISTRATION, ok=404, body=lambda _: {}),
    # forms for ODK Collect, for those who go to doors, and filed by anybody; test_openrosa_refusals.py has more
    "GET /openrosa/formList": Row(),
    "GET /openrosa/form.xml": Row(query=f"?formId={visit_form.FORM_ID}&version={visit_form.VERSION}"),
    "GET /openrosa/manifest.xml": Row(),
    "GET /openrosa/doors.csv": Row(),
    "GET /openrosa/categories.csv": Row(),
    "POST /openrosa/submission": signed_in(400),
    # the history, for those who look after it
    "GET /api/history": Row(may=AUDIT),
    "GET /api/history.csv": Row(may=AUDIT),
    "GET /api/history.xlsx": Row(may=AUDIT),
    "GET /audit": Row(may=AUDIT),
    "GET /api/jobs": Row(may=frozenset({"administrator", "operator"})),
    # being told
    "GET /api/notices": signed_in(200),
    "POST /api/notices/seen": signed_in(204, body=lambda _: {}),
    "GET /api/notice-settings": signed_in(200),
    "POST /api/notice-settings": signed_in(200, body=lambda _: {"language": "en"}),
    "POST /api/notice-settings/addresses/{channel:uuid}": signed_in(404, body=lambda _: {"address": "a@b.example"}),
    "GET /api/notice-channels": Row(may=ADMINISTRATION),
    "POST /api/notice-channels": Row(may=ADMINISTRATION, ok=422, body=_channel),
    "POST /api/notice-channels/{channel:uuid}/close": Row(may=ADMINISTRATION, ok=404, body=lambda _: {}),
    "GET /api/notice-deliveries": Row(may=frozenset({"administrator", "auditor", "operator"})),
    "GET /api/deadline-rules": signed_in(200),
    "POST /api/deadline-rules": Row(may=ADMINISTRATION, body=lambda _: {"reminders": [], "escalations": []}),
    "GET /api/webhooks": Row(may=ADMINISTRATION),
    "POST /api/webhooks": Row(may=ADMINISTRATION, ok=422, body=_webhook),
    "POST /api/webhooks/{webhook:uuid}/close": Row(may=ADMINISTRATION, ok=404, body=lambda _: {}),
    "POST /api/webhooks/{webhook:uuid}/ping": Row(may=ADMINISTRATION, ok=404, body=lambda _: {}),
    "GET /api/webhooks/{webhook:uuid}/deliveries": Row(may=frozenset({"administrator", "operator"}), ok=404),
    "POST /api/jobs/{job:str}/retry": Row(may=frozenset({"administrator", "operator"}), ok=404, body=lambda _: {}),
    "GET /api/communities.geojson": signed_in(200),
    "GET /api/communities/at": signed_in(200, query="?lon=113.605&lat=34.705"),
}
PAGES = {"POST /sign-in", "GET /schema/{path:str}"}  # which say no in HTML


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(Settings(database_url="postgresql://nowhere"))


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[Client]:
    """Where things are changed, each request with its own."""
    async with _town(server, template) as client:
        yield client


@pytest.fixture(scope="module")
async def quiet(server: Server, template: str) -> AsyncIterator[Client]:
    """Where nothing happens but one visit, and everybody looks."""
    async with _town(server, template) as client:
        yield client


@asynccontextmanager
async def _town(server: Server, template: str) -> AsyncIterator[Client]:
    """The program on a district and its twin, with somebody for every role inside and outside of what is asked for."""
    async with founded(server, template) as dsn:
        conn = await database.connect(dsn)
        await found_district(conn, TWIN)
        await conn.execute("insert into department values ($1, 'housing', '房管局')", DISTRICT)
        leaf = "insert into organisation (district, id, parent, name) values ($1, $2, $3, '第二小组')"
        await conn.execute(leaf, DISTRICT, LEAF, ORGANISATION)
        for one in (OTHER_HANDLER, OTHER_STREET_DISPATCHER, OTHER_STREET_LEADER, ROLELESS):
            await join(conn, DISTRICT, one, NOW)
        await cards.make(conn, organisation=LEAF)
        await conn.close()
        with tempfile.TemporaryDirectory(prefix="zf-") as folder:
            settings = Settings(
                database_url=dsn,
                data=Path(folder) / "data",
                keys=Path(folder) / "keys.json",
                sign_in_burst=10_000,  # everybody's token is tried where an app's key belongs, from one address
            )
            async with serving(settings, TestClock()) as client:
                yield client


@pytest.fixture(scope="module")
async def found(quiet: Client) -> Things:
    """What is only looked at, with its photos."""
    of = await things(quiet)
    for thing in (f"issues/{of.issue}", f"visits/{of.visit}"):
        sent = await quiet.put(f"/api/{thing}/photos/{PHOTO['sha256']}", content=CONTENT, headers=MEMBER.headers)
        assert sent.status_code == 201
    return of


async def things(client: Client) -> Things:
    contact = {"name": "张三", "phone": PHONE}
    draft = drafts.visit(issues=[drafts.issue(contact=contact, photos=[PHOTO])], photos=[PHOTO])
    await doors.file(client, MEMBER, draft)
    return Things(draft["id"], draft["issues"][0]["id"])


async def ask(client: Client, route: str, of: Things, headers: dict[str, str]) -> httpx.Response:
    method, path = route.split(" ")
    path = path.replace("{thing:uuid}", of.visit if "/visits/" in path else of.issue)
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value(of))
    assert "{" not in path, "what stands in the path is missing from VALUES"
    row = ROUTES[route]
    return await client.request(method, path + row.query, json=row.body(of) if row.body else None, headers=headers)


def test_every_route_has_its_row(app: Litestar) -> None:
    routes = {
        f"{method} {route.path}"
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method not in ("OPTIONS", "HEAD")
    }
    assert routes == set(ROUTES)


def test_every_documented_operation_has_its_row(app: Litestar) -> None:
    documented = app.openapi_schema.to_schema()["paths"]
    rows = {route.replace(":uuid", "").replace(":str", "") for route in ROUTES}
    for path, operations in documented.items():
        for method in set(operations) - {"head"}:
            assert f"{method.upper()} {path}" in rows


def test_every_role_is_in_the_matrix() -> None:
    held = {(one.own.role, one.own.scope_kind) for one in ROLES.values()}
    assert {role for role, _ in held} == set(get_args(Role))
    assert {kind for _, kind in held} == set(get_args(ScopeKind))
    for row in ROUTES.values():
        assert row.may | row.sees | row.blind <= ALL
        assert len(row.may) + len(row.sees) + len(row.blind) == len(row.may | row.sees | row.blind)


@pytest.mark.parametrize("route", ROUTES)
async def test_who_is_answered(town: Client, quiet: Client, found: Things, route: str) -> None:
    """Nothing was ever filed in the quiet town but one visit with one issue: what shows more, or shows it to somebody
    in whose scope it is not, is a leak."""
    row = ROUTES[route]
    looking = route.startswith("GET") or row.shown
    expected = {
        f"{role} in their own scope": (one.own.headers, row.in_own_scope(role), role in row.may)
        for role, one in ROLES.items()
    }
    expected |= {
        f"{role} in another's scope": (one.others_headers(), row.in_others_scope(role), False)
        for role, one in ROLES.items()
    }
    expected |= {"without a role": (ROLELESS.headers, row.roleless, False), "nobody": ({}, row.nobody, False)}
    for who, (headers, status, shows) in expected.items():
        answer = await (ask(quiet, route, found, headers) if looking else ask(town, route, await things(town), headers))
        assert answer.status_code == status, f"{who}: {answer.text[:300]}"
        if status in (401, 403, 404) and " /openrosa/" in route:
            assert collect.message(answer)
        elif status in (401, 403, 404) and " /open311/" in route:
            assert answer.headers["content-type"].startswith(("application/json", "text/xml"))
        elif status in (401, 403, 404) and route not in PAGES:
            assert answer.headers["content-type"].startswith(("application/problem+json", "text/html"))
        if row.shown and status == 200:
            assert row.shown(answer) == shows, who


# What the issue would be found by, as a filter of lists, maps and files.
NARROWED = ["text=垃圾", f"owner={WORKER.id}", f"community={NEAR}", "department=city_management", "group=reported"]


@pytest.mark.parametrize("narrowed", NARROWED)
async def test_a_filter_counts_nothing_that_the_list_hides(quiet: Client, found: Things, narrowed: str) -> None:
    """Somebody who guesses a word, or whose issue it is, learns no more from a number than from the list."""
    for role in READERS:
        for headers, shows in ((ROLES[role].own.headers, 1), (ROLES[role].others_headers(), 0)):
            for path, shown in (
                ("/api/issues?", _total),
                ("/api/issues?as_of=2026-11-23&", _total),
                ("/api/issues.csv?", _csv_rows),
                ("/maps/issues/clusters?zoom=18&", _clusters),
                ("/maps/issues/areas?", _areas),
                ("/maps/issues/density?zoom=16&", _cells),
                ("/maps/issues/trust?", _of_trust),
                ("/ogc/collections/issues/items?", _matched),
            ):
                answer = await quiet.get(path + narrowed, headers=headers)
                assert shown(answer) == shows, f"{role}: {path}"


TURNED_AWAY = [route for route, row in ROUTES.items() if row.nobody == 401 != row.ok]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "zf_410103_" + "A" * 43, f"Bearer zf_{DISTRICT}_" + "Z" * 43],
)
async def test_a_token_of_no_member_opens_nothing(quiet: Client, found: Things, authorization: str) -> None:
    for route in TURNED_AWAY:
        answer = await ask(quiet, route, found, {"Authorization": authorization})
        if " /openrosa/" in route:
            assert answer.status_code in (401, 429), "who fails too often there has to wait"
            assert collect.message(answer)
        else:
            assert doors.refused(answer, 401, "not_signed_in"), route


async def test_a_receipt_is_for_who_filed(town: Client) -> None:
    of = await things(town)
    told = {}
    for role, one in ROLES.items():
        answer = await town.post("/api/receipts", json={"ids": [of.visit]}, headers=one.own.headers)
        told[role] = answer.json()["results"][0]["status"]
    assert told == dict.fromkeys(ROLES, "unknown") | {"member": "filed"}


async def test_what_does_not_exist_and_what_is_not_shown_are_told_alike(town: Client) -> None:
    of = await things(town)
    for path in ("/api/visits/{}", "/api/issues/{}"):
        hidden = (
            await town.get(path.format(of.visit if "visits" in path else of.issue), headers=OTHER_WORKER.headers)
        ).json()
        absent = (await town.get(path.format(uuid4()), headers=OTHER_WORKER.headers)).json()
        assert hidden | {"instance": ""} == absent | {"instance": ""}


async def test_another_district_s_people_see_nothing_of_this_one(server: Server, template: str) -> None:
    """Two districts in one database, with members, codes and even visits of the same ids."""
    other = TWIN
    async with founded(server, template) as dsn:
        conn = await database.connect(dsn)
        await found_district(conn, other)
        await conn.close()
        async with serving(Settings(database_url=dsn), TestClock()) as client:
            draft = drafts.visit(issues=[drafts.issue()])
            await doors.file(client, MEMBER, draft)
            issue = draft["issues"][0]["id"]
            foreign = ADMINISTRATOR.headers_in(other)
            for path in ("/api/issues", "/api/visits", f"/api/issues?community={NEAR}"):
                assert (await client.get(path, headers=foreign)).json()["total"] == 0
            for path in (f"/api/issues/{issue}", f"/api/visits/{draft['id']}"):
                assert (await client.get(path, headers=foreign)).status_code == 404
            twin = await client.post("/api/visits", json=draft | {"note": "孪生"}, headers=MEMBER.headers_in(other))
            assert twin.status_code == 201, "an id is taken in its own district only"
            assert twin.json()["issues"][0]["number"] == "10001", "and so is a number"
            assert (await doors.read(client, LEADER, f"/api/visits/{draft['id']}"))["visit"]["note"] is None
