"""A process of its own that makes one spreadsheet or GeoPackage, so that who files a visit meanwhile does not wait.

`python -m api.export_files PATH` reads from its input one line of JSON for the plan and one for each part of the
rows, and writes the file."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from maps import exports
from maps.exports import Cell, Column

POLITE = 10  # of 19: whatever else the machine has to do goes first


class Plan(Struct, frozen=True):
    """What to make: a worksheet of this name, or a GeoPackage when it has none."""

    columns: list[Column]
    sheet: str | None = None


def main() -> None:
    """Make the file named by the first argument."""
    os.nice(POLITE)
    path, lines = Path(sys.argv[1]), sys.stdin.buffer
    plan = msgspec.json.decode(lines.readline(), type=Plan)
    if plan.sheet is None:
        exports.write_geopackage(path, plan.columns, _parts(lines))
    else:
        exports.write_workbook(path, plan.sheet, plan.columns, _parts(lines))


def _parts(lines: Any) -> Iterator[Sequence[Sequence[Cell]]]:
    for line in lines:
        yield msgspec.json.decode(line)


if __name__ == "__main__":
    main()
