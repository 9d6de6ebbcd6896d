"""The public numbers of contact cards, as EQ-000123-5: the district's letters, six digits, and a character that shows a
slip of the tongue or the pen (ISO 7064, MOD 37,36)."""

import re
import unicodedata
from typing import ClassVar

from stdnum.iso7064 import mod_37_36

from surveys.refusals import Invalid

DIGITS = 6
MOST = 10**DIGITS - 1
LONGEST = 40  # characters somebody may have typed, spaces and dashes among them

_PARTS = re.compile(rf"([A-Z]{{1,4}}?)([0-9OIL]{{{DIGITS}}})([0-9A-Z])")
_READ_AS = str.maketrans("OIL", "011")


class NoCardNumber(Invalid):
    """Nothing that a card's number can be: too short, too long, or with other letters."""

    code: ClassVar[str] = "no_card_number"


class CardNumberMistyped(Invalid):
    """A card's number with a wrong check character: somewhere it was misread or mistyped."""

    code: ClassVar[str] = "card_number_mistyped"


def numbered(series: str, at: int) -> str:
    """The number of a district's card, by its place in the series."""
    digits = f"{at:0{DIGITS}d}"
    return f"{series}-{digits}-{_check(series + digits)}"


def read(text: str, field: str = "number") -> str:
    """A number as it is printed, out of what was typed or read out: case, width, spaces and dashes do not matter, nor O
    for 0, or I and L for 1.

    Raises NoCardNumber, and CardNumberMistyped when its check character is wrong."""
    plain = unicodedata.normalize("NFKC", text[: LONGEST + 1]).upper()
    parts = _PARTS.fullmatch("".join(one for one in plain if one.isalnum()))
    if parts is None or len(text) > LONGEST:
        raise NoCardNumber(field)
    series, digits, check = parts[1], parts[2].translate(_READ_AS), parts[3]
    right = _check(series + digits)
    if check.translate(_READ_AS) != right.translate(_READ_AS):
        raise CardNumberMistyped(field)
    return f"{series}-{digits}-{right}"


def as_printed(text: str) -> str:
    """A number as it is printed, where it is one; else what was typed, without the space around it."""
    try:
        return read(text)
    except Invalid:
        return text.strip()


def _check(plain: str) -> str:
    character: str = mod_37_36.calc_check_digit(plain)
    return character
