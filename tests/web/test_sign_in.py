"""The door: a token in, a session out, and on to where one wanted to go."""

import pytest

from tests.conftest import LEADER
from tests.web.conftest import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_visitor_is_shown_the_door_and_comes_out_where_they_wanted_to_go(visitor: Visitor) -> None:
    await visitor.sign_in("/maps/issues?urgency=normal#/list?group=overdue")
    assert visitor.page.url == f"{visitor.site}/maps/issues?urgency=normal#/list?group=overdue"
    await visitor.listed()


async def test_a_token_that_does_not_hold_is_told_and_can_be_mended(visitor: Visitor) -> None:
    await visitor.page.goto(visitor.site)
    await visitor.give_token(LEADER.token[:-1] + "B")
    assert "令牌无效" in await visitor.page.inner_text("[role=alert]")
    assert await visitor.page.input_value("#token") == ""
    await visitor.give_token(f"  {LEADER.token} ")
    await visitor.ready()


async def test_scripts_cannot_read_the_session(at_desk: Visitor) -> None:
    await at_desk.sign_in()
    cookies = {cookie["name"]: cookie for cookie in await at_desk.page.context.cookies()}
    assert cookies["zoufang_session"]["httpOnly"]
    assert cookies["zoufang_session"]["sameSite"] == "Lax"
    assert "zoufang_session" not in await at_desk.page.evaluate("document.cookie")


async def test_markup_in_the_next_address_stays_in_its_field(at_desk: Visitor) -> None:
    await at_desk.page.goto(at_desk.site + '/sign-in?next=/maps/issues?x="><script>window.ran=1</script>')
    assert "<script>" in await at_desk.page.locator("input[name=next]").first.input_value()


async def test_the_door_speaks_english_when_asked(at_desk: Visitor) -> None:
    await at_desk.page.goto(at_desk.site + "/sign-in")
    await at_desk.page.click("text=English")
    assert await at_desk.page.inner_text("button[type=submit]") == "Sign in"


async def test_leaving_closes_the_session(at_desk: Visitor) -> None:
    await at_desk.sign_in()
    await at_desk.page.click("text=退出")
    await at_desk.page.wait_for_selector("#account")
    await at_desk.page.goto(at_desk.site + "/maps/issues")
    await at_desk.page.wait_for_selector("#account")
