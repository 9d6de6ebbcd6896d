"""What people call the kinds of teams and services."""

from collections.abc import Mapping

from api import texts

KINDS: Mapping[str, str] = {
    "policy": texts.marked("Policy advice"),
    "arts": texts.marked("Arts and culture"),
    "wellbeing": texts.marked("Wellbeing"),
    "technology": texts.marked("Technology"),
    "jobs": texts.marked("Jobs and skills"),
    "environment": texts.marked("Environment"),
    "safety": texts.marked("Safety"),
    "learning": texts.marked("Learning"),
    "neighbours": texts.marked("Neighbours"),
    "other": texts.marked("Other kinds"),
}
