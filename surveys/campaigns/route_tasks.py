"""What the process that divides doors is asked, and what it answers; the server never loads the solver itself."""

from msgspec import Struct


class Share(Struct, frozen=True):
    """What a member shall get: how many doors, and in the middle of which they hold already, if any."""

    doors: int
    near: tuple[float, float] | None = None


class Group(Struct, frozen=True):
    """Doors by longitude and latitude, and those among whom they are divided; their shares add up to the doors."""

    doors: list[tuple[float, float]]
    shares: list[Share]


class Task(Struct, frozen=True):
    """Groups to be divided, each on its own, within so many seconds for all."""

    groups: list[Group]
    seconds: float


class Progress(Struct, frozen=True):
    """How much of the time is used up: from 0 to 1."""

    done: float


class Answer(Struct, frozen=True):
    """For each group and each of its members the doors, by their places in the group, in walking order."""

    routes: list[list[list[int]]]
