"""The doors of assessments: commitments, scorecards and their rounds, ballots."""

from typing import Any

ROUTES: list[Any] = []
