"""How long until the leader's map shows shapes, rings and numbers in a browser that has nothing of it yet, and how many
bytes come over the wire until then."""

import time
from statistics import median

from playwright.async_api import Browser, async_playwright

from tests.bench import district
from tests.bench.figures import Figure
from tests.web.conftest import CHROMIUM, QUIET

REPEATS = 6
LONGEST_MS = 2_000.0
MOST_BYTES = 500_000
SCREEN = {"width": 1440, "height": 900}


async def measure(address: str, issues: int) -> list[Figure]:
    """Open the map with an empty cache, again and again; the first fills what the program keeps."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        shown = [await _opened(browser, address, "/maps/issues", "body[data-ready]") for _ in range(REPEATS)]
        bare = [await _opened(browser, address, "/api/communities.geojson", "body") for _ in range(REPEATS)]
        await browser.close()
    took, ceiling = median(ms for ms, _ in shown[1:]), median(ms for ms, _ in bare[1:])
    size = max(size for _, size in shown)
    return [
        Figure(
            what=f"the map's first picture in Chromium, {issues:,} issues",
            figure=f"{took:,.0f} ms",
            ceiling=f"{ceiling:,.0f} ms, the boundaries as text in the same browser",
            ratio=ceiling / took,
            wanted=f"< {LONGEST_MS:,.0f} ms",
            met=took < LONGEST_MS,
        ),
        Figure(
            what="bytes over the wire until then",
            figure=f"{size / 1_000:,.0f} KB",
            wanted=f"< {MOST_BYTES / 1_000:,.0f} KB",
            met=size < MOST_BYTES,
        ),
    ]


async def _opened(browser: Browser, address: str, path: str, ready: str) -> tuple[float, float]:
    """Milliseconds until it is ready in a fresh window, and the bytes that came."""
    context = await browser.new_context(viewport=SCREEN)  # type: ignore[arg-type]
    context.set_default_timeout(120_000)  # the first time, the district's boundaries are drawn
    await context.request.post(f"{address}/sign-in", form={"token": district.token(0)}, max_redirects=0)
    page = await context.new_page()
    wire = await context.new_cdp_session(page)
    await wire.send("Network.enable")
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    started = time.perf_counter()
    await page.goto(address + path)
    await page.wait_for_selector(ready)
    took = (time.perf_counter() - started) * 1_000
    await context.close()
    return took, sum(sizes)
