"""Printed slips with which members get in for the first time: a PDF of A4 sheets with a QR code for each."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from api import printed_pages
from api.printed_pages import Job, day
from surveys.people.members import Member

TEMPLATE = Path(__file__).parent / "templates" / "invitations.typ"
MOST_IN_A_FILE = 2_000  # slips; setting them takes half a gigabyte


class Sheet(Struct, frozen=True, kw_only=True):
    """What stands on every slip: where to go, from when and until when, and the least length of a password."""

    address: str
    district: str
    made: datetime
    until: datetime
    shortest: int


def refuse_missing_glyphs(found: printed_pages.Font, members: Sequence[Member]) -> None:
    """Raises PrintError with what the font cannot print of members' names, and whose they are."""
    printed_pages.refuse_missing_glyphs(
        found, {f"member {member.number}": f"{member.name}{member.number}{member.path}" for member in members}
    )


def parts(members: Sequence[Member]) -> list[list[Member]]:
    """The members by files, none of which takes more memory than a small machine has; organisations stay whole."""
    found: list[list[Member]] = [[]]
    for _, group in groupby(members, key=lambda member: member.path):
        organisation = list(group)
        if found[-1] and len(found[-1]) + len(organisation) > MOST_IN_A_FILE:
            found.append([])
        found[-1] += organisation
    return found


def jobs(path: Path | None, sheet: Sheet, files: Sequence[Sequence[Member]], codes: Mapping[UUID, str]) -> list[Job]:
    """What makes each file."""
    return [
        Job(pdf, (path, sheet, members, [codes[member.id] for member in members]), len(members)) for members in files
    ]


def pdf(path: Path | None, sheet: Sheet, members: Sequence[Member], codes: Sequence[str]) -> bytes:
    """The slips of these members, each organisation's behind a page of its own. Raises PrintError."""
    found = printed_pages.font(path)
    organisations = []
    for place, group in groupby(zip(members, codes, strict=True), key=lambda one: one[0].path):
        slips = [
            {
                "name": member.name,
                "number": member.number,
                "code": code,
                "qr": printed_pages.qr_code(f"{sheet.address}#{code}"),
            }
            for member, code in group
        ]
        names = place.split("/")
        organisations.append({"path": " / ".join(names), "name": names[-1], "slips": slips})
    everything = {
        "font": found.family,
        "address": sheet.address.removeprefix("https://"),
        "district": sheet.district,
        "made": day(sheet.made),
        "until": day(sheet.until),
        "shortest": sheet.shortest,
        "organisations": organisations,
    }
    inputs = {"all": json.dumps(everything, ensure_ascii=False)}
    return printed_pages.compiled(TEMPLATE.read_bytes(), found, inputs)
