"""The page on which questionnaires are brought in, looked at, given out and withdrawn."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import shell
from api.campaign_pages import KINDS
from api.issues import refuse_unfit
from api.shipped_questionnaires import NAMES
from api.sign_in import NOT_KEPT
from api.xlsform_files import MOST_MEGABYTES
from surveys.people.people import District, Reader
from surveys.questionnaires import questionnaires
from surveys.questionnaires.questionnaire_fields import FieldType, said

# What a question takes, in Chinese and English.
TYPES: Mapping[FieldType, tuple[str, str]] = {
    "text": ("文字", "Text"),
    "integer": ("整数", "Whole number"),
    "decimal": ("数字", "Number"),
    "select_one": ("单选", "One of"),
    "select_multiple": ("多选", "Any of"),
    "date": ("日期", "Date"),
    "time": ("时间", "Time"),
    "dateTime": ("日期和时间", "Date and time"),
    "geopoint": ("位置", "Place"),
    "file": ("照片", "Photo"),
    "calculate": ("计算", "Calculated"),
    "repeat": ("重复组", "Repeat"),
}


@get("/questionnaires", include_in_schema=False)
async def questionnaires_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
) -> Template:
    """All questionnaires, and the form to bring one in."""
    refuse_unfit(request, ("lang",))
    context = _context(request, reader, district) | {
        "items": await questionnaires.every(conn, reader),
        "shipped": NAMES,
        "most": MOST_MEGABYTES,
    }
    return Template("questionnaires.html", context=context, headers=dict(NOT_KEPT))


@get("/questionnaires/{questionnaire:str}/{version:str}", include_in_schema=False)
async def questionnaire_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    questionnaire: FromPath[str],
    version: FromPath[str],
) -> Template:
    """The questions of one version."""
    refuse_unfit(request, ("lang",))
    stored = await questionnaires.stored(conn, reader, questionnaire, version)
    context = _context(request, reader, district) | {
        "one": await questionnaires.one(conn, reader, questionnaire),
        "version": stored[0],
        "types": TYPES,
    }
    return Template("questionnaire.html", context=context, headers=dict(NOT_KEPT))


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="campaigns"),
        "administrator": "administrator" in reader.roles(),
        "kinds": KINDS,
        "said": said,
    }


ROUTES = [questionnaires_page, questionnaire_page]
