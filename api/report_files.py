"""Briefs as files: what one is made of is gathered here, and set in a process of its own."""

from datetime import datetime
from pathlib import Path
from typing import cast

import asyncpg
import shapely

from api import report_sheets
from api.report_maker import Format, Maker, Shape, Wanted
from maps import boundaries
from surveys.people.people import District
from surveys.reports import report_templates
from surveys.reports.report_archive import Report
from surveys.reports.report_templates import Language
from surveys.reports.reports import MapFigures

MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


async def wanted(
    conn: asyncpg.Connection, district: District, report: Report, format_: Format, language: str, font: Path | None
) -> Wanted:
    """All that a file of a brief is made of."""
    template = None
    if format_ == "docx":
        template = await report_templates.content(conn, district.district, cast(Language, language))
    return Wanted(
        format=format_,
        language=language,
        sheet=report_sheets.sheet(report, district.zone, language),
        moment=report.figures.known_at,
        font=str(font) if font else None,
        shapes=await _shapes(conn, district.district, report.figures.map) if report.figures.map else [],
        template=template,
    )


async def _shapes(conn: asyncpg.Connection, district: int, map_: MapFigures) -> list[Shape]:
    """The communities on the boundaries of then."""
    version = map_.boundary_version
    found = await boundaries.load(conn, district, after=version - 1)
    areas = {area.code: area for one in found if one.version == version for area in one.areas}
    return [
        Shape(
            code=one.code,
            name=areas[one.code].name,
            street=(street, areas[one.code].street_name or street) if (street := areas[one.code].street) else None,
            outline=shapely.to_wkb(areas[one.code].geometry),
            value=one.open,
            figures=f"{one.open} / {one.overdue}",
        )
        for one in map_.areas
        if one.code in areas
    ]


def sample(language: str, template: bytes, moment: datetime) -> Wanted:
    """What tries a template: a brief that has something in every place."""
    return Wanted(
        format="docx", language=language, sheet=report_sheets.sample(language), moment=moment, template=template
    )


async def try_template(maker: Maker, language: str, template: bytes, moment: datetime) -> None:
    """Raises Invalid for a template that cannot be used."""
    await maker.make(sample(language, template, moment))


def name(report: Report, format_: Format) -> tuple[str, str]:
    """What a file is called: in ASCII, and as people call it."""
    figures = report.figures
    scope = figures.scope
    plain = f"brief-{figures.period}-{scope.kind}-{scope.code}-v{figures.version}.{format_}"
    return plain, f"{scope.name}-简报-{figures.period}-v{figures.version}.{format_}"
