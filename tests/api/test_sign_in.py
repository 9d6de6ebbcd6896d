"""Signing in and out by a browser, staying signed in no longer than one may, and what a foreign page cannot do."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests import doors, drafts
from tests.conftest import DISTRICT, EVERYBODY, LEADER, MEMBER, PEOPLE, WORKER, Client, Person, TestClock

pytestmark = pytest.mark.anyio

MAP = "/maps/issues"


async def sign_in(client: Client, who: Person = LEADER, next_: str = MAP, site: str = "same-origin") -> httpx.Response:
    form = {"token": who.token, "next": next_}
    return await client.post("/sign-in", data=form, headers={"Sec-Fetch-Site": site})


def csrf(client: Client) -> dict[str, str]:
    return {"X-CSRF-Token": client.cookies["zoufang_csrf"]}


async def status(client: Client, **headers: str) -> int:
    return (await client.get("/api/issues", headers=headers)).status_code


def cookies(answer: httpx.Response) -> dict[str, str]:
    return {line.split("=", 1)[0]: line for line in answer.headers.get_list("set-cookie")}


async def test_a_token_opens_a_session_and_the_page_that_was_asked_for(client: Client) -> None:
    asked = await client.get("/maps/issues?group=overdue", headers={"Accept": "text/html"})
    assert asked.status_code == 303
    to = urlsplit(asked.headers["location"])
    assert to.path == "/sign-in"
    answer = await sign_in(client, next_="/maps/issues?group=overdue")
    assert (answer.status_code, answer.headers["location"]) == (303, "/maps/issues?group=overdue")
    assert await status(client) == 200
    page = await client.get("/maps/issues", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


async def test_a_program_is_told_no_and_not_sent_to_a_page(client: Client) -> None:
    for accept in ("application/json", "*/*"):
        answer = await client.get("/api/issues", headers={"Accept": accept})
        doors.refused(answer, 401, "not_signed_in")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_cookies_say_whom_they_are_for(client: Client) -> None:
    answer = await sign_in(client)
    session, token = cookies(answer)["zoufang_session"].lower(), cookies(answer)["zoufang_csrf"].lower()
    for cookie in (session, token):
        assert "samesite=lax" in cookie
        assert "path=/" in cookie
        assert "max-age=43200" in cookie
        assert "domain" not in cookie
    assert "httponly" in session
    assert "httponly" not in token
    assert LEADER.token not in str(answer.headers)


async def test_over_tls_the_cookies_stay_on_tls(client: Client) -> None:
    answer = await client.post("https://testserver.local/sign-in", data={"token": LEADER.token, "next": MAP})
    assert all("secure" in cookie.lower() for cookie in cookies(answer).values())
    plain = await sign_in(client)
    assert not any("secure" in cookie.lower() for cookie in cookies(plain).values())


NO_TOKENS = [
    "",
    "x",
    "zf_410103_",
    MEMBER.token[:-1],
    MEMBER.token + "A",
    MEMBER.token.replace("410103", "110101"),
    MEMBER.token.replace("zf_", "zs_"),
    "zf_99999999999_" + "A" * 43,
    "zf_410103_" + "B" * 43,
    "令牌",
    "a\x00b",
]


@pytest.mark.parametrize("token", NO_TOKENS)
async def test_a_token_that_does_not_hold_is_told_on_the_page(shared: Client, token: str) -> None:
    answer = await shared.post("/sign-in", data={"token": token, "next": MAP})
    assert answer.status_code == 401
    assert "text/html" in answer.headers["content-type"]
    assert "令牌无效" in answer.text
    assert not answer.headers.get_list("set-cookie")
    header = {b"Authorization": f"Bearer {token}".encode()}
    assert (await shared.get("/api/issues", headers=header)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"token", b"token=&token=&next=", b"%ff=%ff", b"{}", b"token=%00&next=%00"])
async def test_a_form_of_nonsense_is_no_fault(shared: Client, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"):
        answer = await shared.post("/sign-in", content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500, kind
        assert not answer.headers.get_list("set-cookie")


async def test_spaces_around_a_pasted_token_are_forgiven(client: Client) -> None:
    assert (await client.post("/sign-in", data={"token": f" {LEADER.token}\n"})).status_code == 303


@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "evil.example",
        "",
        "/maps\r\nSet-Cookie: a=b",
    ],
)
async def test_nobody_is_sent_to_a_foreign_page(shared: Client, next_: str) -> None:
    answer = await sign_in(shared, next_=next_)
    shared.cookies.clear()
    assert (answer.status_code, answer.headers["location"]) == (303, MAP)
    assert set(cookies(answer)) == {"zoufang_session", "zoufang_csrf"}
    page = await shared.get("/sign-in", params={"next": next_})
    assert f'value="{MAP}"' in page.text


@pytest.mark.parametrize("next_", ["/", "/maps/issues?text=%E5%9E%83%E5%9C%BE&group=overdue", "/maps/issues?text=垃圾"])
async def test_a_path_of_ours_is_gone_on_to(shared: Client, next_: str) -> None:
    answer = await sign_in(shared, next_=next_)
    shared.cookies.clear()
    location = urlsplit(answer.headers["location"])
    assert (location.scheme, location.netloc) == ("", "")
    assert httpx.URL(answer.headers["location"]) == httpx.URL(next_)


async def test_words_in_the_address_of_the_page_are_only_words(shared: Client) -> None:
    page = await shared.get("/sign-in", params={"next": '/"><img src=x onerror=alert(1)>', "lang": "<b>"})
    assert page.status_code == 200
    assert "<img" not in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize(
    ("site", "code"), [("cross-site", 403), ("same-site", 403), ("same-origin", 303), ("none", 303)]
)
async def test_a_foreign_form_signs_nobody_in(shared: Client, site: str, code: int) -> None:
    answer = await sign_in(shared, site=site)
    shared.cookies.clear()
    assert answer.status_code == code
    assert bool(answer.headers.get_list("set-cookie")) == (code == 303)


async def test_by_cookie_alone_nothing_is_changed(client: Client, conn: asyncpg.Connection) -> None:
    await sign_in(client, MEMBER)
    before = await doors.written(conn)
    forged: list[dict[str, str]] = [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": "é"}]
    for headers in forged:
        raw = {name.encode(): value.encode() for name, value in headers.items()}
        for path, body in (("/api/visits", drafts.visit()), ("/api/visits/batch", [drafts.visit()]), ("/sign-out", {})):
            doors.refused(await client.post(path, json=body, headers=raw), 403, "csrf")
    assert await doors.written(conn) == before
    assert (await client.post("/api/visits", json=drafts.visit(), headers=csrf(client))).status_code == 201


async def test_one_session_s_csrf_token_is_no_use_to_another(client: Client) -> None:
    await sign_in(client, LEADER)
    of_leader = csrf(client)
    client.cookies.clear()
    await sign_in(client, MEMBER)
    assert csrf(client) != of_leader
    doors.refused(await client.post("/api/visits", json=drafts.visit(), headers=of_leader), 403, "csrf")


async def test_a_token_in_the_header_needs_no_csrf_and_goes_before_the_cookie(client: Client) -> None:
    await sign_in(client, LEADER)
    draft = drafts.visit()
    await doors.file(client, MEMBER, draft)
    assert (await doors.read(client, LEADER, f"/api/visits/{draft['id']}"))["visit"]["member"]["id"] == str(MEMBER.id)
    assert await status(client, Authorization="Bearer nonsense") == 401, "a wrong header is not made good by a cookie"
    assert await status(client, Authorization=f"Basic {MEMBER.token}") == 401


async def test_a_cookie_is_no_token_and_a_token_no_cookie(client: Client) -> None:
    await sign_in(client)
    session = client.cookies["zoufang_session"]
    client.cookies.clear()
    assert await status(client, Authorization=f"Bearer {session}") == 401
    assert await status(client, Cookie=f"zoufang_session={LEADER.token}") == 401
    assert await status(client, Cookie=f"zoufang_session={session}") == 200


async def test_a_session_ends_with_the_day(client: Client, clock: TestClock) -> None:
    await sign_in(client)
    clock.forward(hours=11, minutes=59)
    assert await status(client) == 200
    clock.forward(minutes=1)
    assert await status(client) == 401


async def test_a_session_never_outlives_its_token(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    await conn.execute(
        "update access_token set expires_at = $3 where district = $1 and member = $2",
        DISTRICT,
        LEADER.id,
        clock() + timedelta(hours=1),
    )
    answer = await sign_in(client)
    assert "max-age=3600" in cookies(answer)["zoufang_session"].lower()
    clock.forward(hours=1)
    assert await status(client) == 401
    client.cookies.clear()
    assert (await sign_in(client)).status_code == 401


async def test_signing_out_ends_the_session_everywhere(client: Client) -> None:
    await sign_in(client)
    kept = client.cookies["zoufang_session"]
    answer = await client.post("/sign-out", headers=csrf(client))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert all("max-age=0" in cookie.lower() for cookie in cookies(answer).values())
    assert await status(client, Cookie=f"zoufang_session={kept}") == 401
    assert await status(client, **LEADER.headers) == 200, "the token itself holds"


async def test_a_token_taken_back_ends_its_sessions(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    await sign_in(client)
    await conn.execute(
        "update access_token set revoked_at = $3 where district = $1 and member = $2", DISTRICT, LEADER.id, clock()
    )
    assert await status(client) == 401
    assert await status(client, **LEADER.headers) == 401
    assert await status(client, **WORKER.headers) == 200


async def test_who_has_left_is_out(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    await sign_in(client)
    await conn.execute("update member set closed_at = $3 where district = $1 and id = $2", DISTRICT, LEADER.id, clock())
    assert await status(client) == 401
    client.cookies.clear()
    assert await status(client, **LEADER.headers) == 401
    assert (await sign_in(client)).status_code == 401


async def test_a_role_that_is_taken_away_is_gone_with_the_next_request(
    client: Client, conn: asyncpg.Connection
) -> None:
    draft = drafts.visit()
    await doors.file(client, MEMBER, draft)
    await sign_in(client)
    assert (await client.get(f"/api/visits/{draft['id']}")).status_code == 200
    await conn.execute("delete from member_role where district = $1 and member = $2", DISTRICT, LEADER.id)
    assert (await client.get(f"/api/visits/{draft['id']}")).status_code == 403


async def test_everybody_at_once_is_still_themselves(client: Client) -> None:
    filed = {who: drafts.visit(position=None) for who in PEOPLE}
    await asyncio.gather(*[doors.file(client, who, draft) for who, draft in filed.items()])
    pages, strangers = await asyncio.gather(
        asyncio.gather(*[doors.read(client, who, f"/api/visits/{filed[who]['id']}") for who in PEOPLE * 4]),
        asyncio.gather(*[status(client, Authorization=f"Bearer {MEMBER.token[:-1]}B") for _ in range(5)]),
    )
    for who, page in zip(PEOPLE * 4, pages, strict=True):
        assert page["visit"]["member"] == {"id": str(who.id), "name": who.name}
    assert strangers == [401] * 5


async def test_tokens_are_kept_only_as_digests(client: Client, conn: asyncpg.Connection) -> None:
    await sign_in(client)
    kept = await conn.fetch("select row_to_json(t)::text as row from access_token t union all"
                            " select row_to_json(s)::text from session s")  # fmt: skip
    secrets = [client.cookies["zoufang_session"], client.cookies["zoufang_csrf"], *(who.token for who in EVERYBODY)]
    assert len(kept) == len(EVERYBODY) + 1
    assert not [secret for secret in secrets for row in kept if secret in row["row"]]
