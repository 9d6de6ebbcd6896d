"""The wheel, which the image installs, holds everything that the program reads when it runs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("api/static", "api/templates", "api/demo/sources", "migrations")


@pytest.mark.long
def test_the_wheel_holds_every_file_that_the_program_reads(tmp_path: Path) -> None:
    tools = ROOT / ".venv" / "build"
    assert tools.is_dir(), "the tools that build it are missing: run make .venv/.program"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT],
        check=True, env=os.environ | {"PYTHONPATH": str(tools)},
    )  # fmt: skip
    (wheel,) = tmp_path.glob("zoufang-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    read = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file() and path.name[0] != "."}
    assert {str(path.relative_to(ROOT)) for path in read if path.suffix != ".pyc"} <= held
    assert not any("node_modules" in name or name.startswith("tests/") for name in held)
