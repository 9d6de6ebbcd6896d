"""Bars on the terminal for work that takes long."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Report:
    """Called with a step's name, how much of it is done, and how much there is."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.steps: dict[str, TaskID] = {}

    def __call__(self, step: str, done: int, of: int) -> None:
        if step not in self.steps:
            self.steps[step] = self.bars.add_task(step, total=of)
        self.bars.update(self.steps[step], completed=done, total=of)


@contextmanager
def bars() -> Iterator[Report]:
    """One bar for each step that is reported; where stderr is no terminal, only the finished bars are written."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield Report(shown)
