"""The cells of an instrument's sheets read into values; what does not fit is added to the faults, and the reading goes
on, so that all that is wrong is told at once."""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from msgspec import Struct

from surveys.assessments.instrument_faults import Fault
from surveys.assessments.instrument_sheets import NO, YES, Cells
from surveys.assessments.instruments import Step

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,20})?%?")
FINEST = Decimal("0.0001")
COMPUTED = Decimal("0.000001")
FORMULA = ("=", "+", "-", "@", "\t")
PARTS = re.compile(r"[\s,;、/]+")
Word = TypeVar("Word", bound=str)

LONGEST_TEXT = 500
LONGEST_NAME = 100
LARGEST_FACT = Decimal(1_000_000)


class Row(Struct, frozen=True):
    """A row of a sheet, and where its faults go."""

    sheet: str
    number: int
    cells: Cells
    faults: list[Fault]

    def fault(self, reason: str, column: str, **facts: object) -> None:
        """Tell what is wrong with a cell."""
        self.faults.append(Fault(reason=reason, sheet=self.sheet, row=self.number, column=column, facts=facts))

    def raw(self, column: str) -> str:
        """The cell as it stands, with wide forms of digits and signs made narrow."""
        return unicodedata.normalize("NFKC", self.cells.get(column, "")).strip()

    def text(self, column: str, *, longest: int = LONGEST_TEXT, needed: bool = True) -> str:
        """A text for people; one that a spreadsheet would take for a formula is refused."""
        found = self.cells.get(column, "").strip()
        if not found and needed:
            self.fault("value_missing", column)
        elif len(found) > longest:
            self.fault("text_too_long", column, count=len(found), most=longest)
        elif found.startswith(FORMULA):
            self.fault("looks_like_formula", column, value=found[:40])
        return found

    def code(self, column: str) -> str:
        """A code of letters and digits."""
        found = self.raw(column)
        if not found:
            self.fault("value_missing", column)
        elif not CODE.fullmatch(found):
            self.fault("code_unusable", column, value=found[:40])
        return found

    def number_in(
        self, column: str, least: Decimal, most: Decimal, *, needed: bool = True, finest: Decimal = FINEST
    ) -> Decimal | None:
        """A number within bounds; None where there is none, or none that fits."""
        given = self.raw(column)
        if not given:
            if needed:
                self.fault("value_missing", column)
            return None
        value = _number(given)
        if value is None:
            self.fault("not_a_number", column, value=given[:40])
        elif not least <= value <= most:
            self.fault("out_of_range", column, value=given, least=f"{least:f}", most=f"{most:f}")
        elif value % finest:
            self.fault("too_fine", column, value=given, finest=f"{finest:f}")
        else:
            return value
        return None

    def choice(self, column: str, words: Mapping[Word, str], otherwise: Word | None = None) -> Word | None:
        """One of some words, in English or Chinese; an empty cell says what it says otherwise."""
        given = self.raw(column)
        if not given and otherwise is not None:
            return otherwise
        found = word(given, words)
        if not given:
            self.fault("value_missing", column)
        elif found is None:
            self.fault("word_unknown", column, value=given[:40], known=known(words))
        return found

    def choices(self, column: str, words: Mapping[Word, str]) -> tuple[Word, ...]:
        """Some of some words, each once."""
        found: list[Word] = []
        for given in PARTS.split(self.raw(column)):
            one = word(given, words)
            if not given:
                continue
            if one is None:
                self.fault("word_unknown", column, value=given[:40], known=known(words))
            elif one in found:
                self.fault("word_repeated", column, value=given[:40])
            else:
                found.append(one)
        return tuple(found)

    def yes(self, column: str) -> bool:
        """Yes or no; an empty cell says no."""
        given = self.raw(column).casefold()
        if given in YES or given in ("true", "1", "√", "✓"):
            return True
        if given and given not in NO and given not in ("false", "0", "×"):
            self.fault("word_unknown", column, value=given[:40], known=f"{'/'.join(YES)}, {'/'.join(NO)}")
        return False

    def steps(self, column: str) -> tuple[Step, ...]:
        """How a fact gives points by steps: `95=100; 90=80`, the highest first."""
        found = []
        for part in re.split(r"[;,、\s]+", self.raw(column)):
            if not part:
                continue
            least, equals, percent = part.partition("=")
            value, share = _number(least), _number(percent)
            if not equals or value is None or share is None or not 0 <= value <= LARGEST_FACT or not 0 <= share <= 100:
                self.fault("fact_points_unusable", column, value=self.raw(column)[:60])
                return ()
            found.append(Step(value, share))
        if any(one.least <= next_.least or one.percent <= next_.percent for one, next_ in pairwise(found)):
            self.fault("steps_not_falling", column, value=self.raw(column)[:60])
        return tuple(found)

    def bounds(self, column: str) -> tuple[Decimal, Decimal] | None:
        """How a fact gives points in proportion: `0..40`."""
        low, high = (_number(part.strip()) for part in self.raw(column).split("..", 1))
        if low is None or high is None or not 0 <= low < high <= LARGEST_FACT or low % FINEST or high % FINEST:
            self.fault("fact_points_unusable", column, value=self.raw(column)[:60])
            return None
        return low, high


def word(given: str, words: Mapping[Word, str]) -> Word | None:
    """The word that is meant, by its English or its Chinese form."""
    for one, chinese in words.items():
        if given.casefold() == one or given == chinese:
            return one
    return None


def known(words: Mapping[Word, str]) -> str:
    """The words that there are, as a fault names them."""
    return ", ".join(f"{one}/{chinese}" for one, chinese in words.items())


def _number(given: str) -> Decimal | None:
    """A number as a spreadsheet computed it: what it adds after the sixth digit is of its own arithmetic."""
    if not NUMBER.fullmatch(given):
        return None
    value = Decimal(given.removesuffix("%"))
    exponent = value.as_tuple().exponent
    return value.quantize(COMPUTED) if isinstance(exponent, int) and exponent < -9 else value
