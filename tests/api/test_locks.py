"""The lock files pin everything by its hash, and name no host: they hold wherever packages come from."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def entries(lock: Path) -> dict[str, str]:
    """Each requirement's text with its hashes, by its name and marker."""
    joined = lock.read_text().replace("\\\n", " ")
    return {line.split("--hash")[0].strip(): line for line in joined.splitlines() if line.strip()}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[ ;<>=\[~!]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def test_there_are_locks_to_look_at() -> None:
    assert [lock.name for lock in LOCKS] == ["requirements-build.lock", "requirements-dev.lock", "requirements.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_hash_and_no_host_is_named(lock: Path) -> None:
    assert "://" not in lock.read_text()
    for requirement, text in entries(lock).items():
        assert "==" in requirement
        assert "--hash=sha256:" in text


def test_the_pages_lock_names_no_host() -> None:
    text = (ROOT / "api/web/package-lock.json").read_text()
    assert '"resolved"' not in text
    packages = json.loads(text)["packages"]
    assert all("integrity" in package for path, package in packages.items() if path and not package.get("link"))


def test_what_the_project_names_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, development, build = (
        names(list(entries(ROOT / f"requirements{kind}.lock"))) for kind in ("", "-dev", "-build")
    )
    assert names(project["project"]["dependencies"]) <= runtime <= development
    assert names(project["dependency-groups"]["dev"]) <= development
    assert names(project["build-system"]["requires"]) <= build


def test_the_tests_run_on_the_versions_that_are_installed() -> None:
    runtime, development = (entries(ROOT / f"requirements{kind}.lock").keys() for kind in ("", "-dev"))
    assert runtime <= development
