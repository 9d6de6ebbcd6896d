"""`zoufang cards`: sheets as they are printed and scanned, cards listed and revoked from the command line."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import pypdfium2
import pytest
import zxingcpp

from surveys.contact_cards import card_numbers, contact_cards
from tests.api.processes import Program
from tests.conftest import BELOW, DISTRICT, MEMBER, MEMBER_BELOW, MEMBER_BESIDE, ORGANISATION

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

PUBLIC_URL = "https://visits.example"
LINK = re.compile(rf"{PUBLIC_URL}/card#{DISTRICT}\.([A-Za-z0-9_-]{{22}})\.(FW-\d{{6}}-[0-9A-Z])")
NUMBER = re.compile(r"[A-Z]{1,4}-[0-9]{6}-[0-9A-Z]")
A4 = (595, 842)  # points


@pytest.fixture
def program(tmp_path: Path, dsn: str) -> Program:
    return Program(tmp_path / "data", DATABASE_URL=dsn, ZOUFANG_PUBLIC_URL=PUBLIC_URL)


def made(program: Program, path: Path, *options: str) -> str:
    """What the command says, which is never a token."""
    done = program.run("cards", "make", "--district", str(DISTRICT), "-o", str(path), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "#" not in done.stdout + done.stderr
    return done.stderr


def refusal(program: Program, path: Path, *options: str) -> str:
    done = program.run("cards", "make", "--district", str(DISTRICT), "-o", str(path), *options)
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
            found += [one.text for one in zxingcpp.read_barcodes(page.render(scale=2.5).to_pil())]
    return found


async def test_every_card_can_be_scanned_and_no_token_is_kept(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "cards.pdf"
    said = made(program, path, "--organisation", "第一支部", "--member", MEMBER.number, "--count", "13")
    assert "13 cards" in said
    assert path.stat().st_mode & 0o777 == 0o600
    links = [LINK.fullmatch(link) for link in scanned(path)]
    assert len(links) == 13
    assert all(links)
    tokens = {link[1] for link in links if link}
    assert len(tokens) == 13

    kept = await conn.fetch("select number, digest, member, service_name from contact_card order by number")
    assert {row["number"]: row["digest"] for row in kept} == {
        link[2]: contact_cards.token_digest(DISTRICT, link[1]) for link in links if link
    }
    assert {(row["member"], row["service_name"]) for row in kept} == {(MEMBER.id, MEMBER.name)}
    texts = pages(path)
    assert len(texts) == 4, "two sheets, each with its back"
    numbers = [card_numbers.numbered("FW", at + 1) for at in range(13)]
    assert sorted(set(NUMBER.findall("".join(texts)))) == [row["number"] for row in kept] == numbers
    assert texts[0].count(MEMBER.name) >= 10
    assert texts[1].count("我们的承诺") == 10
    assert texts[3].count("我们的承诺") == 3
    everything = str(await conn.fetch("select to_jsonb(h)::text from history h union all select to_jsonb(c)::text from"
                                      " contact_card c"))  # fmt: skip
    assert not any(token in everything for token in tokens)
    assert await conn.fetchval("select count(*) from history where kind = 'card' and event = 'make'") == 13


def test_a_card_that_lies_left_in_front_lies_right_behind(program: Program, tmp_path: Path) -> None:
    """Printed on both sides along the long edge, each back is behind its front, on a sheet that is not full too."""
    path = tmp_path / "cards.pdf"
    made(program, path, "--organisation", "第一支部", "--count", "1")
    with pypdfium2.PdfDocument(path) as document:
        front, back = (page.get_textpage() for page in document)
        width = A4[0]
        number = front.search("卡号").get_next()
        promise = back.search("我们的承诺").get_next()
        assert number is not None
        assert promise is not None
        assert front.get_charbox(number[0])[2] < width / 2 < back.get_charbox(promise[0])[0]


async def test_what_the_district_says_is_printed(program: Program, conn: asyncpg.Connection, tmp_path: Path) -> None:
    promise = tmp_path / "promise.txt"
    promise.write_text("有事找我们。\n三天给回话。\n")
    options = ("--series", "EQ", "--hotline", "0371-12345678", "--promise", str(promise))
    done = program.run("cards", "terms", "--district", str(DISTRICT), *options)
    assert done.returncode == 0, done.stderr
    own = ("--organisation", "第一支部", "--hotline", "0371-87654321")
    assert program.run("cards", "terms", "--district", str(DISTRICT), *own).returncode == 0
    path = tmp_path / "cards.pdf"
    made(program, path, "--organisation", str(BELOW), "--count", "1", "--service-name", "红色物业服务队")
    front, back = pages(path)
    assert "EQ-000001-" in front
    assert "0371-87654321" in front, "that of the organisation above"
    assert "红色物业服务队" in front
    assert "三天给回话。" in back


async def test_nothing_is_made_unless_the_file_is_whole(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    there = tmp_path / "there.pdf"
    there.write_text("kept")
    done = program.run("cards", "make", "--district", str(DISTRICT), "--organisation", "第一支部", "-o", str(there))
    assert "not overwritten" in done.stderr
    assert there.read_text() == "kept"
    own = ("--organisation", "第一支部")
    assert "cannot be made" in refusal(program, tmp_path / "nowhere" / "cards.pdf", *own)
    path = tmp_path / "cards.pdf"
    assert "U+323AE" in refusal(program, path, *own, "--service-name", "王\U000323ae")
    assert "没有这个组织" in refusal(program, path, "--organisation", "第九支部")
    assert "没有这名党员" in refusal(program, path, *own, "--member", MEMBER_BESIDE.number)
    assert "text" in refusal(program, path, *own, "--service-name", "长" * 41)
    await conn.execute("insert into number_series values ($1, 'card FW', 999999)", DISTRICT)
    assert "choose other letters" in refusal(program, path, *own, "--count", "2")
    assert await conn.fetchval("select count(*) from contact_card") == 0
    assert await conn.fetchval("select count(*) from history where kind = 'card'") == 0
    del program.environment["ZOUFANG_PUBLIC_URL"]
    assert "ZOUFANG_PUBLIC_URL" in refusal(program, path, *own)


async def test_an_organisation_s_name_that_two_have_is_not_guessed(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await conn.execute("update organisation set name = '第一支部' where id = $1", BELOW)
    path = tmp_path / "cards.pdf"
    made(program, path, "--organisation", "第一支部", "--count", "1")  # a path stands for the one at the top
    assert await conn.fetchval("select organisation from contact_card") == ORGANISATION
    await conn.execute("update organisation set name = '一' where id = $1", ORGANISATION)
    await conn.execute("insert into organisation (district, id, parent, name) select district, gen_random_uuid(), $1,"
                       " '第一支部' from organisation where id = $2", BELOW, BELOW)  # fmt: skip
    assert "同名组织" in refusal(program, tmp_path / "more.pdf", "--organisation", "第一支部")


async def test_cards_are_listed_and_revoked(program: Program, conn: asyncpg.Connection, tmp_path: Path) -> None:
    made(program, tmp_path / "a.pdf", "--organisation", "第一支部", "--count", "2")
    made(program, tmp_path / "b.pdf", "--organisation", str(BELOW), "--member", MEMBER_BELOW.number, "--count", "1")
    numbers = [card_numbers.numbered("FW", at) for at in (1, 2, 3)]

    def run(*words: str) -> Any:
        return program.run("cards", *words, "--district", str(DISTRICT))

    done = run("revoke", "--reason", "丢失", numbers[0].replace("-", "").lower())
    assert done.returncode == 0, done.stderr
    assert "looks like" in run("revoke", "--reason", "丢失", "x").stderr
    assert "look at the card again" in run("revoke", "--reason", "丢失", "FW-000002-0").stderr
    assert "已经停用" in run("revoke", "--reason", "丢失", numbers[0]).stderr
    everything = run("list").stdout
    assert [number for number in numbers if number in everything] == numbers
    assert numbers[2] in run("list", "--organisation", "第一小组").stdout
    assert numbers[0] not in run("list", "--state", "free").stdout
    reason = "select body->>'reason' from text_version join history on id = subject where kind = 'card'"
    assert await conn.fetchval(reason) == "丢失"
