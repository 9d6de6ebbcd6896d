"""Every way the domain says no.

A refusal carries a `code`, which names it for programs and for the texts that people read, the `field` it is
about where there is one, and `facts`, the values that its text needs. What HTTP status it becomes is not known here.
"""

from collections.abc import Mapping
from typing import ClassVar

import asyncpg


class Refusal(Exception):
    """Why something was not done; nothing of it was written."""

    code: ClassVar[str] = "refused"

    def __init__(self, field: str | None = None, **facts: object) -> None:
        super().__init__(self.code, field, facts)
        self.field = field
        self.facts: Mapping[str, object] = facts


class Invalid(Refusal):
    """A value that cannot be used; `field` says which."""


class NotSignedIn(Refusal):
    code = "not_signed_in"


class NotAllowed(Refusal):
    """The reader's roles or scopes do not reach that far."""

    code = "not_allowed"


class NotFound(Refusal):
    """There is no such thing, or none that this reader may see; which of the two is not said."""

    code = "not_found"


class Conflict(Refusal):
    """The thing is in another state than the request took it to be."""


class IdTaken(Conflict):
    """The id has been used for other content, or by another person; which of the two is not said."""

    code = "id_taken"


class StaleVersion(Conflict):
    """Somebody else was faster; `facts` hold the present state and version."""

    code = "stale_version"


class MoveNotPossible(Conflict):
    """The issue's present state does not know this move."""

    code = "move_not_possible"


class AlreadyMerged(Conflict):
    """An issue that was merged into another is no twin to choose any more; `facts` name what it was merged into."""

    code = "already_merged"


class SameIssue(Invalid):
    """An issue cannot be merged into itself."""

    code = "same_issue"


class NotForThisMove(Invalid):
    """Something came with a move that has no use for it, and would have been forgotten."""

    code = "not_for_this_move"


class AlreadyTheirs(Conflict):
    """They answer for the issue already, or are being asked to."""

    code = "already_theirs"


class MemberAway(Invalid):
    """The member is away, and could not say whether they take it on."""

    code = "member_away"


class UnsuitableMember(Invalid):
    """The member's roles do not go with what they are to do."""

    code = "unsuitable_member"


class LimitPassed(Conflict):
    """The issue is late already; an extension would undo that."""

    code = "limit_passed"


class ExtensionTooLong(Invalid):
    """More than may be granted; `facts` say how often one may be, how often one was, and how much is left."""

    code = "extension_too_long"


class PauseTooLong(Invalid):
    code = "pause_too_long"


class NothingChanges(Conflict):
    """What is asked for is so already."""

    code = "nothing_changes"


class TimeInPast(Invalid):
    """What is yet to come cannot lie in the past."""

    code = "time_in_past"


class OpinionsMissing(Conflict):
    """A department has not said what it thinks, or objects; `facts` name them. To go on all the same, say why."""

    code = "opinions_missing"


class AlreadyWithdrawn(Conflict):
    code = "already_withdrawn"


class BalanceTooLow(Conflict):
    """An account of the time bank would fall below what the rules allow."""

    code = "balance_too_low"


class AlreadyCorrected(Conflict):
    """A transaction of the time bank is corrected once."""

    code = "already_corrected"


class Missing(Invalid):
    code = "missing"


class WrongValue(Invalid):
    """A value of another type, or outside its range; `expected` says what would be right."""

    code = "wrong_value"


class TooMany(Invalid):
    """More than `most` at once."""

    code = "too_many"


class TextUnusable(Invalid):
    """A text with a character that no text has, or nothing in it but space."""

    code = "text_unusable"


class TextTooLong(Invalid):
    code = "text_too_long"


class TimeInFuture(Invalid):
    code = "time_in_future"


class TimeBeforeAll(Invalid):
    """Before the year 2000: a clock that was never set."""

    code = "time_before_all"


class TimesReversed(Invalid):
    code = "times_reversed"


class UnknownCategory(Invalid):
    code = "unknown_category"


class UnknownCommunity(Invalid):
    code = "unknown_community"


class UnknownCampaign(Invalid):
    code = "unknown_campaign"


class UnknownPremises(Invalid):
    """No door on the register that this reader may see."""

    code = "unknown_premises"


class UnknownMember(Invalid):
    code = "unknown_member"


class PaperOnly(Invalid):
    """Only what is typed in from paper was visited by somebody else."""

    code = "paper_only"


class UnknownDepartment(Invalid):
    code = "unknown_department"


class DoorOnRegister(Conflict):
    """The register has it: by this code, or of this kind, name and address in this community; `facts` may say which it
    is."""

    code = "door_on_register"


class DuplicateId(Invalid):
    """The same id stands twice in one request, on different things."""

    code = "duplicate_id"


class InvalidCursor(Invalid):
    code = "invalid_cursor"


class InvalidFilter(Invalid):
    code = "invalid_filter"


class PhoneUnusable(Invalid):
    """A phone number of too few or too many digits, or with what no phone number has; never quoted."""

    code = "phone_unusable"


class ContactEmpty(Invalid):
    """A contact with neither a name nor a phone."""

    code = "contact_empty"


class NoContact(Refusal):
    """Nothing is sealed of this issue: nothing was told, or it has been erased."""

    code = "no_contact"


class UnknownOrganisation(Invalid):
    """No organisation that this reader looks after, or one that has been closed."""

    code = "unknown_organisation"


class OrganisationInUse(Conflict):
    """An organisation with members or organisations below it cannot be closed; `facts` count them."""

    code = "organisation_in_use"


class OrganisationInCircle(Conflict):
    """An organisation would hang below itself."""

    code = "organisation_in_circle"


class NameTaken(Conflict):
    """Another organisation below the same one has this name."""

    code = "name_taken"


class WindowNameTaken(Conflict):
    """The organisation has another service window of this name."""

    code = "window_name_taken"


class UnknownArea(Invalid):
    """A community, street or premises that the district does not have."""

    code = "unknown_area"


class UnknownScope(Invalid):
    """A scope that the district does not have, or that does not go with its role."""

    code = "unknown_scope"


class CannotGive(NotAllowed):
    """Nobody gives or takes a role that reaches further than their own hands."""

    code = "cannot_give"


class NumberTaken(Conflict):
    """Another member has this number."""

    code = "number_taken"


class PhoneTaken(Conflict):
    """Another member has this phone."""

    code = "phone_taken"


class MemberLeft(Conflict):
    """The member has left."""

    code = "member_left"


class DispatcherNeeded(Conflict):
    """The district's own dispatcher cannot go before another is named: an issue is never without an owner."""

    code = "dispatcher_needed"


class AdministratorNeeded(Conflict):
    """The last administrator cannot go before another is named."""

    code = "administrator_needed"


class AbsenceOverlaps(Conflict):
    """The member is away already in a part of this time."""

    code = "absence_overlaps"


class NotInvited(Conflict):
    """Nobody is asked about this issue: it is not resolved, or has been opened again; `facts` hold its state."""

    code = "not_invited"


class AlreadyAnswered(Conflict):
    """The resident has answered; `facts` hold what they said."""

    code = "already_answered"


class AnswerTooLate(Conflict):
    """The time in which an answer can still be given, or changed, is over."""

    code = "answer_too_late"


class HandledItYourself(NotAllowed):
    """Who handled an issue does not answer for the resident."""

    code = "handled_it_yourself"


class UnknownVisit(Invalid):
    """No visit that this member filed or went along on, or one that was taken back."""

    code = "unknown_visit"


class VisitUnfit(Invalid):
    """A visit on which nobody could have been asked: at another door, before the issue was resolved, or with nobody
    met."""

    code = "visit_unfit"


class AlreadyBooked(Conflict):
    """The card or the door has booked this service; `facts` may say which booking it is, and where it stands."""

    code = "already_booked"


# The database has the last word on what may stand beside what; its constraints speak through these.
BY_CONSTRAINT: Mapping[str, type[Refusal]] = {
    "visit_pkey": IdTaken,
    "saved_view_pkey": IdTaken,
    "premises_pkey": IdTaken,
    "premises_code_unique": DoorOnRegister,
    "issue_pkey": IdTaken,
    "history_pkey": IdTaken,
    "text_version_pkey": IdTaken,
    "history_one_event_per_version": StaleVersion,
    "visit_campaign_fkey": UnknownCampaign,
    "visit_community_fkey": UnknownCommunity,
    "issue_community_fkey": UnknownCommunity,
    "issue_category_fkey": UnknownCategory,
    "issue_department_fkey": UnknownDepartment,
    "category_department_fkey": UnknownDepartment,
    "category_parent_fkey": UnknownCategory,
    "issue_owner_fkey": UnknownMember,
    "organisation_pkey": IdTaken,
    "organisation_spans_pkey": IdTaken,
    "organisation_one_name_below_parent": NameTaken,
    "member_pkey": IdTaken,
    "member_number_unique": NumberTaken,
    "member_phone_unique": PhoneTaken,
    "member_absence_pkey": IdTaken,
    "rating_round_pkey": IdTaken,
    "service_window_pkey": IdTaken,
    "service_window_one_name": WindowNameTaken,
    "round_appeal_pkey": IdTaken,
    "round_decision_pkey": IdTaken,
    "time_account_not_below": BalanceTooLow,
    "time_transaction_corrected_once": AlreadyCorrected,
    "points_rules_id_unique": IdTaken,
    "points_board_pkey": IdTaken,
    "model_pkey": IdTaken,
    "service_pkey": IdTaken,
    "booking_pkey": IdTaken,
    "booking_one_a_card": AlreadyBooked,
    "booking_one_a_door": AlreadyBooked,
    "commitment_pkey": IdTaken,
    "ballot_pkey": IdTaken,
}


def of_constraint(error: asyncpg.IntegrityConstraintViolationError) -> Refusal | None:
    """The refusal that a violated constraint stands for, or None when only a fault of ours can violate it."""
    kind = BY_CONSTRAINT.get(error.constraint_name or "")
    return kind() if kind else None
