"""Photos: taken in by what they are and not by what they are called, made anew, and shown to who sees their issue."""

import io
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from PIL import Image

from api.settings import Settings
from tests import doors, drafts, photographs
from tests.conftest import (
    ADMINISTRATOR,
    HANDLER,
    LEADER,
    MEMBER,
    OTHER_WORKER,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.doors import Answer
from tests.photographs import PDF, SCRIPT, SVG, photo, promised, sha256

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


def newest_maker() -> psutil.Process:
    """The process in which the program that was started last decodes pictures."""
    makers = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # one of another test's may just come to its end
            if "api.picture_maker" in child.cmdline():
                makers.append(child)
    return max(makers, key=lambda maker: maker.create_time())


@pytest.fixture(scope="module")
async def town(shared_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """The program for what looks only at its own issue."""
    data = tmp_path_factory.mktemp("town") / "data"
    async with serving(Settings(database_url=shared_dsn, data=data), TestClock()) as opened:
        yield opened


async def found(client: Client, *contents: bytes, **changes: Any) -> str:
    """An issue of which these photos are promised."""
    issue = drafts.issue(photos=[promised(content) for content in contents]) | changes
    await doors.file(client, MEMBER, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def send(client: Client, who: Person, thing: str, content: bytes, *, of: str = "issues") -> httpx.Response:
    path = f"/api/{of}/{thing}/photos/{sha256(content)}"
    return await client.put(path, content=content, headers=who.headers | {"Content-Type": "image/jpeg"})


async def sent(client: Client, content: bytes) -> tuple[str, Image.Image]:
    """What is shown of a photo that was taken in, and the issue that it belongs to."""
    issue = await found(client, content)
    assert doors.answered(await send(client, MEMBER, issue, content), 201) == {"sha256": sha256(content), "new": True}
    shown = await client.get(f"/api/issues/{issue}/photos/{sha256(content)}", headers=WORKER.headers)
    assert shown.status_code == 200
    return issue, Image.open(io.BytesIO(shown.content))


async def listed(client: Client, who: Person, issue: str, **params: Any) -> list[Answer]:
    items: list[Answer] = (await doors.read(client, who, f"/api/issues/{issue}/photos", **params))["items"]
    return items


def files(settings: Settings) -> list[Path]:
    """What lies in the folder of the attachments."""
    return sorted(path for path in (settings.data / "attachments").rglob("*") if path.is_file())


async def test_a_photo_comes_and_is_shown(client: Client, settings: Settings, conn: asyncpg.Connection) -> None:
    content = photo(exif=photographs.exif())
    issue, shown = await sent(client, content)
    assert (shown.format, shown.size) == ("JPEG", (640, 480))
    [item] = await listed(client, WORKER, issue)
    assert (item["sha256"], item["kind"], item["width"], item["height"]) == (sha256(content), "photo", 640, 480)
    answer = await client.get(f"/api/issues/{issue}/photos/{sha256(content)}/thumbnail", headers=WORKER.headers)
    assert Image.open(io.BytesIO(answer.content)).size == (320, 240)
    row = await conn.fetchrow("select * from attachment")
    assert row is not None
    [stored, thumbnail] = files(settings)
    assert (stored.name, sha256(stored.read_bytes())) == (row["sha256"].hex(), row["sha256"].hex())
    assert (stored.stat().st_size, thumbnail.stat().st_size) == (row["bytes"], row["thumbnail_bytes"])
    assert row["sha256"].hex() != sha256(content), "what is kept is not what came"
    assert (settings.data / "attachments").stat().st_mode & 0o077 == 0
    assert list((settings.data / "uploads").iterdir()) == [], "nothing of what came is left"


async def test_what_a_photo_says_of_its_taker_is_not_kept_and_its_place_is_a_hint(
    client: Client, settings: Settings, conn: asyncpg.Connection
) -> None:
    content = photo(exif=photographs.exif(), comment=SCRIPT)
    issue, shown = await sent(client, content)
    assert not shown.getexif()
    assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for path in files(settings):
        for trace in (b"Exif", photographs.OWNER.encode(), photographs.CAMERA.encode(), b"script"):
            assert trace not in path.read_bytes()
    [item] = await listed(client, WORKER, issue)
    assert (item["lon"], item["lat"]) == pytest.approx((photographs.LON, photographs.LAT))
    assert datetime.fromisoformat(item["taken_at"]) == datetime(2026, 11, 23, 3, 25, tzinfo=UTC)
    place = await conn.fetchrow("select lon, lat, position_source from issue")
    assert place is not None
    assert place["lon"] == drafts.NEAR_DOOR["lon"] or place["lon"] != item["lon"], "the issue stays where it was put"


async def test_a_time_without_a_zone_is_the_district_s(town: Client) -> None:
    issue, _ = await sent(town, photo(exif=photographs.exif(offset=None)))
    [item] = await listed(town, WORKER, issue)
    assert datetime.fromisoformat(item["taken_at"]) == datetime(2026, 11, 23, 3, 25, tzinfo=UTC)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_is_upright_however_the_phone_was_held(town: Client, orientation: int) -> None:
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what the phone did to the picture
    seen = photographs.picture()
    held = seen.transpose(Image.Transpose(turned[orientation])) if orientation > 1 else seen
    written = io.BytesIO()
    held.save(written, "JPEG", quality=95, exif=photographs.exif(orientation))
    _, shown = await sent(town, written.getvalue())
    assert shown.size == seen.size
    for corner in ((5, 5), (634, 5), (5, 474), (634, 474)):
        assert shown.getpixel(corner) == pytest.approx(seen.getpixel(corner), abs=12)


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("JPEG", {"mode": "L"}),
        ("JPEG", {"mode": "CMYK"}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("PNG", {"mode": "P"}),
        ("PNG", {"mode": "1"}),
        ("PNG", {"mode": "RGBA"}),
        ("PNG", {"mode": "LA"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True, "mode": "RGBA"}),
        ("MPO", {"save_all": True, "append_images": [photographs.picture(shade=200)]}),
        ("PNG", {"save_all": True, "append_images": [photographs.picture(shade=200)]}),
        ("WEBP", {"save_all": True, "append_images": [photographs.picture(shade=200)]}),
    ],
)
async def test_what_phones_send_is_taken_in(town: Client, form: str, more: dict[str, Any]) -> None:
    """Of a picture that moves, its first."""
    _, shown = await sent(town, photo(form=form, **more))
    assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (640, 480))
    assert getattr(shown, "n_frames", 1) == 1
    assert shown.getpixel((320, 240))[2] < 160  # type: ignore[index]


async def test_a_large_photo_is_made_smaller(town: Client) -> None:
    """One of 48 megapixels, as phones take them."""
    _, shown = await sent(town, photo(8_000, 6_000, quality=60))
    assert shown.size == (2_560, 1_920)


WRONG = {
    "svg": (SVG, "not_a_picture"),
    "html": (SCRIPT, "not_a_picture"),
    "gif": (photo(form="GIF"), "not_a_picture"),
    "tiff": (photo(form="TIFF"), "not_a_picture"),
    "bmp": (photo(form="BMP"), "not_a_picture"),
    "nothing but a beginning": (b"\xff\xd8\xff", "picture_broken"),
    "cut off": (photo()[:3_000], "picture_broken"),
    "cut off png": (photo(form="PNG", compress_level=0)[:50_000], "picture_broken"),
    "cut off webp": (photo(form="WEBP")[:-200], "picture_broken"),
    "cut off pdf": (PDF[:60], "picture_broken"),
    "40 megapixels of png": (photographs.png(8_000, 5_000), "picture_too_large"),
    "101 megapixels of jpeg": (b"", "picture_too_large"),
    "a head that lies": (photographs.png(4_000, 4_000, b"x" * 100), "picture_broken"),
    "a page that says it is a picture": (b"RIFF\x00\x00\x00\x00WEBP" + SCRIPT, "picture_broken"),
    "a text that swells": (photographs.wordy_bomb(), "picture_broken"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_no_photo_is_refused(town: Client, what: str) -> None:
    content, code = WRONG[what]
    if what.startswith("101"):
        content = photo(16, 16).replace(b"\x00\x10\x00\x10\x03", b"\x27\x60\x27\x60\x03")  # 10,080 × 10,080
    issue = await found(town, content)
    doors.refused(await send(town, MEMBER, issue, content), 422, code, "content")
    doors.refused(await send(town, MEMBER, issue, content), 422, code, "content")
    assert await listed(town, MEMBER, issue) == []


async def test_a_bomb_is_refused_before_memory_grows(client: Client, settings: Settings) -> None:
    content = photographs.bomb()
    assert len(content) < 1_000_000
    await sent(client, photo())  # the process that decodes is there now
    maker = newest_maker()
    before = maker.memory_info().rss
    issue = await found(client, content)
    problem = doors.refused(await send(client, MEMBER, issue, content), 422, "picture_too_large", "content")
    assert problem["facts"] == {"megapixels": 900, "most": 24}
    assert len(files(settings)) == 2, "the photo before it, and its thumbnail"
    assert list((settings.data / "uploads").iterdir()) == []
    assert maker.is_running()
    assert maker.memory_info().rss - before < 20 << 20
    assert maker.rlimit(psutil.RLIMIT_AS)[0] <= 1 << 30


async def test_a_page_in_a_photo_is_gone(client: Client, settings: Settings) -> None:
    content = photographs.polyglot()
    assert content.count(SCRIPT) == 2
    issue, _ = await sent(client, content)
    answer = await client.get(f"/api/issues/{issue}/photos/{sha256(content)}", headers=WORKER.headers)
    for kept in (answer.content, *(path.read_bytes() for path in files(settings))):
        assert b"script" not in kept
        assert b"onerror" not in kept


async def test_what_is_shown_never_runs(town: Client) -> None:
    content = photo()
    issue, _ = await sent(town, content)
    address = f"/api/issues/{issue}/photos/{sha256(content)}"
    for path in (address, f"{address}/thumbnail"):
        answer = await town.get(path, headers=WORKER.headers)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("inline; filename=")
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert "content-encoding" not in answer.headers
        again = await town.get(path, headers=WORKER.headers | {"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await town.get(path, headers=OTHER_WORKER.headers | {"If-None-Match": answer.headers["etag"]})
        assert other.status_code == 404, "not even that it is unchanged"


async def test_a_document_is_kept_as_it_came_and_only_downloaded(town: Client) -> None:
    issue = await found(town)
    evidence = drafts.move("accept", 1, evidence=[promised(PDF)])
    await doors.move(town, WORKER, issue, evidence)
    doors.answered(await send(town, WORKER, issue, PDF), 201)
    answer = await town.get(f"/api/issues/{issue}/photos/{sha256(PDF)}", headers=WORKER.headers)
    assert answer.content == PDF
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    [item] = await listed(town, WORKER, issue)
    assert (item["kind"], item["width"]) == ("document", None)
    thumbnail = await town.get(f"/api/issues/{issue}/photos/{sha256(PDF)}/thumbnail", headers=WORKER.headers)
    assert thumbnail.status_code == 404


async def test_only_what_was_promised_is_taken(town: Client) -> None:
    content, other = photo(), photo(shade=100)
    issue = await found(town, content)
    doors.refused(await send(town, MEMBER, issue, other), 422, "photo_not_promised", "sha256")
    wrong = await town.put(
        f"/api/issues/{issue}/photos/{sha256(content)}", content=other[: len(content)], headers=MEMBER.headers
    )
    doors.refused(wrong, 422, "photo_differs", "sha256")
    longer = await town.put(
        f"/api/issues/{issue}/photos/{sha256(content)}", content=content + b"x", headers=MEMBER.headers
    )
    doors.refused(longer, 413, "photo_too_large", "content")
    assert await listed(town, MEMBER, issue) == []


async def test_a_file_of_one_byte_too_many(dsn: str, tmp_path: Path, clock: TestClock) -> None:
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", attachment_megabytes=10)
    async with serving(settings, clock) as client:
        most = photo() + bytes(10_000_000 - len(photo()))
        issue = await found(client, most, most + b"x")
        doors.answered(await send(client, MEMBER, issue, most), 201)
        problem = doors.refused(await send(client, MEMBER, issue, most + b"x"), 413, "photo_too_large", "content")
        assert problem["facts"] == {"most": 10_000_000}


async def test_who_may_send_a_photo(town: Client) -> None:
    """Who promised it, and whoever works on the issue; who only reads it may not, and who does not even that is told
    nothing."""
    content = photo()
    for who in (MEMBER, WORKER, HANDLER, ADMINISTRATOR):
        issue = await found(town, content)
        doors.answered(await send(town, who, issue, content), 201)
    issue = await found(town, content)
    doors.refused(await send(town, LEADER, issue, content), 403, "not_allowed")
    doors.refused(await send(town, OTHER_WORKER, issue, content), 404, "not_found")
    other = await town.put(
        f"/api/issues/{issue}/photos/{sha256(content)}", content=content, headers=MEMBER.headers_in(110101)
    )
    doors.refused(other, 401, "not_signed_in")


async def test_evidence_comes_although_the_move_took_the_issue_away(town: Client) -> None:
    content = photo()
    issue = await found(town)
    away = drafts.move("accept", 1)
    await doors.move(town, WORKER, issue, away)
    given = drafts.move("assign", 2, to=str(STRANGER.id), evidence=[promised(content)])
    await doors.move(town, WORKER, issue, given)
    await doors.move(town, STRANGER, issue, drafts.move("accept", 3))
    elsewhere = drafts.move("correct", 4, reason="在那边", correction={"position": drafts.FAR_DOOR})
    await doors.move(town, STRANGER, issue, elsewhere)
    assert (await town.get(f"/api/issues/{issue}", headers=WORKER.headers)).status_code == 404
    doors.answered(await send(town, WORKER, issue, content), 201)
    assert len(await listed(town, STRANGER, issue)) == 1
    assert (await town.get(f"/api/issues/{issue}/photos", headers=WORKER.headers)).status_code == 404


async def test_a_photo_sent_twice_is_stored_once(client: Client, settings: Settings, conn: asyncpg.Connection) -> None:
    content = photo()
    first, second = await found(client, content), await found(client, content)
    doors.answered(await send(client, MEMBER, first, content), 201)
    assert doors.answered(await send(client, MEMBER, first, content), 200)["new"] is False
    doors.answered(await send(client, MEMBER, second, content), 201)
    assert len(files(settings)) == 2, "the photo and its thumbnail"
    assert await conn.fetchval("select count(*) from attachment") == 1
    events = await conn.fetch("select * from history where kind = 'attachment'")
    assert {event["facts"]["about"] for event in events} == {first, second}
    assert events[0]["facts"]["sent"] == sha256(content)
    assert events[0]["actor"] == str(MEMBER.id)


async def test_a_receipt_stops_asking_for_what_has_come(town: Client) -> None:
    content, other, own = photo(), photo(shade=100), photo(shade=50)
    issue = drafts.issue(photos=[promised(content), promised(other)])
    visit = drafts.visit(issues=[issue], photos=[promised(own)])
    await doors.file(town, MEMBER, visit)

    async def missing() -> list[str]:
        answer = await town.post("/api/receipts", json={"ids": [visit["id"]]}, headers=MEMBER.headers)
        found: list[str] = answer.json()["results"][0]["missing_photos"]
        return found

    assert await missing() == sorted(map(sha256, (content, other, own)))
    await send(town, MEMBER, issue["id"], content)
    assert await missing() == sorted(map(sha256, (other, own)))
    doors.answered(await send(town, MEMBER, visit["id"], own, of="visits"), 201)
    await send(town, MEMBER, issue["id"], other)
    assert await missing() == []


async def test_photos_of_a_visit_are_for_who_sees_the_visit(town: Client) -> None:
    content = photo()
    visit = drafts.visit(photos=[promised(content)])
    await doors.file(town, MEMBER, visit)
    doors.refused(await send(town, WORKER, visit["id"], content, of="visits"), 403, "not_allowed")
    doors.refused(await send(town, OTHER_WORKER, visit["id"], content, of="visits"), 404, "not_found")
    doors.answered(await send(town, MEMBER, visit["id"], content, of="visits"), 201)
    address = f"/api/visits/{visit['id']}/photos"
    assert [item["sha256"] for item in (await doors.read(town, WORKER, address))["items"]] == [sha256(content)]
    assert (await town.get(f"{address}/{sha256(content)}", headers=WORKER.headers)).status_code == 200
    for path in (address, f"{address}/{sha256(content)}", f"{address}/{sha256(content)}/thumbnail"):
        doors.refused(await town.get(path, headers=OTHER_WORKER.headers), 404, "not_found")


async def test_a_past_day_shows_what_had_come_by_then(client: Client, clock: TestClock) -> None:
    early, late = photo(), photo(shade=100)
    issue = await found(client, early, late)
    await send(client, MEMBER, issue, early)
    clock.forward(days=1)
    await send(client, MEMBER, issue, late)
    assert len(await listed(client, WORKER, issue)) == 2
    assert [item["sha256"] for item in await listed(client, WORKER, issue, as_of="2026-11-23")] == [sha256(early)]
    path = f"/api/issues/{issue}/photos/{sha256(late)}"
    assert (await client.get(path, headers=WORKER.headers)).status_code == 200
    then = await client.get(path, params={"as_of": "2026-11-23"}, headers=WORKER.headers)
    doors.refused(then, 404, "not_found")
    misspelt = await client.get(path, params={"as_off": "2026-11-23"}, headers=WORKER.headers)
    doors.refused(misspelt, 422, "unknown_field", "as_off")


@pytest.mark.parametrize("hash_", ["x", "00" * 31, "AB" * 32, "..%2f..%2fkeys.json", "00" * 32, "%00" * 64])
async def test_a_hash_that_is_none_finds_nothing(town: Client, hash_: str) -> None:
    issue = await found(town, photo())
    assert (await town.get(f"/api/issues/{issue}/photos/{hash_}", headers=WORKER.headers)).status_code == 404
    answer = await town.put(f"/api/issues/{issue}/photos/{hash_}", content=b"x", headers=MEMBER.headers)
    assert answer.status_code in (404, 422)


async def test_a_photo_whose_content_is_lost_is_said_to_be(client: Client, settings: Settings) -> None:
    content = photo()
    issue, _ = await sent(client, content)
    for path in files(settings):
        path.unlink()
    answer = await client.get(f"/api/issues/{issue}/photos/{sha256(content)}", headers=WORKER.headers)
    doors.refused(answer, 503, "storage_unavailable")


async def test_a_process_that_dies_takes_only_its_photo_along(client: Client) -> None:
    content = photo()
    await sent(client, photo(shade=9))
    maker = newest_maker()
    assert not {"DATABASE_URL", "ZOUFANG_KEYS"} & set(maker.environ())
    maker.kill()
    issue = await found(client, content)
    first = await send(client, MEMBER, issue, content)
    assert first.status_code in (201, 422)
    assert (await send(client, MEMBER, issue, content)).status_code in (200, 201)
    assert len(await listed(client, MEMBER, issue)) == 1
