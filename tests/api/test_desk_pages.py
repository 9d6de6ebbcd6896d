"""The desk's lists as pages: in both languages, and with addresses that say no more than what was asked."""

import pytest

from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, MEMBER, Client

pytestmark = pytest.mark.anyio

PAGES = (
    "/desk/places",
    "/desk/visits",
    "/desk/cards",
    "/desk/categories",
    "/desk/limits",
    "/desk/imports",
    "/desk/imports?kind=holidays",
    "/desk/views",
)


async def test_every_list_has_a_page_in_both_languages(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(client, MEMBER, draft)
    for path in (*PAGES, f"/desk/visits/{draft['id']}"):
        for language in ("zh", "en"):
            mark = "&" if "?" in path else "?"
            answer = await client.get(f"{path}{mark}lang={language}", headers=ADMINISTRATOR.headers)
            assert answer.status_code == 200, (path, language, answer.text[:300])


@pytest.mark.parametrize("path", ["/desk/visits", "/desk/places", "/desk/cards", "/desk/categories"])
async def test_what_a_form_leaves_blank_is_not_in_the_address(shared: Client, path: str) -> None:
    blank = await shared.get(f"{path}?text=&state=%20&kind=", headers=ADMINISTRATOR.headers)
    assert (blank.status_code, blank.headers["location"]) == (303, path)


@pytest.mark.parametrize("path", ["/desk/visits?colour=red", "/desk/cards?state=lost", "/desk/imports?kind=streets"])
async def test_a_filter_that_does_not_fit_is_refused(shared: Client, path: str) -> None:
    assert (await shared.get(path, headers=ADMINISTRATOR.headers)).status_code == 422
