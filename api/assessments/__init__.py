"""The doors of assessments: commitments, scorecards and their rounds, ballots."""

from typing import Any

from api.assessments import (
    appeals,
    ballot_entrance,
    ballot_pages,
    ballots,
    commitment_files,
    commitment_pages,
    commitments,
    instrument_pages,
    instruments,
    rating_pages,
    rating_slips,
    result_pages,
    round_files,
    round_pages,
    rounds,
    served_hours,
    window_pages,
)

ROUTES: list[Any] = [
    *instruments.ROUTES,
    *instrument_pages.ROUTES,
    *rounds.ROUTES,
    *appeals.ROUTES,
    *rating_pages.ROUTES,
    *rating_slips.ROUTES,
    *result_pages.ROUTES,
    *served_hours.ROUTES,
    *commitments.ROUTES,
    *commitment_files.ROUTES,
    *commitment_pages.ROUTES,
    *ballots.ROUTES,
    *ballot_pages.ROUTES,
    *ballot_entrance.ROUTES,
    *round_files.ROUTES,
    *round_pages.ROUTES,
    *window_pages.ROUTES,
]
