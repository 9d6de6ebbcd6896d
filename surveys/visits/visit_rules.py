"""What must be right about a visit before it is filed, and what is filed although it is not in order."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars
from surveys.clock.clock import Calendar
from surveys.issues import categories, placing
from surveys.issues.categories import Category
from surveys.issues.placing import Placed
from surveys.people import people
from surveys.people.people import Role
from surveys.premises.premises import PremisesState
from surveys.privacy import contacts
from surveys.questionnaires import questionnaires
from surveys.questionnaires.questionnaire_fields import Field, Held, hold
from surveys.refusals import (
    DuplicateId,
    Missing,
    PaperOnly,
    TextUnusable,
    TimeBeforeAll,
    TimeInFuture,
    TimesReversed,
    UnknownCampaign,
    UnknownCategory,
    UnknownCommunity,
    UnknownMember,
)
from surveys.visits.receipts import Flag
from surveys.visits.visit_drafts import Answers, Filing, IssueDraft, VisitDraft

AHEAD = timedelta(minutes=15)  # a phone's time further ahead than this, after correction, is refused
SKEW_HEEDED = timedelta(seconds=60)  # what is less is the network's delay, not a wrong clock
FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class KnownCampaign(Struct, frozen=True):
    """When a campaign is, and what is visited in it."""

    starts_at: datetime
    ends_at: datetime
    kinds: frozenset[str]


class KnownDoor(Struct, frozen=True):
    """A door of the register, and who has it in the campaign that a draft names."""

    state: PremisesState
    holder: UUID | None


class Known(Struct, frozen=True):
    """What the district has, of all that a set of drafts names."""

    categories: Mapping[str, Category]
    calendar: Calendar  # by which their limits count; any, where no category is named
    campaigns: Mapping[str, KnownCampaign]
    communities: frozenset[str]
    members: Mapping[UUID, UUID]
    doors: Mapping[tuple[UUID, str | None], KnownDoor] = {}  # by premises and campaign
    questionnaires: Mapping[tuple[str, str], Sequence[Field]] = {}  # the questions, by questionnaire and version
    visitors: Mapping[UUID, str] = {}  # whose visits others type in, by name


class Times(Struct, frozen=True):
    """A visit's times after correction, and the phone's skew in seconds."""

    started_at: datetime
    ended_at: datetime
    skew: timedelta


CAMPAIGNS = "select id, starts_at, ends_at, kinds from campaign where district = $1 and id = any($2)"
# The categories that a set names, and by which calendar their limits count: one question, since every filing asks it.
RULES = f"""
select e.*, c.* from ({calendars.EDITION.format(now="$3")}) e left join ({categories.IN_FORCE}) c on true
"""
COMMUNITIES = "select code from community where district = $1 and code = any($2)"
DOORS = """
select w.id, w.campaign, p.state, a.member as holder from unnest($2::uuid[], $3::text[]) as w(id, campaign)
join premises p on p.district = $1 and p.id = w.id
left join assignment a on a.district = $1 and a.campaign = w.campaign and a.premises = w.id
"""


ANY_CALENDAR = Calendar(zone=ZoneInfo("UTC"))


async def known(conn: Connection, district: int, drafts: Sequence[VisitDraft], now: datetime) -> Known:
    """What the district has, of all that these drafts name."""
    codes = {issue.category for draft in drafts for issue in draft.issues}
    campaigns = {draft.campaign for draft in drafts} - {None}
    communities = {draft.community for draft in drafts} - {None}
    visitors = [draft.visited_by for draft in drafts if draft.visited_by is not None]
    others = [*visitors, *(companion for draft in drafts for companion in draft.companions or ())]
    rules = await conn.fetch(RULES, district, list(codes), now) if codes else []
    return Known(
        categories.read([row for row in rules if row["code"] is not None]),
        await calendars.made(conn, district, calendars.edition(rules[0])) if rules else ANY_CALENDAR,
        {
            row["id"]: KnownCampaign(row["starts_at"], row["ends_at"], frozenset(row["kinds"]))
            for row in await conn.fetch(CAMPAIGNS, district, list(campaigns))
        }
        if campaigns
        else {},
        frozenset(row["code"] for row in await conn.fetch(COMMUNITIES, district, list(communities)))
        if communities
        else frozenset(),
        await people.open_members(conn, district, others) if others else {},
        await _known_doors(conn, district, drafts),
        await _known_questionnaires(conn, district, drafts),
        await people.names(conn, district, visitors) if visitors else {},
    )


async def _known_doors(
    conn: Connection, district: int, drafts: Sequence[VisitDraft]
) -> Mapping[tuple[UUID, str | None], KnownDoor]:
    named = {(draft.premises.id, draft.campaign) for draft in drafts if draft.premises.id is not None}
    if not named:
        return {}
    rows = await conn.fetch(DOORS, district, [id_ for id_, _ in named], [campaign for _, campaign in named])
    return {(row["id"], row["campaign"]): KnownDoor(row["state"], row["holder"]) for row in rows}


async def _known_questionnaires(
    conn: Connection, district: int, drafts: Sequence[VisitDraft]
) -> Mapping[tuple[str, str], Sequence[Field]]:
    named = {(draft.answers.questionnaire, draft.answers.version) for draft in drafts if draft.answers is not None}
    return await questionnaires.fields(conn, district, list(named)) if named else {}


def check(filing: Filing, known: Known, now: datetime) -> Times:
    """The corrected times of a filing that nothing speaks against. Raises Invalid, naming the field."""
    draft = filing.draft
    times = _corrected(draft, filing.device_time, now)
    placing.check(draft.position, "position")
    _check_texts(draft)
    if draft.campaign is not None and draft.campaign not in known.campaigns:
        raise UnknownCampaign("campaign", given=draft.campaign)
    if draft.community is not None and draft.community not in known.communities:
        raise UnknownCommunity("community", given=draft.community)
    _check_visitor(filing, known)
    for at, companion in enumerate(draft.companions or ()):
        if companion not in known.members:
            raise UnknownMember(f"companions[{at}]", given=str(companion))
    repeated = [id_ for id_, count in Counter([draft.id, *(issue.id for issue in draft.issues)]).items() if count > 1]
    if repeated:
        raise DuplicateId("issues", given=str(repeated[0]))
    for at, issue in enumerate(draft.issues):
        _check_issue(issue, f"issues[{at}]", known, times, now)
    return times


DESK: frozenset[Role] = frozenset({"community_worker", "organiser", "dispatcher", "administrator"})


def _check_visitor(filing: Filing, known: Known) -> None:
    """Who types in a paper record may name whose it is; nobody else files for others."""
    visitor = filing.draft.visited_by
    if visitor is None or visitor == filing.filer.member:
        return
    if filing.draft.via != "paper":
        raise PaperOnly("visited_by")
    filing.filer.require(*DESK)
    if visitor not in known.members:
        raise UnknownMember("visited_by", given=str(visitor))


def _check_texts(draft: VisitDraft) -> None:
    if not draft.premises.name.strip():
        raise TextUnusable("premises.name")
    for at, issue in enumerate(draft.issues):
        if not issue.title.strip():
            raise TextUnusable(f"issues[{at}].title")


def _check_issue(issue: IssueDraft, field: str, known: Known, times: Times, now: datetime) -> None:
    if issue.contact is not None:
        contacts.check(issue.contact, f"{field}.contact")
    if issue.category not in known.categories:
        raise UnknownCategory(f"{field}.category", given=issue.category)
    if issue.how_urgent not in known.categories[issue.category].limits:
        raise Missing(f"{field}.urgency", given=issue.how_urgent)
    placing.check(issue.position, f"{field}.position")
    if issue.solved_on_spot is not None:
        _refuse_unlikely(f"{field}.solved_on_spot.at", issue.solved_on_spot.at, now + times.skew)


def _corrected(draft: VisitDraft, device_time: datetime | None, now: datetime) -> Times:
    """A phone's clock that is wrong is wrong for all its times: what it says now tells by how much."""
    skew = device_time - now if device_time is not None else timedelta()
    if abs(skew) < SKEW_HEEDED:
        skew = timedelta()
    _refuse_unlikely("started_at", draft.started_at, now + skew)
    _refuse_unlikely("ended_at", draft.ended_at, now + skew)
    if draft.ended_at < draft.started_at:
        raise TimesReversed("ended_at", started_at=draft.started_at, given=draft.ended_at)
    _refuse_unlikely("started_at", draft.started_at - skew, now)
    return Times(draft.started_at - skew, draft.ended_at - skew, skew)


def _refuse_unlikely(field: str, given: datetime, device_now: datetime) -> None:
    if given > device_now + AHEAD:
        raise TimeInFuture(field, given=given)
    if given < FIRST_DAY:
        raise TimeBeforeAll(field, given=given)


def flags(draft: VisitDraft, times: Times, visitor: UUID, places: Collection[Placed], known: Known) -> Iterator[Flag]:
    """What is not in order about a visit, and is told to who filed it and to the desk."""
    if draft.campaign is not None:
        yield from _campaign_flags(draft, times, known.campaigns[draft.campaign])
    if draft.premises.id is not None:
        yield from _door_flags(draft, visitor, known.doors.get((draft.premises.id, draft.campaign)))
    if draft.answers is not None:
        held = answers(draft.answers, known)
        if held is None:
            yield "questionnaire_unknown"
        elif held.unfit:
            yield "answers_unfit"
    if any(known.categories[issue.category].retired for issue in draft.issues):
        yield "category_retired"
    if any(place.certainty == "outside" for place in places):
        yield "outside_district"


def _campaign_flags(draft: VisitDraft, times: Times, campaign: KnownCampaign) -> Iterator[Flag]:
    if campaign.ends_at < times.started_at:
        yield "campaign_ended"
    if times.started_at < campaign.starts_at:
        yield "campaign_not_begun"
    if draft.premises.kind not in campaign.kinds:
        yield "campaign_other_kind"


def _door_flags(draft: VisitDraft, visitor: UUID, door: KnownDoor | None) -> Iterator[Flag]:
    """A door that another has is visited with them when they come along."""
    if door is None:
        return
    with_them = {visitor, *(draft.companions or ())}
    if door.holder is not None and door.holder not in with_them:
        yield "door_of_another"
    if door.state == "gone":
        yield "door_gone"


def answers(given: Answers, known: Known) -> Held | None:
    """Answers in the types of their questions, and which of them do not fit; None where nobody knows the questions."""
    asked = known.questionnaires.get((given.questionnaire, given.version))
    return None if asked is None else hold(asked, given.values)
