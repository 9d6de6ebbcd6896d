"""What a reader is to a round: whose results they see, whom they organise, what they may decide."""

from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import organisations
from surveys.people.people import READING, Reader
from surveys.refusals import NotAllowed


class Standing(Struct, frozen=True, kw_only=True):
    """A reader, and the organisations whose people they look after or lead; None stands for the district's."""

    reader: Reader
    within: frozenset[UUID] | None
    organises: bool  # makes rounds there, extends and publishes them
    decides: bool  # appeals, and stars

    def reaches(self, organisation: UUID) -> bool:
        """Whether those of an organisation are theirs to see."""
        return self.within is None or organisation in self.within

    @property
    def organisations(self) -> list[UUID] | None:
        """The organisations as a parameter of a question."""
        return None if self.within is None else sorted(self.within)


# The organisations that answer for a street, or for a community of it.
OF_STREETS = """
select a.organisation from organisation_area a
where a.district = $1 and (a.kind = 'street' and a.code = any($2::text[]) or a.kind = 'community' and a.code in (
  select c.code from community c where c.district = $1 and c.street = any($2::text[])))
"""


async def of_reader(conn: Connection, reader: Reader) -> Standing:
    """What a reader is to rounds: administrators and leaders of the district see all of it, organisers what hangs below
    them, leaders of a street the organisations that answer for it. Raises NotAllowed for whoever reads nothing."""
    roles = reader.roles()
    if not roles & READING:
        raise NotAllowed
    leads = {(grant.scope_kind, grant.scope) for grant in reader.grants if grant.role == "leader"}
    leads_district = any(kind == "district" for kind, _ in leads)
    if "administrator" in roles or leads_district:
        return Standing(reader=reader, within=None, organises="administrator" in roles, decides=True)
    roots = [UUID(scope) for scope in reader.scopes("organisation")] if "organiser" in roles else []
    streets = [scope for kind, scope in leads if kind == "street"]
    if streets:
        roots += [row["organisation"] for row in await conn.fetch(OF_STREETS, reader.district, streets)]
    within = frozenset(await organisations.below(conn, reader.district, roots)) if roots else frozenset()
    return Standing(reader=reader, within=within, organises="organiser" in roles, decides=bool(within))
