"""What axe-core finds wrong with a page, by WCAG 2.2 AA; and what a finger would miss."""

from pathlib import Path

from playwright.async_api import Page

AXE = Path(__file__).parents[2] / "api" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """
async () => (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }))
  .violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`))
"""
# What stands in a sentence may be as small as the sentence.
SMALL = """
() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  .filter((one) => one.checkVisibility() && !one.closest('p, td, th, dd, li > span, .leaflet-control, .small'))
  .map((one) => [one, (one.labels?.[0] ?? one).getBoundingClientRect(), one.getBoundingClientRect()])
  .filter(([, label, own]) => Math.max(label.height, own.height) < 43.5 && own.width > 1)
  .map(([one, , own]) => `${Math.round(own.width)}×${Math.round(own.height)} ${one.outerHTML.slice(0, 120)}`)
"""
# What is still fading in has a contrast that nobody reads it at; what turns for as long as one waits has no end.
AT_REST = """
() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() => Promise.all(
  document.getAnimations().filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
    .map((one) => one.finished.catch(() => null))).then(() => null))
"""
WIDE = """
() => document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1 ? [] :
  [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map((one) => one.outerHTML.slice(0, 120)).slice(-3)
"""


async def violations(page: Page) -> list[str]:
    """What is wrong with the page as it is shown now: by axe's rules, for fingers, and for a narrow screen."""
    await page.wait_for_load_state()
    await page.evaluate(AT_REST)
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(RUN)
    found += [f"too small: {one}" for one in await page.evaluate(SMALL)]
    return found + [f"runs over the edge: {one}" for one in await page.evaluate(WIDE)]
