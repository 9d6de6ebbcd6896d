"""`zoufang members invite`: the slips as they are printed, read by a phone, and used at the door."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pypdfium2
import pytest
import zxingcpp

from api import invitation_slips, printed_pages
from api.cli.invitations import last_day
from api.printed_pages import PrintError
from surveys.access import invitations
from surveys.people import members
from tests.api.processes import Program
from tests.conftest import DISTRICT, EVERYBODY, MEMBER, MEMBER_BELOW, MEMBER_BESIDE, NOW, Client
from tests.entrances import PASSWORD, give_password

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

PUBLIC_URL = "https://visits.example"
OF_CODE = re.compile(r"410103(?:-[0-9A-HJKMNP-TV-Z]{4}){4}")
A4 = (595, 842)  # points


@pytest.fixture
def program(tmp_path: Path, dsn: str) -> Program:
    return Program(tmp_path / "data", DATABASE_URL=dsn, ZOUFANG_PUBLIC_URL=PUBLIC_URL)


def invited(program: Program, path: Path, *options: str) -> str:
    """What the command says, which is never a code."""
    done = program.run("members", "invite", "--district", str(DISTRICT), "-o", str(path), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not OF_CODE.search(done.stdout + done.stderr)
    return done.stderr


def refusal(program: Program, path: Path, *options: str) -> str:
    done = program.run("members", "invite", "--district", str(DISTRICT), "-o", str(path), *options)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert list(path.parent.glob(f"{path.stem}*")) == []
    return done.stderr


def pages(path: Path) -> list[str]:
    """The text of each page; all of them are A4."""
    with pypdfium2.PdfDocument(path) as document:
        assert {tuple(round(side) for side in page.get_size()) for page in document} == {A4}
        return [page.get_textpage().get_text_range() for page in document]


def scanned(path: Path) -> list[str]:
    """What a phone reads from the QR codes, page by page."""
    found = []
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            picture = page.render(scale=2).to_pil()
            found += [one.text for one in zxingcpp.read_barcodes(picture)]
    return found


async def test_every_slip_can_be_scanned_and_typed_and_no_code_is_kept(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "slips.pdf"
    assert f"{len(EVERYBODY)} slips" in invited(program, path)
    assert path.stat().st_mode & 0o777 == 0o600
    links = scanned(path)
    assert len(set(links)) == len(EVERYBODY)
    assert all(OF_CODE.fullmatch(link.removeprefix(f"{PUBLIC_URL}/first-access#")) for link in links)

    texts = pages(path)
    printed = OF_CODE.findall("".join(texts))
    assert sorted(printed) == sorted(link.rsplit("#", maxsplit=1)[1] for link in links), "what is typed is what is read"
    assert sum("当面交给本人" in text for text in texts) == 3, "a page for each organisation"
    everything = "".join(texts)
    for person in EVERYBODY:
        assert person.name in everything

    kept = str(await conn.fetch("select to_jsonb(h)::text from history h union all select to_jsonb(c)::text from"
                                " one_time_code c"))  # fmt: skip
    assert not any(one in kept for one in printed)


async def test_the_code_on_somebody_s_slip_is_theirs(
    program: Program, client: Client, clock: Any, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """One organisation with one member: there is but one slip, and it lets in that one."""
    path = tmp_path / "slips.pdf"
    below = await conn.fetchval("select organisation from member where id = $1", MEMBER_BELOW.id)
    name = {one.organisation: one.path for one in await members.open_in(conn, DISTRICT, None)}[below]
    assert "1 slips" in invited(program, path, "--organisation", name)
    clock.now = datetime.now(NOW.tzinfo)
    (link,) = scanned(path)
    answer = await client.post(
        "/api/first-access", json={"code": link.rsplit("#", maxsplit=1)[1], "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["member"] == str(MEMBER_BELOW.id)


async def test_who_is_in_or_has_a_good_slip_is_not_invited_again_unless_asked(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await give_password(conn, MEMBER)
    now = datetime.now(NOW.tzinfo)
    asked = await invitations.to_invite(conn, DISTRICT, None, now, again=False)
    assert {one.id for one in asked} == {one.id for one in EVERYBODY} - {MEMBER.id}
    invited(program, tmp_path / "first.pdf")
    assert "--again" in refusal(program, tmp_path / "second.pdf")
    invited(program, tmp_path / "third.pdf", "--again")
    earlier, later = (scanned(tmp_path / name) for name in ("first.pdf", "third.pdf"))
    assert (len(earlier), len(later)) == (len(EVERYBODY) - 1, len(EVERYBODY))
    open_codes = "select count(*) from one_time_code where used_at is null and revoked_at is null"
    assert await conn.fetchval(open_codes) == len(EVERYBODY), "an earlier slip ends with the new one"


async def test_a_name_that_the_font_cannot_print_stops_everything(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await conn.execute("update member set name = '王\U000323ae' where id = $1", MEMBER_BESIDE.id)
    said = refusal(program, tmp_path / "slips.pdf")
    assert "U+323AE" in said
    assert MEMBER_BESIDE.number in said
    assert await conn.fetchval("select count(*) from one_time_code") == 0


def test_what_is_missing_is_said(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "slips.pdf"
    assert "没有这个组织" in refusal(program, path, "--organisation", "没有/这个")
    no_font = tmp_path / "no.ttf"
    no_font.write_bytes(b"no font")
    program.environment["ZOUFANG_FONT"] = str(no_font)
    assert "no.ttf is no font" in refusal(program, path)
    del program.environment["ZOUFANG_PUBLIC_URL"]
    assert "ZOUFANG_PUBLIC_URL" in refusal(program, path)


def test_without_a_chinese_font_the_debian_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed_pages, "FAMILIES", ("Nobody's Font",))
    with pytest.raises(PrintError, match="fonts-noto-cjk"):
        printed_pages.font(None)


async def test_a_file_that_cannot_be_written_issues_no_code(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    there = tmp_path / "there.pdf"
    there.write_text("kept")
    done = program.run("members", "invite", "--district", str(DISTRICT), "-o", str(there))
    assert "not overwritten" in done.stderr
    assert there.read_text() == "kept"
    assert "cannot be made" in refusal(program, tmp_path / "nowhere" / "slips.pdf")
    assert await conn.fetchval("select count(*) from one_time_code") == 0


async def test_files_hold_whole_organisations_and_not_too_many_slips(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation_slips, "MOST_IN_A_FILE", 2)
    everybody = await members.open_in(conn, DISTRICT, None)
    parts = invitation_slips.parts(everybody)
    assert [one for part in parts for one in part] == everybody
    places: list[Mapping[str, None]] = [dict.fromkeys(one.path for one in part) for part in parts]
    assert len(parts) > 1
    assert len([place for part in places for place in part]) == len({one.path for one in everybody})


def test_a_slip_is_good_until_the_end_of_its_day_where_the_district_is() -> None:
    until = last_day(datetime.fromisoformat("2026-11-23T17:00:00+00:00"), 14, ZoneInfo("Asia/Shanghai"))
    assert until.isoformat() == "2026-12-08T00:00:00+08:00"
    assert printed_pages.day(until) == "2026年12月8日"
