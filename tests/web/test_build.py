"""How the pages come to be: from what the lock names, only when something has changed, and from no host by name."""

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from api import pages

WEB = Path(pages.__file__).parent / "web"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The build hook, with hatchling's base class stood in for: it lies in the build's environment alone."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = dict  # type: ignore[attr-defined]
    for name in ("hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    return runpy.run_path(str(WEB / "build_hook.py"))


@pytest.fixture
def tree(tmp_path: Path, hook: dict[str, Any]) -> Path:
    """A small copy of what the hook looks at."""
    for part in (hook["PAGES"], hook["PHONE"]):
        folder = tmp_path / "api" / part.folder
        (folder / "src").mkdir(parents=True)
        for source in part.sources:
            if source == "public":
                (folder / source).mkdir()
            elif source != "src":
                (folder / source).resolve().write_text(source)
        (folder / "src" / "map.ts").write_text("one")
    return tmp_path


def built(hook: dict[str, Any], root: Path) -> list[str]:
    """What the hook builds when it is called once more."""
    parts: list[str] = []

    def build(api: Path, part: Any) -> None:
        parts.append(part.folder)
        (api / part.output).mkdir(exist_ok=True)
        (api / part.output / part.whole).write_text("{}")

    run = hook["PagesBuildHook"].initialize
    run.__globals__["build"] = build
    run(SimpleNamespace(root=str(root), app=SimpleNamespace(display_info=lambda text: None)), "standard", {})
    return parts


def test_an_unchanged_tree_is_built_once(hook: dict[str, Any], tree: Path) -> None:
    assert built(hook, tree) == ["web", "phone"]
    assert built(hook, tree) == []


@pytest.mark.parametrize(("folder", "whole"), [("web", "static/assets.json"), ("phone", "static_phone/index.html")])
def test_whatever_changes_is_built_again_and_nothing_else(
    hook: dict[str, Any], tree: Path, folder: str, whole: str
) -> None:
    built(hook, tree)
    for change in ("src/map.ts", "package-lock.json", "vite.config.js"):
        (tree / "api" / folder / change).write_text("two")
        assert built(hook, tree) == [folder], change
    (tree / "api" / folder / "src" / "new.css").write_text("")
    assert built(hook, tree) == [folder]
    (tree / "api" / whole).unlink()
    assert built(hook, tree) == [folder]


def test_what_both_are_made_of_builds_the_phone_client_again(hook: dict[str, Any], tree: Path) -> None:
    built(hook, tree)
    (tree / "api" / "web" / "src" / "tokens.css").write_text("another tea")
    assert built(hook, tree) == ["web", "phone"]
    (tree / "api" / "phone" / "openapi.json").write_text("another field")
    assert built(hook, tree) == ["phone"]


@pytest.mark.parametrize("folder", ["web", "phone"])
def test_the_lock_names_no_host_and_a_digest_for_each_package(folder: str) -> None:
    text = (WEB.parent / folder / "package-lock.json").read_text()
    assert "http:" not in text
    assert "https:" not in text
    packages = json.loads(text)["packages"]
    assert all(package.get("integrity") for path, package in packages.items() if path)


def test_pages_that_were_not_built_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    pages._assets.cache_clear()
    with pytest.raises(pages.PagesNotBuilt, match="pip install"):
        pages.asset("map.js")
    pages._assets.cache_clear()
