"""Roles and where they hold: what a role's scope can be, and which of them somebody may give."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.people import organisations
from surveys.people.people import Grant, Role, ScopeKind
from surveys.refusals import UnknownScope

MEMBERSHIP = Grant("member", "own", "")

# What a role can be scoped by; a blank scope means the last of these, where that is the district or oneself.
SCOPES: Mapping[Role, tuple[ScopeKind, ...]] = {
    "member": ("own",),
    "organiser": ("organisation",),
    "community_worker": ("community",),
    "dispatcher": ("street", "district"),
    "department_handler": ("department",),
    "leader": ("street", "district"),
    "administrator": ("district",),
    "auditor": ("district",),
    "operator": ("district",),
}


WHOLE = ("全区", "本区", "district")  # what people write for the district that they are in


class GrantDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A role as it is asked for; `scope` is a code or the id of an organisation, blank for the district or oneself."""

    role: Role
    scope: Annotated[str, Meta(max_length=100)] = ""


class Places(Struct, frozen=True):
    """What a scope can name in a district: codes by what people write, in lower case, for each kind."""

    district: int
    by_kind: Mapping[ScopeKind, Mapping[str, str]]
    names: Mapping[tuple[str, str], str]  # by kind and code

    def grant(self, role: Role, scope: str, field: str = "scope") -> Grant:
        """The role in its scope, by a code or by a name that only one has. Raises UnknownScope."""
        written = scope.strip().casefold()
        for kind in SCOPES[role]:
            if kind == "own" and not written:
                return MEMBERSHIP
            if kind == "district" and (not written or written in self.by_kind["district"]):
                return Grant(role, "district", str(self.district))
            if code := self.by_kind.get(kind, {}).get(written):
                return Grant(role, kind, code)
        raise UnknownScope(field, given=scope)


DISTRICT = "select code, name from district where district = $1"
CODES = """
select 'community' as kind, code, name from community where district = $1
union all select 'street', code, name from street where district = $1
union all select 'department', code, name from department where district = $1
"""


async def places(conn: Connection, district: int, paths: Mapping[UUID, str] | None = None) -> Places:
    """What a scope can name now; `paths` are the organisations, if they are known already."""
    own = await conn.fetchrow(DISTRICT, district)
    names = {(row["kind"], row["code"]): row["name"] for row in await conn.fetch(CODES, district)}
    names |= {
        ("organisation", str(id_)): path
        for id_, path in (paths or await organisations.open_paths(conn, district)).items()
    }
    names["district", str(district)] = own["name"] if own else str(district)
    kinds: tuple[ScopeKind, ...] = ("community", "street", "department", "organisation")
    by_kind = {kind: _by_word({code: name for (of, code), name in names.items() if of == kind}) for kind in kinds}
    by_kind["organisation"] = _by_last_name(by_kind["organisation"])
    by_kind["district"] = {str(word).casefold(): str(district) for word in (district, *(own or ()), *WHOLE)}
    return Places(district, by_kind, names)


def _by_word(names: Mapping[str, str]) -> dict[str, str]:
    """Codes by themselves and by names that only one has; a code outranks a name."""
    count = Counter(name.casefold() for name in names.values())
    by_name = {name.casefold(): code for code, name in names.items() if count[name.casefold()] == 1}
    return by_name | {code.casefold(): code for code in names}


def _by_last_name(by_path: Mapping[str, str]) -> dict[str, str]:
    """Organisations by their own name too, where only one has it."""
    count = Counter(path.rpartition(organisations.SEPARATOR)[2] for path in by_path)
    by_name = {
        name: id_ for path, id_ in by_path.items() if count[name := path.rpartition(organisations.SEPARATOR)[2]] == 1
    }
    return by_name | dict(by_path)


def may_give(reach: set[UUID] | None, grants: Iterable[Grant]) -> bool:
    """Whether one who looks after these organisations may give all of this: an administrator (None) anything, an
    organiser what members are, and the care of organisations within their own reach."""
    if reach is None:
        return True
    cared_for = {str(organisation) for organisation in reach}
    return all(grant == MEMBERSHIP or (grant.role == "organiser" and grant.scope in cared_for) for grant in grants)
