"""What each rate counts: the facts of an issue that it is made of, said once for the rates and for the lists behind
them. surveys/counting/rates.md says the same in words.

A condition is on the columns of the one query; $2 is the moment that is asked about."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

Rate = Literal[
    "response",
    "resolution",
    "satisfaction",
    "on_time",
    "bounce",
    "redo",
    "pause",
    "reopen",
    "own_word",
    "not_answered",
]
RATES: tuple[Rate, ...] = get_args(Rate)

# What an issue's row says of itself, whenever it is looked at. The order is that of the bits of the column `outcome`:
# a new fact comes last, with a migration that says it too.
FACTS: Mapping[str, str] = {
    "counted": "state <> 'merged'",
    "responded": "first_contact_at <= response_due_at",
    "answered": "answer in ('solved', 'not_solved')",
    "solved": "answer = 'solved'",
    "satisfied": "satisfaction >= 4",
    "asked": "answer is not null",
    "silent": "answer = 'not_answered'",
    "resolved": "resolved_at is not null",
    "on_time": "resolved_at <= due_at",
    "unconfirmed": "answer is distinct from 'solved'",
    "resolved_once": "resolutions >= 1",
    "resolved_twice": "resolutions >= 2",
    "returned": "bounces >= 1",
    "reopened": "reopens >= 1",
    "paused": "pauses >= 1",
}
# What depends on the moment as well.
PASSING: Mapping[str, str] = {
    "response_over": "response_due_at < $2",
    "due": "(resolved_at is not null or state in ('reported', 'accepted', 'assigned', 'in_progress', 'paused')"
    " and due_at < coalesce(paused_at, $2))",
}


class Terms(Struct, frozen=True):
    """A rate's denominator, and what of it is its numerator: those with all of these facts."""

    denominator: tuple[str, ...]
    numerator: tuple[str, ...]


def _terms(denominator: str, numerator: str) -> Terms:
    counted = tuple(dict.fromkeys(("counted", denominator)))
    return Terms(counted, (*counted, numerator))


TERMS: Mapping[Rate, Terms] = {
    "response": _terms("response_over", "responded"),
    "resolution": _terms("answered", "solved"),
    "satisfaction": _terms("answered", "satisfied"),
    "on_time": Terms(("counted", "due"), ("counted", "on_time")),  # what is resolved on time is due without asking
    "bounce": _terms("counted", "returned"),
    "redo": _terms("resolved_once", "resolved_twice"),
    "pause": _terms("counted", "paused"),
    "reopen": _terms("resolved_once", "reopened"),
    "own_word": _terms("resolved", "unconfirmed"),
    "not_answered": _terms("asked", "silent"),
}


def condition(rate: Rate, met: bool | None) -> str:
    """The condition under which a rate counts an issue: in its denominator, and there in its numerator or not."""
    terms = TERMS[rate]
    conditions = [_said(fact) for fact in terms.denominator]
    if met is not None:
        conditions.append(f"({_said(terms.numerator[-1])}) is {'' if met else 'not '}true")
    return " and ".join(conditions)


def _said(fact: str) -> str:
    return FACTS.get(fact) or PASSING[fact]


# The facts of a row in one number, a bit for each that holds, as the column `outcome` of `issue` has them too; from
# when on it is due, as `due_from`; and how long it took, as `took_s`.
OUTCOME = " | ".join(f"case when {said} then {1 << at} else 0 end" for at, said in enumerate(FACTS.values()))
DUE_FROM = """case when resolved_at is not null then '-infinity'::timestamptz
    when state not in ('reported', 'accepted', 'assigned', 'in_progress', 'paused') then 'infinity'
    when paused_at is null then due_at
    when due_at < paused_at then '-infinity'
    else 'infinity' end"""
TOOK_S = "extract(epoch from resolved_at - reported_at)::bigint"


def packed(facts: tuple[str, ...]) -> str:
    """The condition that an issue has all of these facts, on the columns above."""
    order = list(FACTS)
    bits = sum(1 << order.index(fact) for fact in facts if fact in FACTS)
    passing = {"response_over": "response_due_at < $2", "due": "due_from < $2"}
    return " and ".join([f"outcome & {bits} = {bits}", *(passing[fact] for fact in facts if fact in passing)])
