"""What tests of the desk's lists look at: two screens, and a page that is kept as a picture when nothing is wrong."""

import os
from typing import Any

from tests.web.accessible import violations
from tests.web.conftest import Visitor

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen

SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "desk": {"viewport": {"width": 1366, "height": 768}},
}


async def looked_at(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that everybody can use it."""
    await visitor.page.wait_for_load_state()
    if PICTURES:
        width = visitor.page.viewport_size["width"] if visitor.page.viewport_size else 0
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
    found = await violations(visitor.page)
    assert found == [], found
