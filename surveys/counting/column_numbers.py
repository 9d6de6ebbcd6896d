"""Numbers for values, so that a column of texts or ids is an array of small integers: 0 stands for none."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt


class UnknownValues(Exception):
    """A column has values whose numbers are not known yet."""


class Numbers:
    """The numbers that have been given so far: by a key of 64 bits, with the value that it stands for."""

    def __init__(self) -> None:
        self.values: list[Any] = [None]
        self._numbers: dict[Any, int] = {None: 0}
        self._keys = np.zeros(1, np.uint64)  # ascending, and the number of each beside it
        self._of_keys = np.zeros(1, np.int32)

    def __len__(self) -> int:
        return len(self.values)

    def of(self, values: Iterable[Any]) -> list[int]:
        """The numbers of values; of those that no row has there are none."""
        return [self._numbers[one] for one in values if one in self._numbers]

    def add(self, known: Iterable[tuple[int, Any]]) -> None:
        """Give numbers to the values that have none yet, each with its key."""
        new = {int(key) % 2**64: value for key, value in known if value not in self._numbers}
        if not new:
            return
        first = len(self.values)
        for value in new.values():
            self._numbers[value] = len(self.values)
            self.values.append(value)
        keys = np.concatenate([self._keys, np.array(list(new), np.uint64)])
        numbers = np.concatenate([self._of_keys, np.arange(first, len(self.values), dtype=np.int32)])
        order = np.argsort(keys)
        self._keys, self._of_keys = keys[order], numbers[order]

    def encode(self, keys: npt.NDArray[np.uint64], value: Callable[[int], Any] | None = None) -> npt.NDArray[np.int32]:
        """The numbers of a column of keys. `value` tells what the key of a row stands for, where it has no number yet;
        without it raises UnknownValues."""
        found = np.zeros(len(keys), np.int32)
        some = np.flatnonzero(keys)
        asked = keys[some]
        at = np.minimum(np.searchsorted(self._keys, asked), len(self._keys) - 1)
        unknown = self._keys[at] != asked
        if unknown.any():
            if value is None:
                raise UnknownValues
            new, first = np.unique(asked[unknown], return_index=True)
            rows = some[unknown][first]
            self.add((int(key), value(int(row))) for key, row in zip(new, rows, strict=True))
            at = np.searchsorted(self._keys, asked)
        found[some] = self._of_keys[at]
        return found

    def table(self, values: Iterable[Any], *, none: bool = False) -> npt.NDArray[np.bool_]:
        """For each number whether it stands for one of these values."""
        chosen = np.zeros(len(self.values), np.bool_)
        chosen[self.of(one for one in values if one is not None)] = True
        chosen[0] = none
        return chosen


def uuid(high: int, low: int) -> UUID:
    """A UUID from its halves."""
    return UUID(int=int(high) << 64 | int(low))
