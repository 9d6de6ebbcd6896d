"""What a bench tells: a figure, the ceiling measured beside it, and what is wanted of either."""

from collections.abc import Iterable

from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Figure(Struct, frozen=True, kw_only=True):
    """One line of the table; `ratio` is how much of the ceiling was reached, 1 being all of it."""

    what: str
    figure: str
    ceiling: str = ""
    ratio: float | None = None
    wanted: str = ""
    met: bool | None = None


def show(figures: Iterable[Figure]) -> None:
    """Print the table."""
    table = Table("what", "figure", "ceiling", "ratio", "wanted", "met", title="Figures beside their ceilings")
    for one in figures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        met = {None: "", True: "yes", False: "NO"}[one.met]
        table.add_row(one.what, one.figure, one.ceiling, ratio, one.wanted, met)
    Console(width=160).print(table)
