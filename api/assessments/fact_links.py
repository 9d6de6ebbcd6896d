"""Where the list opens that a fact of a round counts."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from api import coverage, issues
from surveys.assessments import facts
from surveys.assessments.instruments import FactCode, SubjectKind
from surveys.assessments.rounds import Round


def href(
    found: Round, code: FactCode, subject: UUID, campaign: str | None, known_at: datetime, *, page: bool = False
) -> str | None:
    """The list behind a fact of a subject, as a page for people or for programs; None where there is none."""
    kind: SubjectKind = found.subject_kind
    if kind == "window":
        return None
    period = found.of
    match code:
        case "visits":
            given = [
                (kind, str(subject)),
                ("started_from", period.first.isoformat()),
                ("started_to", period.last.isoformat()),
                ("withdrawn", "no"),
            ]
            return f"{'/desk' if page else '/api'}/visits?{urlencode(given)}"
        case "on_time_rate" | "satisfaction":
            filters = facts.issue_filters(period, known_at)
            name = "owner" if kind == "member" else "organisation"
            narrowed = msgspec.structs.replace(filters, **{name: (subject,)})
            return issues.address(narrowed, rate=facts.RATES[code], page=page)
        case "coverage":
            if campaign is None:
                return None
            doors = msgspec.structs.replace(facts.coverage_filters(period), **{kind: (subject,)})
            return coverage.address(campaign, doors)
        case "hours_served":
            return f"{'' if page else '/api'}/assessments/rounds/{found.id}/results/{subject}/hours"
