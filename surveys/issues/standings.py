"""What somebody is to an issue: by who answers for it, who is asked to, where it lies and who works on it."""

from collections.abc import Sequence
from uuid import UUID

from surveys.issues.workflow import Standing
from surveys.people.people import Reader


def standings(
    reader: Reader,
    *,
    owner: UUID,
    reporter: UUID | None,
    community: str | None,
    street: str | None,
    department: str | None,
    offered_to: UUID | None = None,
    agent: UUID | None = None,
    asked_by: UUID | None = None,
    resolver: str | None = None,
    consulted: Sequence[str] | None = None,
) -> frozenset[Standing]:
    """What the reader is to such an issue; `resolver` is the actor who said last that it is solved."""
    persons: dict[Standing, UUID | None] = {
        "owner": owner,
        "reporter": reporter,
        "offered": offered_to,
        "agent": agent,
        "asker": asked_by,
    }
    found: set[Standing] = {standing for standing, member in persons.items() if member == reader.member}
    if resolver == str(reader.member):
        found.add("resolver")
    for grant in reader.grants:
        if grant.role == "administrator":
            found.add("administrator")
        elif grant.role == "community_worker" and grant.scope == community:
            found.add("community_worker")
        elif grant.role == "dispatcher" and (grant.scope_kind == "district" or grant.scope == street):
            found.add("dispatcher")
        elif grant.role == "leader" and (grant.scope_kind == "district" or grant.scope == street):
            found.add("leader")
        elif grant.role == "department_handler":
            if grant.scope == department:
                found.add("handler")
            if grant.scope in (consulted or ()):
                found.add("consulted")
    return frozenset(found)
