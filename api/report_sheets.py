"""A brief in words: its figures as texts of one language, from which the PDF and the Word file are both set, so that
none of them can say another number."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from babel import dates
from msgspec import Struct

from api import texts
from maps import printed_maps
from surveys.counting.rate_terms import Rate
from surveys.reports.report_archive import Report
from surveys.reports.report_periods import Period
from surveys.reports.reports import FEWEST, Case, Change, Count, OverdueLine, PlaceLine, RateLine, Share

RATE_NAMES: Mapping[Rate, str] = {
    "response": texts.marked("Response rate"),
    "resolution": texts.marked("Resolution rate"),
    "satisfaction": texts.marked("Satisfaction rate"),
}
NOTHING = "–"
DAY_OF_YEAR = {"zh": "M月d日", "en": "d MMM"}
MOST_OF_TITLE = 80  # characters


class CountRow(Struct, frozen=True):
    """A count beside that of the period before."""

    name: str
    now: str
    before: str
    change: str


class RateRow(Struct, frozen=True):
    """A rate beside that of the period before; `of` is its numerator and denominator."""

    name: str
    rate: str
    of: str
    before: str
    change: str


class PlaceRow(Struct, frozen=True):
    """A community or street."""

    name: str
    reported: str
    resolved: str
    open: str
    overdue: str
    response: str
    resolution: str
    satisfaction: str


class DepartmentRow(Struct, frozen=True):
    """A department's usual time."""

    name: str
    hours: str
    resolved: str


class CoverageRow(Struct, frozen=True):
    """A campaign's doors."""

    name: str
    doors: str
    visited: str
    visited_rate: str
    met: str
    met_rate: str


class OverdueRow(Struct, frozen=True):
    """An issue past its limit."""

    number: str
    title: str
    category: str
    place: str
    department: str
    late: str


class CaseRow(Struct, frozen=True):
    """A good case, and why it is one."""

    number: str
    title: str
    category: str
    place: str
    department: str
    reason: str


class Sheet(Struct, frozen=True, kw_only=True):
    """All texts of a brief; its fields are the placeholders of a Word template, and `map` beside them."""

    title: str
    subtitle: str
    district: str
    scope: str
    period: str
    first_day: str
    last_day: str
    made: str
    data_until: str
    version: str
    empty: bool
    summary: list[str]
    counts: list[CountRow]
    rates: list[RateRow]
    better: list[str]
    worse: list[str]
    categories: list[CountRow]
    places_title: str
    places: list[PlaceRow]
    departments: list[DepartmentRow]
    coverage: list[CoverageRow]
    overdue: list[OverdueRow]
    overdue_note: str
    cases: list[CaseRow]
    cases_note: str
    map_title: str
    map_note: str
    notes: list[str]
    digest: str


def in_words(period: Period, language: str) -> str:
    """A period as people say it: days of one year without it."""
    gettext = texts.of(language).gettext
    gettext = texts.of(language).gettext
    if period.kind == "month":
        return gettext("%(year)s-%(month)s") % {"year": period.first.year, "month": period.first.month}
    year, week, _ = period.first.isocalendar()
    days = [_day(day, language, year) for day in (period.first, period.last)]
    return gettext("Week %(week)s of %(year)s (%(first)s – %(last)s)") % {
        "week": week,
        "year": year,
        "first": days[0],
        "last": days[1],
    }


def _day(day: date, language: str, year: int) -> str:
    if day.year != year:
        return texts.day(day, language)
    return dates.format_date(day, DAY_OF_YEAR[language], locale=texts.LOCALES[language])


def headings(language: str) -> dict[str, str]:
    """What stands over the parts of a brief, and over the columns of its tables."""
    pgettext = texts.of(language).pgettext
    return {
        "summary": pgettext("brief", "Overview"),
        "counts": pgettext("brief", "Issues"),
        "rates": pgettext("brief", "The three rates"),
        "changes": pgettext("brief", "What changed"),
        "better": pgettext("brief", "Better"),
        "worse": pgettext("brief", "Worse"),
        "categories": pgettext("brief", "Most frequent categories"),
        "departments": pgettext("brief", "Slowest departments"),
        "coverage": pgettext("brief", "Coverage of campaigns"),
        "overdue": pgettext("brief", "Overdue issues"),
        "cases": pgettext("brief", "Good cases"),
        "notes": pgettext("brief", "Notes"),
        "figure": pgettext("brief", "Figure"),
        "now": pgettext("brief", "This period"),
        "before": pgettext("brief", "Before"),
        "change": pgettext("brief", "Change"),
        "of": pgettext("brief", "Of how many"),
        "category": pgettext("brief", "Category"),
        "place": pgettext("brief", "Place"),
        "reported": pgettext("brief", "Reported"),
        "resolved": pgettext("brief", "Resolved"),
        "open": pgettext("brief", "Open"),
        "late": pgettext("brief", "Overdue"),
        "response": pgettext("brief", "Response"),
        "resolution": pgettext("brief", "Resolution"),
        "satisfaction": pgettext("brief", "Satisfaction"),
        "department": pgettext("brief", "Department"),
        "median": pgettext("brief", "Median hours"),
        "campaign": pgettext("brief", "Campaign"),
        "doors": pgettext("brief", "Doors on the register"),
        "visited": pgettext("brief", "Visited"),
        "met": pgettext("brief", "Met"),
        "rate": pgettext("brief", "Share"),
        "data_until": pgettext("brief", "Figures until"),
        "made": pgettext("brief", "Made"),
        "digest": pgettext("brief", "Digest of the figures"),
        "number": pgettext("brief", "Number"),
        "issue": pgettext("brief", "Issue"),
        "late_by": pgettext("brief", "Late by (working time)"),
    }


def sheet(report: Report, zone: ZoneInfo, language: str) -> Sheet:
    """A brief in words."""
    return _Words(report, zone, language).sheet()


class _Words:
    """The words of one brief."""

    def __init__(self, report: Report, zone: ZoneInfo, language: str) -> None:
        self.figures = report.figures
        self.titles = report.titles
        self.report_digest = report.digest
        self.zone = zone
        self.language = language
        self.texts = texts.of(language)

    def gettext(self, text: str, **values: object) -> str:
        return self.texts.gettext(text) % values if values else self.texts.gettext(text)

    def sheet(self) -> Sheet:
        figures = self.figures
        return Sheet(
            title=self.title(),
            subtitle=self.period(),
            district=figures.district,
            scope=figures.scope.name,
            period=figures.period,
            first_day=self.day(figures.first),
            last_day=self.day(figures.last),
            made=texts.moment(figures.known_at, self.language, self.zone),
            data_until=self.data_until(),
            version=self.version(),
            empty=figures.empty,
            summary=self.summary(),
            counts=self.counts(),
            rates=[self.rate_row(line) for line in figures.rates],
            better=[self.change(one) for one in figures.changes if one.direction == "better"],
            worse=[self.change(one) for one in figures.changes if one.direction == "worse"],
            categories=[self.count_row(line.name, line.count) for line in figures.categories if line.count.now],
            places_title=self.places_title(),
            places=[self.place_row(line) for line in figures.places],
            departments=[
                DepartmentRow(line.name, self.hours(line.median_hours), self.number(line.resolved))
                for line in figures.departments
            ],
            coverage=self.coverage(),
            overdue=[self.overdue_row(line) for line in figures.overdue_list],
            overdue_note=self.overdue_note(),
            cases=[self.case_row(case) for case in figures.cases],
            cases_note=self.cases_note(),
            map_title=self.gettext("Open issues by community at the end of the period") if figures.map else "",
            map_note=self.map_note(),
            notes=self.notes(),
            digest=self.report_digest[:16],
        )

    # --- what it is

    def title(self) -> str:
        weekly = self.figures.kind == "week"
        if weekly:
            return self.gettext("%(place)s: weekly brief on visits and issues", place=self.figures.scope.name)
        return self.gettext("%(place)s: monthly brief on visits and issues", place=self.figures.scope.name)

    def period(self) -> str:
        return in_words(Period(self.figures.first, self.figures.kind), self.language)

    def data_until(self) -> str:
        return self.gettext("%(day)s, 24:00", day=self.day(self.figures.last))

    def version(self) -> str:
        figures = self.figures
        if figures.version == 1:
            return ""
        if figures.chosen_by_hand:
            return self.gettext("Version %(version)s: good cases chosen by hand", version=figures.version)
        return self.gettext("Version %(version)s, made anew; it replaces the one before", version=figures.version)

    def map_note(self) -> str:
        if self.figures.map is None:
            return ""
        if len(self.figures.map.areas) > printed_maps.MOST_NAMED:
            return self.gettext("The darker, the more issues are open.")
        return self.gettext("The darker, the more issues are open; in figures: open / overdue.")

    # --- the overview

    def summary(self) -> list[str]:
        figures = self.figures
        if figures.empty:
            return [
                self.gettext(
                    "There is nothing to tell of this period: no issue was reported or open, and no campaign ran."
                )
            ]
        number = self.number
        first = self.gettext(
            "%(reported)s issues were reported (%(before)s in the period before); %(solved)s of them were solved by its"
            " end. In all, %(resolved)s issues were resolved in the period. At its end %(open)s were open, of which"
            " %(overdue)s overdue (%(overdue_before)s before).",
            reported=number(figures.reported.now),
            before=number(figures.reported.before),
            solved=number(figures.solved.now),
            resolved=number(figures.resolved.now),
            open=number(figures.open.now),
            overdue=number(figures.overdue.now),
            overdue_before=number(figures.overdue.before),
        )
        parts = [
            self.gettext("%(name)s %(rate)s (%(of)s)", name=row.name, rate=row.rate, of=row.of)
            for row in map(self.rate_row, figures.rates)
        ]
        return [first, self.texts.pgettext("brief", "; ").join(parts) + self.texts.pgettext("brief", ".")]

    def counts(self) -> list[CountRow]:
        figures = self.figures
        return [
            self.count_row(self.gettext("Reported in the period"), figures.reported),
            self.count_row(self.gettext("of these solved by its end"), figures.solved),
            self.count_row(self.gettext("Resolved in the period, whenever reported"), figures.resolved),
            self.count_row(self.gettext("Open at its end"), figures.open),
            self.count_row(self.gettext("of these overdue"), figures.overdue),
            *self.of_services(),
        ]

    def of_services(self) -> list[CountRow]:
        """What volunteers did, where they did something."""
        services = self.figures.services
        if services is None:
            return []
        return [
            self.count_row(self.gettext("Volunteers' services held"), services.held),
            self.count_row(self.gettext("Hours served at them"), services.hours),
            self.count_row(self.gettext("Persons helped by them"), services.helped),
        ]

    def count_row(self, name: str, count: Count) -> CountRow:
        return CountRow(name, self.number(count.now), self.number(count.before), self.signed(count.now - count.before))

    def rate_row(self, line: RateLine) -> RateRow:
        now, before = line.now.rate, line.before.rate
        points = NOTHING if now is None or before is None else self.points(now - before)
        return RateRow(
            self.gettext(RATE_NAMES[line.rate]),
            self.share(line.now),
            self.of(line.now),
            self.share(line.before),
            points,
        )

    def change(self, one: Change) -> str:
        values: dict[str, object] = {"name": one.name or ""}
        if one.what == "rate":
            values |= {
                "name": self.gettext(RATE_NAMES[one.name]),  # type: ignore[index]
                "now": self.per_cent(one.now),
                "before": self.per_cent(one.before),
                "points": self.points(one.now - one.before),
            }
            return self.gettext("%(name)s: %(now)s, before %(before)s (%(points)s)", **values)
        values |= {"now": self.number(int(one.now)), "before": self.number(int(one.before))}
        match one.what:
            case "open":
                return self.gettext("Open issues: %(now)s, before %(before)s", **values)
            case "overdue":
                return self.gettext("Overdue issues: %(now)s, before %(before)s", **values)
            case "overdue_in":
                return self.gettext("Overdue issues in %(name)s: %(now)s, before %(before)s", **values)
            case _:
                return self.gettext("Reported of %(name)s: %(now)s, before %(before)s", **values)

    # --- tables

    def places_title(self) -> str:
        match self.figures.places_kind:
            case "street":
                return self.gettext("Streets compared")
            case "community":
                return self.gettext("Communities compared")
            case _:
                return ""

    def place_row(self, line: PlaceLine) -> PlaceRow:
        return PlaceRow(
            line.name or self.gettext("In no community"),
            self.number(line.reported),
            self.number(line.resolved),
            self.number(line.open),
            self.number(line.overdue.now),
            self.share(line.shares["response"]),
            self.share(line.shares["resolution"]),
            self.share(line.shares["satisfaction"]),
        )

    def coverage(self) -> list[CoverageRow]:
        return [
            CoverageRow(
                line.name,
                self.number(line.doors),
                self.number(line.visited),
                self.per_cent(line.visited / line.doors),
                self.number(line.met),
                self.per_cent(line.met / line.doors),
            )
            for line in self.figures.coverage
        ]

    def overdue_row(self, line: OverdueLine) -> OverdueRow:
        issue = line.issue
        return OverdueRow(
            issue.number,
            self.issue_title(str(issue.id)),
            issue.category,
            issue.community or self.gettext("In no community"),
            issue.department or NOTHING,
            self.late(line.late_s),
        )

    def late(self, seconds: int) -> str:
        """To the hour, from the first on."""
        whole = round(seconds / 3_600) * 3_600 if seconds >= 3_600 else seconds
        return texts.working_time(timedelta(seconds=whole), self.language)

    def overdue_note(self) -> str:
        shown, all_ = len(self.figures.overdue_list), self.figures.overdue.now
        if not all_:
            return self.gettext("Nothing was overdue at the end of the period.")
        if shown < all_:
            return self.gettext("The %(shown)s latest of %(all)s.", shown=self.number(shown), all=self.number(all_))
        return ""

    def case_row(self, case: Case) -> CaseRow:
        issue = case.issue
        return CaseRow(
            issue.number,
            self.issue_title(str(issue.id)),
            issue.category,
            issue.community or self.gettext("In no community"),
            issue.department or NOTHING,
            self.reason(case),
        )

    def reason(self, case: Case) -> str:
        """Why it is shown; a resident's mark is nobody's business beyond that it was a good one."""
        values = {"took": self.hours(case.took_hours), "median": self.hours(case.median_hours or 0)}
        if case.chosen:
            return self.gettext(
                "Chosen by hand; solved in %(took)s h, which its resident confirmed and found satisfactory", **values
            )
        return self.gettext(
            "Solved in %(took)s h, where half of its category take more than %(median)s h; its resident confirmed it"
            " and was satisfied",
            **values,
        )

    def cases_note(self) -> str:
        if not self.figures.cases:
            return self.gettext("No issue of the period meets the rules for a good case.")
        return ""

    def issue_title(self, id_: str) -> str:
        title = self.titles.get(id_) or self.gettext("(erased)")
        return title if len(title) <= MOST_OF_TITLE else f"{title[: MOST_OF_TITLE - 1]}…"

    def notes(self) -> list[str]:
        return [
            self.gettext(
                "The figures are those of the end of the period, as known when the brief was made; what was entered"
                " later does not change them."
            ),
            self.gettext(
                "Response rate: first contact within its limit, of the issues reported in the period whose response"
                " limit has passed. Resolution rate: residents who say that it is solved, of those who answered."
                " Satisfaction rate: four or five of five, of those who answered."
            ),
            self.gettext(
                "Of fewer than %(fewest)s answers no share is told (*), so that nobody can be recognised by theirs.",
                fewest=FEWEST,
            ),
            self.gettext(
                "Good cases are solved in the period, confirmed and found satisfactory by their residents, and the"
                " quickest beside the usual time of their category, each of another community."
            ),
        ]

    # --- numbers

    def number(self, value: int) -> str:
        return texts.number(value, self.language)

    def hours(self, value: float) -> str:
        return texts.number(value, self.language)

    def per_cent(self, value: float) -> str:
        return texts.share(value, self.language)

    def share(self, share: Share) -> str:
        return "*" if share.few else self.per_cent(share.rate) if share.rate is not None else NOTHING

    def of(self, share: Share) -> str:
        if share.numerator is None or share.denominator is None:
            return "*"
        return f"{self.number(share.numerator)} / {self.number(share.denominator)}"

    def signed(self, value: int) -> str:
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{self.number(abs(value))}"

    def points(self, value: float) -> str:
        tenths = round(value * 100, 1)
        sign = "+" if tenths > 0 else "−" if tenths < 0 else ""
        return self.gettext("%(points)s points", points=f"{sign}{abs(tenths):.1f}")

    def day(self, value: date) -> str:
        return texts.day(value, self.language)


def written(sheet_: Sheet) -> Sequence[str]:
    """All that is written of names and titles, for a font to be held against."""
    rows: list[Any] = [*sheet_.categories, *sheet_.places, *sheet_.departments, *sheet_.coverage]
    return [sheet_.title, sheet_.district, *(row.name for row in rows)]


def sample(language: str) -> Sheet:
    """A brief that has something in every place, to try a template with."""
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(Sheet).items():
        if get_origin(hint) is list:
            (of,) = get_args(hint)
            values[name] = [of(*(f"{name}.{field}" for field in of.__struct_fields__)) if of is not str else name] * 2
        else:
            values[name] = False if hint is bool else name
    return Sheet(**values)
