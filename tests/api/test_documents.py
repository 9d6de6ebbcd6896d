"""The documents name every setting and every command, in both languages, and nothing that is not there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api import settings
from api.cli import main

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")


def commands(group: click.Group = main, prefix: str = "zoufang") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_is_explained_and_no_other(readme: str) -> None:
    text = (ROOT / readme).read_text()
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", text, flags=re.MULTILINE))
    assert explained == set(settings.descriptions())


@pytest.mark.parametrize("readme", READMES)
def test_every_command_is_explained_and_no_other(readme: str) -> None:
    text = (ROOT / readme).read_text()
    explained = set(re.findall(r"^\| `(zoufang [a-z ]+)` \|", text, flags=re.MULTILINE))
    assert explained == set(commands())


@pytest.mark.parametrize("readme", READMES)
def test_every_make_target_that_is_named_exists(readme: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / readme).read_text()))
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", [*READMES, "CHANGELOG.md", "api/README.md", "migrations/README.md"])
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    for link in links:
        if "://" not in link:
            assert (path.parent / link).exists(), link


def test_every_environment_variable_of_the_compose_file_is_a_setting() -> None:
    text = (ROOT / "compose.yaml").read_text()
    set_for_the_program = re.findall(r"^      (ZOUFANG_[A-Z_]+|[A-Z_]*DATABASE_URL):", text, flags=re.MULTILINE)
    assert set(set_for_the_program) - {"ZOUFANG_SITE"} <= set(settings.descriptions())


def rooms(of: str) -> list[str]:
    """The folders of modules within one, as `surveys/issues`."""
    return sorted(f"{of}/{file.parent.name}" for file in (ROOT / of).glob("*/__init__.py"))


@pytest.mark.parametrize("room", ["api", "surveys", *rooms("surveys")])
def test_a_room_s_list_has_every_file_in_it(room: str) -> None:
    listed = re.findall(
        r"`([a-z0-9_]+)`", ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or ""
    )
    assert sorted(listed) == sorted(file.stem for file in (ROOT / room).glob("*.py") if file.stem != "__init__")


def test_the_list_of_rooms_has_every_room_in_it() -> None:
    listed = re.findall(r"`([a-z_]+)/`", ast.get_docstring(ast.parse((ROOT / "surveys/__init__.py").read_text())) or "")
    assert sorted(f"surveys/{room}" for room in listed) == rooms("surveys")
