"""The expressions of an XLSForm, read far enough to see that they can be read: XPath 1.0 with ODK's functions, where
`${name}` stands for a question."""

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

REFERENCE = re.compile(r"\$\{\s*(?:last-saved#)?([^}\s]+)\s*\}")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>"[^"]*"|'[^']*')
    | (?P<reference>\$\{[^}]*\})
    | (?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
    | (?P<function>[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)\s*(?=\()
    | (?P<name>@?[A-Za-z_][\w.-]*(?:::?(?:[A-Za-z_][\w.-]*|\*))?)
    | (?P<sign>//|::|!=|<=|>=|\.\.|[-+*/=<>|.,()\[\]])
    )""",
    re.VERBOSE,
)

# What the phone's engine and ODK Collect both know, beside XPath 1.0.
_KNOWN = """
abs acos area asin atan atan2 boolean boolean-from-string ceiling checklist choose coalesce concat contains cos
count count-non-empty count-selected date date-time decimal-date-time decimal-time digest distance ends-with exp
exp10 false floor format-date format-date-time id if indexed-repeat instance int intersects join jr:choice-name
jr:itext lang last local-name log log10 max min name namespace-uri normalize-space not now number once pi position
pow randomize random regex round selected selected-at sin sqrt starts-with string string-length substr substring
substring-after substring-before sum tan thousandsep today translate true uuid weighted-checklist
"""
FUNCTIONS = frozenset(_KNOWN.split())
NODE_TESTS = frozenset({"text", "node", "comment"})
OPERATORS = frozenset({"and", "or", "div", "mod"})
JOINING = frozenset({"=", "!=", "<", ">", "<=", ">=", "+", ",", *OPERATORS})
CLOSES = {")": "(", "]": "["}


class Broken(Exception):
    """An expression that cannot be read."""


class Tokens(Struct, frozen=True):
    """What an expression calls that is not known, and what stands in it for itself."""

    functions: frozenset[str]
    lone: frozenset[str]


def references(text: str) -> list[str]:
    """The questions that a text names."""
    return [found[1] for found in REFERENCE.finditer(text)] if "${" in text else []


def tokens(text: str) -> Tokens:
    """Read an expression. Raises Broken."""
    read = list(_read(text))
    _refuse_unbalanced([word for _, word in read])
    _refuse_stranded(read)
    called = {word for kind, word in read if kind == "function"} - FUNCTIONS - NODE_TESTS - OPERATORS
    return Tokens(frozenset(called), frozenset(word for kind, word in read if kind == "sign"))


def _read(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Broken
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _refuse_unbalanced(words: list[str]) -> None:
    opened: list[str] = []
    for word in words:
        if word in "([":
            opened.append(word)
        elif word in CLOSES and (not opened or opened.pop() != CLOSES[word]):
            raise Broken
    if opened or not words:
        raise Broken


def _refuse_stranded(read: list[tuple[str, str]]) -> None:
    """What joins needs something on both sides, and two values need something between them."""
    words = [word for _, word in read]
    if words[0] in JOINING or words[-1] in {"-", *JOINING}:
        raise Broken
    for (kind, word), (next_kind, next_word) in pairwise(read):
        if (kind in VALUES or word == ")") and next_kind in {*VALUES, "function"} and next_word not in OPERATORS:
            raise Broken
        if (word in JOINING or word in "([") and next_word in JOINING | {")", "]"} and (word, next_word) != ("(", ")"):
            raise Broken


VALUES = frozenset({"text", "number", "reference"})
