"""The phone client's files: compressed once, kept for as long as they may be, and bound to reach nobody else."""

import gzip
import runpy
from pathlib import Path

import pytest

from api import pages, phone_client
from tests.conftest import Client

PHONE = Path(phone_client.__file__).parent / "phone"


async def test_the_app_is_there_for_everybody(shared: Client) -> None:
    page = await shared.get("/phone/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    assert (await shared.get("/phone")).headers["location"] == "/phone/"


async def test_it_runs_no_script_but_ours(shared: Client) -> None:
    page = await shared.get("/phone/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["connect-src"] == "'self'"
    assert "<script>" not in page.text


async def test_scripts_are_kept_for_ever_and_the_worker_never_unasked(shared: Client) -> None:
    script = next(name for name in phone_client.files() if name.startswith("assets/") and name.endswith(".js"))
    assert "immutable" in (await shared.get(f"/phone/{script}")).headers["cache-control"]
    worker = await shared.get("/phone/sw.js")
    assert worker.headers["cache-control"] == "no-cache"
    assert worker.headers["service-worker-allowed"] == "/phone/"
    manifest = await shared.get("/phone/manifest.webmanifest")
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    assert manifest.json()["scope"] == "/phone/"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("", None)],
)
async def test_what_travels_was_compressed_once(shared: Client, accepted: str, encoding: str | None) -> None:
    name, file = max(phone_client.files().items(), key=lambda named: len(named[1].forms[""]))
    async with shared.stream("GET", f"/phone/{name}", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert raw == file.forms[encoding or ""]
    assert encoding != "gzip" or gzip.decompress(raw) == file.forms[""]


async def test_a_kept_copy_is_not_sent_again(shared: Client) -> None:
    etag = (await shared.get("/phone/")).headers["etag"]
    again = await shared.get("/phone/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", ".stamp", "assets/", "index.html.br", "nothing.js"])
async def test_nothing_else_is_served(shared: Client, path: str) -> None:
    assert (await shared.get(f"/phone/{path}")).status_code == 404


def test_no_built_file_names_a_host_from_which_something_would_be_loaded() -> None:
    for name, file in phone_client.files().items():
        if name.endswith(".css"):
            assert b"//" not in file.forms[""].replace(b"data:", b"").split(b"base64,")[0], name
            assert b"url(//" not in file.forms[""], name
            assert b"url(http" not in file.forms[""], name


def test_what_the_phone_knows_of_the_api_is_what_the_api_is() -> None:
    known = runpy.run_path(str(PHONE / "openapi.py"))
    assert known["written"](known["document"]()) == (PHONE / "openapi.json").read_text(), "run `make phone-types`"


def test_a_client_that_was_not_built_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(phone_client, "BUILT", tmp_path)
    phone_client.files.cache_clear()
    with pytest.raises(pages.PagesNotBuilt, match="pip install"):
        phone_client.files()
    phone_client.files.cache_clear()
