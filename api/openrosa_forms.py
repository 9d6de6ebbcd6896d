"""The plain visit form as an XForm, made once by pyxform while the program serves."""

import asyncio
from functools import cache

from surveys.collect import visit_form


async def plain() -> str:
    """The visit form without a questionnaire."""
    return await asyncio.to_thread(_plain)


@cache
def _plain() -> str:
    from pyxform.xls2xform import convert  # only who has Collect asks for it, and it takes its time to be loaded

    made: str = convert(visit_form.workbook()).xform
    return made
