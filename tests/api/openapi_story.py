"""A short life of a district, told by one request for each operation: what the API's document shows as examples."""

import re
from collections.abc import Sequence
from typing import Any

import httpx

from api import jobs
from api.jobs import Runner
from tests import drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    BELOW,
    DISPATCHER,
    HANDLER,
    LEADER,
    MEMBER,
    NEAR,
    OPERATOR,
    ORGANISATION,
    WORKER,
    Client,
    Person,
)

Told = dict[str, Any]
CONTACT = {"name": "欧阳秀英", "phone": "13800001234"}


def uuid(number: int) -> str:
    """An id as a phone or a program would make it, the same each time."""
    return f"01930000-0000-7000-8000-{number:012}"


VISIT, ISSUE, SECOND, THIRD = (uuid(n) for n in (1, 2, 3, 4))
CAMPAIGN, DOOR, MEMBER_NEW, GROUP, VIEW = (uuid(n) for n in (10, 11, 12, 13, 14))
WEBHOOK, APP, CHANNEL = (uuid(n) for n in (20, 21, 22))


class Story:
    """What was sent and answered, by operation."""

    def __init__(self, client: Client, runner: Runner) -> None:
        self._client = client
        self.runner = runner
        self.told: dict[str, Told] = {}
        self.answers: dict[str, httpx.Response] = {}
        self.failed: list[str] = []

    async def tell(
        self, operation: str, who: Person | None, body: Any = None, *, query: str = "", **named: object
    ) -> Any:
        """Send the request of an operation, and keep it with its answer as the example of it."""
        method, path = operation.split(" ")
        address = re.sub(r"{(\w+)}", lambda match: str(named[match[1]]), path) + query
        headers = who.headers if who else {}
        answer = await self._client.request(method, address, json=body, headers=headers)
        if answer.status_code >= 300:
            self.failed.append(f"{operation}: {answer.status_code} {answer.text[:300]}")
            return {}
        told: Told = {"status": answer.status_code}
        if body is not None:
            told["request"] = body
        if answer.content:
            told["response"] = answer.json()
        self.told[operation], self.answers[operation] = told, answer
        return told.get("response")


async def tell(client: Client, runner: Runner) -> Story:
    """The whole story; `runner` runs the job that asks residents."""
    story = Story(client, runner)
    for chapter in (_people, _doors, _visits, _issues, _reading, _programs, _rules, _rights):
        await chapter(story)
    return story


async def _people(story: Story) -> None:
    await story.tell("GET /health/live", None)
    await story.tell("GET /health/ready", None)
    await story.tell("GET /api/organisations", ADMINISTRATOR)
    await story.tell(
        "POST /api/organisations", ADMINISTRATOR, {"id": GROUP, "name": "第三小组", "parent": str(ORGANISATION)}
    )
    await story.tell(
        "POST /api/organisations/{organisation}/changes",
        ADMINISTRATOR,
        {"id": uuid(101), "change": "areas", "expected_version": 1, "areas": [{"kind": "community", "code": NEAR}]},
        organisation=GROUP,
    )
    new = {"id": MEMBER_NEW, "number": "000777", "name": "许新", "organisation": GROUP, "phone": "13900007777"}
    await story.tell("POST /api/members", ADMINISTRATOR, new)
    await story.tell("GET /api/members", ADMINISTRATOR, query=f"?organisation={GROUP}")
    change = {"id": uuid(102), "change": "give", "expected_version": 1, "role": "community_worker", "scope": NEAR}
    await story.tell("POST /api/members/{member}/changes", ADMINISTRATOR, change, member=MEMBER_NEW)
    absence = {
        "id": uuid(103),
        "deputy": "3",
        "starts_at": "2026-12-01T00:00:00+08:00",
        "ends_at": "2026-12-08T00:00:00+08:00",
        "reason": "休假",
    }
    await story.tell("POST /api/members/{member}/absences", ADMINISTRATOR, absence, member=MEMBER_NEW)
    await story.tell("GET /api/members/{member}", ADMINISTRATOR, member=MEMBER_NEW)
    await story.tell("GET /api/colleagues", MEMBER, query="?text=王")
    await story.tell("GET /api/devices", MEMBER)
    await story.tell("GET /api/sessions", MEMBER)


async def _doors(story: Story) -> None:
    door = {
        "id": DOOR,
        "kind": "shop",
        "name": "老王面馆",
        "address": "淮河路 1 号",
        "code": "EQ-1",
        "position": drafts.NEAR_DOOR,
    }
    await story.tell("POST /api/premises", WORKER, door)
    change = {"id": uuid(111), "change": "correct", "expected_version": 1, "name": "老王牛肉面", "reason": "换了招牌"}
    await story.tell("POST /api/premises/{door}/changes", WORKER, change, door=DOOR)
    await story.tell("GET /api/premises", WORKER)
    await story.tell("GET /api/premises.geojson", WORKER)
    await story.tell("GET /api/premises/{door}", WORKER, door=DOOR)
    campaign = {
        "id": CAMPAIGN,
        "name": "冬季大走访",
        "starts_at": "2026-11-01T00:00:00+08:00",
        "ends_at": "2027-01-01T00:00:00+08:00",
    }
    await story.tell("POST /api/campaigns", ADMINISTRATOR, campaign)
    change = {"id": uuid(112), "expected_version": 1, "reason": "写明承诺", "promise": "三天内答复"}
    await story.tell("POST /api/campaigns/{campaign}/changes", ADMINISTRATOR, change, campaign=CAMPAIGN)
    given = {"id": uuid(113), "doors": [DOOR], "member": str(MEMBER.id)}
    await story.tell("POST /api/campaigns/{campaign}/assignments", ADMINISTRATOR, given, campaign=CAMPAIGN)
    for operation in ("", "/assignments", "/members"):
        await story.tell(f"GET /api/campaigns/{{campaign}}{operation}", ADMINISTRATOR, campaign=CAMPAIGN)
    await story.tell("GET /api/campaigns", ADMINISTRATOR)
    await story.tell("GET /api/day", MEMBER)


async def _visits(story: Story) -> None:
    issue = drafts.issue(id=ISSUE, contact=CONTACT, description="店门口的垃圾三天没有清运")
    door = {"id": DOOR, "kind": "shop", "name": "老王牛肉面", "address": "淮河路 1 号"}
    visit = drafts.visit(id=VISIT, premises=door, campaign=CAMPAIGN, issues=[issue], note="店主说夜里也有人倒")
    await story.tell("POST /api/visits", MEMBER, visit)
    others = [
        drafts.visit(id=uuid(number), issues=[drafts.issue(id=other, title=title)])
        for number, other, title in ((6, SECOND, "门口垃圾成堆"), (7, THIRD, "路边垃圾桶满了"))
    ]
    await story.tell("POST /api/visits/batch", MEMBER, others)
    await story.tell("POST /api/receipts", MEMBER, {"ids": [VISIT, uuid(99)]})
    await story.tell("POST /api/visits/{visit}/corrections", MEMBER, _correction(), visit=VISIT)
    await story.tell("GET /api/visits/{visit}", WORKER, visit=VISIT)
    await story.tell("GET /api/visits", WORKER, query="?limit=2")
    await story.tell("GET /api/visits/{thing}/photos", WORKER, thing=VISIT)


def _correction() -> Any:
    return {"id": uuid(120), "expected_version": 1, "reason": "补充", "note": "店主说夜里也有人倒垃圾"}


async def _issues(story: Story) -> None:
    await story.tell("GET /api/issues/{issue}/twins", WORKER, issue=ISSUE)
    wanted = {"category": "0102", "title": "门口垃圾成堆", "position": drafts.NEAR_DOOR}
    await story.tell("POST /api/issues/twins", WORKER, wanted)
    operation = "POST /api/issues/{issue}/twins/{other}/dismiss"
    await story.tell(operation, WORKER, {}, issue=ISSUE, other=SECOND)
    moves: Sequence[tuple[Person, str, dict[str, Any]]] = (
        (HANDLER, "start", {}),
        (HANDLER, "resolve", {"reason": "已清运", "evidence": drafts.PROOF}),
    )
    move = {"id": uuid(130), "move": "accept", "expected_version": 1}
    await story.tell("POST /api/issues/{issue}/moves", WORKER, move, issue=ISSUE)
    example = story.told["POST /api/issues/{issue}/moves"]
    for number, (who, name, more) in enumerate(moves):
        further = {"id": uuid(131 + number), "move": name, "expected_version": 2 + number} | more
        await story.tell("POST /api/issues/{issue}/moves", who, further, issue=ISSUE)
    story.told["POST /api/issues/{issue}/moves"] = example
    await story.runner.run_everywhere(jobs.named("invite_return_visits"))
    await story.tell("GET /api/return-visits", WORKER)
    answer = {"id": uuid(140), "via": "call", "solved": True, "satisfaction": 5}
    await story.tell("POST /api/issues/{issue}/return-visits", DISPATCHER, answer, issue=ISSUE)
    await story.tell("GET /api/return-visits/terms", ADMINISTRATOR)
    await story.tell("POST /api/return-visits/terms", ADMINISTRATOR, {"days": 7})
    await story.tell("POST /api/issues/{issue}/contact", WORKER, {"purpose": "约上门时间"}, issue=ISSUE)
    await story.tell("POST /api/contacts/search", WORKER, {"phone": CONTACT["phone"]})
    await story.tell("GET /api/issues/{issue}", WORKER, issue=ISSUE)
    await story.tell("GET /api/issues/{thing}/photos", WORKER, thing=ISSUE)
    await story.tell("GET /api/issues", LEADER, query="?limit=2")
    await story.tell("GET /api/issues.geojson", LEADER)


async def _reading(story: Story) -> None:
    await story.tell("GET /api/communities.geojson", MEMBER)
    await story.tell("GET /api/communities/at", MEMBER, query="?lon=113.605&lat=34.705&accuracy_m=12")
    for name, query in (("clusters", "?zoom=12"), ("areas", "")):
        await story.tell(f"GET /maps/issues/{name}", LEADER, query=query)
    await story.tell("GET /api/rates", LEADER, query="?by=street")
    await story.tell("GET /api/rates/weights", LEADER)
    await story.tell("PUT /api/rates/weights", ADMINISTRATOR, {"response": 2, "resolution": 1, "satisfaction": 1})
    for name in ("coverage", "coverage.geojson", "doors"):
        await story.tell(f"GET /api/campaigns/{{campaign}}/{name}", LEADER, campaign=CAMPAIGN)
    operation = "GET /api/campaigns/{campaign}/doors.geojson"
    await story.tell(operation, LEADER, query="?bbox=113.6,34.7,113.61,34.71", campaign=CAMPAIGN)
    closing = {"id": uuid(150), "expected_version": 2, "reason": "走访完成"}
    await story.tell("POST /api/campaigns/{campaign}/close", ADMINISTRATOR, closing, campaign=CAMPAIGN)
    await story.tell("GET /api/history", AUDITOR, query=f"?thing={VISIT}")
    await story.tell("GET /api/jobs", OPERATOR)
    await story.tell("GET /api/notices", WORKER)


async def _programs(story: Story) -> None:
    app = {"id": APP, "name": "城市应用", "scope_kind": "community", "scope": NEAR, "daily_limit": 200}
    await story.tell("POST /api/integrations", ADMINISTRATOR, app)
    await story.tell("POST /api/integrations/{integration}/key", ADMINISTRATOR, {}, integration=APP)
    await story.tell("GET /api/integrations", ADMINISTRATOR)
    await story.tell("POST /api/integrations/{integration}/revoke", ADMINISTRATOR, {}, integration=APP)
    hook = {"id": WEBHOOK, "url": "https://events.example/zoufang", "events": ["report", "resolve"]}
    await story.tell("POST /api/webhooks", ADMINISTRATOR, hook)
    await story.tell("POST /api/webhooks/{webhook}/ping", ADMINISTRATOR, {}, webhook=WEBHOOK)
    await story.tell("GET /api/webhooks/{webhook}/deliveries", ADMINISTRATOR, webhook=WEBHOOK)
    await story.tell("GET /api/webhooks", ADMINISTRATOR)
    await story.tell("POST /api/webhooks/{webhook}/close", ADMINISTRATOR, {}, webhook=WEBHOOK)
    channel = {"id": CHANNEL, "name": "邮件", "template": "mailtos://user:secret@mail.example?to={address}"}
    await story.tell("POST /api/notice-channels", ADMINISTRATOR, channel)
    await story.tell("GET /api/notice-channels", ADMINISTRATOR)
    operation = "POST /api/notice-settings/addresses/{channel}"
    await story.tell(operation, WORKER, {"address": "worker@mail.example"}, channel=CHANNEL)
    await story.tell("POST /api/notice-channels/{channel}/close", ADMINISTRATOR, {}, channel=CHANNEL)
    await story.tell("GET /api/notice-deliveries", ADMINISTRATOR)


async def _rules(story: Story) -> None:
    await story.tell("POST /api/notice-settings", WORKER, {"language": "en"})
    await story.tell("GET /api/notice-settings", WORKER)
    await story.tell("POST /api/notices/seen", WORKER, {})
    rules = {"reminders": [{"percent": 50}, {"amount": 4}], "escalations": [{"amount": 8, "unit": "working_hours"}]}
    await story.tell("POST /api/deadline-rules", ADMINISTRATOR, rules)
    await story.tell("GET /api/deadline-rules", WORKER)
    day = [{"opens": "08:30", "closes": "12:00"}, {"opens": "13:30", "closes": "17:30"}]
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), day)
    hours = {"id": uuid(160), "expected_version": 0, "valid_from": "2026-12-01", "week": week}
    await story.tell("PUT /api/office-hours", ADMINISTRATOR, hours)
    await story.tell("GET /api/office-hours", WORKER)
    await story.tell("GET /api/cards", ADMINISTRATOR)
    await story.tell("GET /api/cards/terms", ADMINISTRATOR)
    await story.tell("POST /api/cards/terms", ADMINISTRATOR, {"promise": "有事您说话", "hotline": "0371-12345"})
    hotline = {"organisation": str(BELOW), "hotline": "0371-54321"}
    await story.tell("POST /api/cards/hotline", ADMINISTRATOR, hotline)
    view = {"id": VIEW, "name": "近邻社区超期", "address": f"/desk/?community={NEAR}&overdue=true"}
    await story.tell("POST /api/views", WORKER, view)
    changed = {"expected_version": 1, "name": "超期"}
    await story.tell("POST /api/views/{view}/changes", WORKER, changed, view=VIEW)
    await story.tell("GET /api/views", WORKER)
    await story.tell("POST /api/views/{view}/removal", WORKER, {}, view=VIEW)


async def _rights(story: Story) -> None:
    resident = {"phone": CONTACT["phone"], "purpose": "居民申请"}
    for name in ("find", "export", "erase"):
        await story.tell(f"POST /api/residents/{name}", ADMINISTRATOR, resident)
    erased = await story.tell("GET /api/residents/erasures", ADMINISTRATOR)
    if erased and erased["items"]:
        operation = "GET /api/residents/erasures/{erasure}"
        await story.tell(operation, ADMINISTRATOR, erasure=erased["items"][0]["id"])
    await story.tell("GET /api/retention", ADMINISTRATOR)
    await story.tell("POST /api/retention", ADMINISTRATOR, {"kind": "contacts", "days": 365})
