"""`zoufang report`: a past period as a file, once made always the same."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import docx
import pypdfium2
import pytest

from tests import briefs
from tests.api.processes import Program
from tests.conftest import DISTRICT, NEAR, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


@pytest.fixture
def program(tmp_path: Path, dsn: str) -> Program:
    return Program(tmp_path / "data", DATABASE_URL=dsn)


def written(program: Program, path: Path, *options: str) -> bytes:
    done = program.run("report", "-o", str(path), *options)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes()


def refusal(program: Program, path: Path, *options: str) -> str:
    done = program.run("report", "-o", str(path), *options)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


async def test_a_past_week_as_pdf_and_word(program: Program, conn: asyncpg.Connection, tmp_path: Path) -> None:
    await briefs.settle(conn, NOW - timedelta(hours=1))
    pdf = written(program, tmp_path / "a.pdf", "--period", briefs.WEEK)
    with pypdfium2.PdfDocument(pdf) as document:
        assert "二七区走访工作简报（周报）" in document[0].get_textpage().get_text_range()
    await briefs.settle(conn, NOW, [briefs.Fate() for _ in range(4)], first=30001)
    assert written(program, tmp_path / "b.pdf", "--period", briefs.WEEK, "--district", str(DISTRICT)) == pdf
    written(program, tmp_path / "c.docx", "--period", briefs.WEEK, "--scope", f"community:{NEAR}", "--lang", "en")
    first = docx.Document(str(tmp_path / "c.docx")).paragraphs[0].text
    assert first == "近邻社区: weekly brief on visits and issues"
    assert await conn.fetchval("select count(*) from report") == 2
    told = await conn.fetch("select event, actor_kind, actor from history where kind in ('report', 'export')")
    assert {(row["actor_kind"], row["actor"]) for row in told} == {("program", "report")}
    assert len(told) == 2 + 3


def test_what_cannot_be_is_said(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    assert "2026-11 | 2026-W48" in refusal(program, path, "--period", "November")
    assert "not over" in refusal(program, path, "--period", "2998-01")
    assert "没有这个区域" in refusal(program, path, "--period", "2026-10", "--scope", "community:1")
    assert "没有这个区" in refusal(program, path, "--period", "2026-10", "--district", "1")
    assert ".docx" in refusal(program, tmp_path / "a.txt", "--period", "2026-10")
    path.write_text("kept")
    assert "not overwritten" in refusal(program, path, "--period", "2026-10")
    assert path.read_text() == "kept"
