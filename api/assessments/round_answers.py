"""Rounds and what came of them as they are sent."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from api.assessments import fact_links
from surveys.assessments.appeals import Appeal, State
from surveys.assessments.instruments import FactCode, Group, SubjectKind
from surveys.assessments.ratings import Sheet
from surveys.assessments.round_results import ResultItem, ResultPage, SubjectResult
from surveys.assessments.round_steps import PeriodKind, Step
from surveys.assessments.rounds import Round, RoundPage, ScopeKind
from surveys.assessments.score_reasons import ItemReason


class RoundTold(Struct, frozen=True, kw_only=True):
    """A round: by which instrument, of what time and whom, and until when each step lasts."""

    id: UUID
    version: int
    name: str
    instrument: str
    instrument_version: str
    subject_kind: SubjectKind
    period: str
    period_kind: PeriodKind
    starts_on: date
    ends_on: date
    scope_kind: ScopeKind
    scope: str
    peers: int
    seed: str  # by which peers are drawn
    late_leaders: bool
    stars_public: bool
    step: Step
    opens_at: datetime
    self_until: datetime
    people_until: datetime
    peers_until: datetime
    leaders_until: datetime
    first_at: datetime
    appeals_until: datetime
    decisions_until: datetime
    drawn_at: datetime | None
    cancelled_at: datetime | None
    published_at: datetime | None


class RoundsTold(Struct, frozen=True, kw_only=True):
    """A part of the rounds, the latest to open first; `total` counts all parts."""

    items: list[RoundTold]
    next: str | None
    total: int | None = None


def round_told(found: Round, now: datetime) -> RoundTold:
    """A round as it is sent."""
    same = ("period", "period_kind", "seed", "step")
    columns = {name: getattr(found, name) for name in RoundTold.__struct_fields__ if name not in same}
    return RoundTold(
        **columns, period=found.of.name, period_kind=found.period, seed=str(found.seed), step=found.step(now)
    )


def rounds_told(page: RoundPage, now: datetime) -> RoundsTold:
    """A part of the rounds as it is sent."""
    return RoundsTold(items=[round_told(one, now) for one in page.items], next=page.next, total=page.total)


class ItemTold(Struct, frozen=True, kw_only=True):
    """An item that a rater rates."""

    code: str
    heading: str
    text: str
    maximum: float
    points: float | None
    evidence_wanted: bool
    evidence: str | None


class SheetTold(Struct, frozen=True, kw_only=True):
    """What a rater has before them: whom they rate, and until when."""

    round: UUID
    round_name: str
    subject: UUID | None
    subject_name: str
    group: Group
    closes_at: datetime
    version: int
    items: list[ItemTold]
    missing: list[str]
    evidence: str | None  # one text for all items


def sheet_told(sheet: Sheet) -> SheetTold:
    """A rater's sheet as it is sent."""
    return SheetTold(
        round=sheet.round.id,
        round_name=sheet.round.name,
        subject=sheet.subject,
        subject_name=sheet.subject_name,
        group=sheet.group,
        closes_at=sheet.closes_at,
        version=sheet.version,
        items=[
            ItemTold(
                code=item.code,
                heading=item.heading,
                text=item.text,
                maximum=float(item.maximum),
                points=_float(sheet.points.get(item.code)),
                evidence_wanted=item.evidence,
                evidence=sheet.evidence.get(item.code),
            )
            for item in sheet.instrument.items
            if sheet.group in item.raters
        ],
        missing=sheet.missing,
        evidence=sheet.evidence.get("note"),
    )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


class ResultTold(Struct, frozen=True, kw_only=True):
    """What somebody reached; `stars` as they were decided above, where they were, `reckoned` as worked out."""

    subject: UUID
    name: str
    number: str | None
    organisation: UUID
    organisation_name: str
    skipped: str | None
    percent: float | None
    rank: int | None
    tied: int
    stars: int | None
    reckoned: int | None
    by_quota: bool
    href: str


class ResultsTold(Struct, frozen=True, kw_only=True):
    """A part of the results of a version, the best first."""

    version: int
    kind: str
    items: list[ResultTold]
    next: str | None
    total: int | None = None


def result_told(found: ResultItem, round_: UUID) -> ResultTold:
    """A result as it is sent."""
    same = {name: getattr(found, name) for name in ResultItem.__struct_fields__ if name != "percent"}
    href = f"/api/assessments/rounds/{round_}/results/{found.subject}"
    return ResultTold(**same, percent=_float(found.percent), href=href)


def results_told(page: ResultPage, round_: UUID) -> ResultsTold:
    """A part of the results as it is sent."""
    items = [result_told(one, round_) for one in page.items]
    return ResultsTold(version=page.version, kind=page.kind, items=items, next=page.next, total=page.total)


class GroupTold(Struct, frozen=True, kw_only=True):
    """What a group gave to an item; no average where too few rated for nobody to be known by it."""

    group: Group
    count: int
    least: int
    average: float | None
    weight: float
    effective: float
    counted: bool


class FactTold(Struct, frozen=True, kw_only=True):
    """A fact: how many, of how many where it is a share, when it was taken and as it was known when, and its list."""

    code: FactCode
    count: int | None
    of: int | None
    taken_at: datetime
    known_at: datetime
    href: str | None


class ReasonTold(Struct, frozen=True, kw_only=True):
    """How the points of an item came about."""

    code: str
    text: str
    points: float | None
    maximum: float
    weight: float
    percent: float | None
    how: str
    groups: list[GroupTold]
    fact: FactCode | None
    fact_value: float | None
    fact_points: float | None
    appealed: float | None  # points by an appeal that was upheld


class VersionTold(Struct, frozen=True, kw_only=True):
    """A version of the results; the digest is over all of them."""

    version: int
    kind: str
    taken_at: datetime
    known_at: datetime
    ready_at: datetime | None
    digest: str | None


class DecisionTold(Struct, frozen=True, kw_only=True):
    """What was decided above on the stars."""

    stars: int
    before: int | None
    decided_at: datetime
    decided_by: str
    reason: str


class AppealTold(Struct, frozen=True, kw_only=True):
    """An appeal, and what was decided on it."""

    id: UUID
    version: int
    subject: UUID
    subject_name: str
    item: str
    state: State
    points: float | None
    reason: str
    evidence: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    ruling: str


class SubjectResultTold(Struct, frozen=True, kw_only=True):
    """The result of one subject with how it came about."""

    round: RoundTold
    result: ResultTold
    other_organisation: UUID | None
    other_leader: str | None
    computation: VersionTold
    versions: list[VersionTold]
    rated: int
    headings: dict[str, float | None]
    reasons: list[ReasonTold]
    facts: list[FactTold]
    appeals: list[AppealTold]
    decisions: list[DecisionTold]
    may_appeal: bool
    may_decide: bool


def appeal_told(found: Appeal) -> AppealTold:
    """An appeal as it is sent."""
    names = [name for name in AppealTold.__struct_fields__ if name != "points"]
    return AppealTold(**{name: getattr(found, name) for name in names}, points=_float(found.points))


def subject_told(found: SubjectResult, now: datetime) -> SubjectResultTold:
    """The result of one subject as it is sent."""
    versions = [_told(VersionTold, one) for one in found.versions]
    return SubjectResultTold(
        round=round_told(found.round, now),
        result=result_told(found.result, found.round.id),
        other_organisation=found.other_organisation,
        other_leader=found.other_leader,
        computation=_told(VersionTold, found.computation),
        versions=versions,
        rated=found.rated,
        headings={code: _float(share) for code, share in found.headings.items()},
        reasons=_reasons(found),
        facts=facts_told(found),
        appeals=[appeal_told(one) for one in found.appeals],
        decisions=[_told(DecisionTold, one) for one in found.decisions],
        may_appeal=found.may_appeal,
        may_decide=found.may_decide,
    )


def facts_told(found: SubjectResult, *, page: bool = False) -> list[FactTold]:
    """The facts of a subject with their lists; facts are those of the first version."""
    first = found.versions[0] if found.versions else found.computation
    return [
        FactTold(
            code=one.code,
            count=one.count,
            of=one.of,
            taken_at=first.taken_at,
            known_at=first.known_at,
            href=fact_links.href(
                found.round, one.code, found.result.subject, found.campaign, first.known_at, page=page
            ),
        )
        for one in found.facts
    ]


Told = TypeVar("Told", bound=Struct)


def _told(kind: type[Told], one: object) -> Told:
    return kind(**{name: getattr(one, name) for name in kind.__struct_fields__})


def _reasons(found: SubjectResult) -> list[ReasonTold]:
    texts = {item.code: item.text for item in found.instrument.items}
    return [_reason(one, texts, found) for one in found.reasons]


def _reason(one: ItemReason, texts: dict[str, str], found: SubjectResult) -> ReasonTold:
    groups: Sequence[GroupTold] = [
        GroupTold(
            group=group.group,
            count=group.count,
            least=group.least,
            average=_float(group.average),
            weight=float(group.weight),
            effective=float(group.effective),
            counted=group.counted,
        )
        for group in one.groups
    ]
    appealed = found.appealed.get(one.code)
    fact = one.fact if appealed is None else None
    return ReasonTold(
        code=one.code,
        text=texts[one.code],
        points=_float(one.points),
        maximum=float(one.maximum),
        weight=float(one.weight),
        percent=_float(one.percent),
        how=one.how,
        groups=list(groups),
        fact=fact.fact if fact else None,
        fact_value=_float(fact.value) if fact else None,
        fact_points=_float(fact.points) if fact else None,
        appealed=_float(appealed),
    )
