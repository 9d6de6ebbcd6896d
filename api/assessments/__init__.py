"""The doors of assessments: commitments, scorecards and their rounds, ballots."""

from typing import Any

from api.assessments import instrument_pages, instruments

ROUTES: list[Any] = [
    *instruments.ROUTES,
    *instrument_pages.ROUTES,
]
