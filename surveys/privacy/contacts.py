"""A resident's name and phone on an issue: checked, sealed, and shown masked."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.history import Row, bytea
from surveys.privacy.sealing import KeyRing, NotGenuine, Place, UnknownKey, digits, masked_name, masked_phone
from surveys.refusals import ContactEmpty, PhoneUnusable

Field = Literal["contact_name", "contact_phone"]

DIGITS = range(5, 21)  # of a phone number: a hotline's five, and what an international one may have with room to spare
_PHONE = re.compile(r"[0-9\s+()./#*‐‑‒–—−-]*")  # digits, and what people write between them
UNREADABLE_NAME, UNREADABLE_PHONE = "**", "****"  # what a key that is missing leaves of them


class Contact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a resident; one of the two may be left blank."""

    name: Annotated[str, Meta(max_length=100)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""

    @property
    def blank(self) -> bool:
        """Whether nothing is in it."""
        return not self.name.strip() and not self.phone.strip()


class Masked(Struct, frozen=True, kw_only=True):
    """A contact as anybody within reach may see it: 张**, 138****1234; None for what was not told."""

    name: str | None
    phone: str | None


class Sealed(Struct, frozen=True, kw_only=True):
    """A field of an issue as it is kept; `look_up` finds a phone again."""

    district: int
    subject: UUID
    field: Field
    sealed: bytes
    look_up: bytes | None = None

    def row(self, now: datetime) -> Row:
        """A row of `sealed_field`."""
        return {
            "district": self.district,
            "subject": self.subject,
            "field": self.field,
            "sealed": bytea(self.sealed),
            "look_up": bytea(self.look_up) if self.look_up else None,
            "recorded_at": now,
        }


def check(contact: Contact, field: str) -> None:
    """Raises ContactEmpty or PhoneUnusable, naming the field and never what stood there."""
    if contact.blank:
        raise ContactEmpty(f"{field}.phone")
    if contact.phone.strip():
        check_phone(contact.phone, f"{field}.phone")


def check_phone(phone: str, field: str) -> None:
    """Raises PhoneUnusable unless this is a phone number, however it is written."""
    if not _PHONE.fullmatch(unicodedata.normalize("NFKC", phone)) or len(digits(phone)) not in DIGITS:
        raise PhoneUnusable(field, least=DIGITS[0], most=DIGITS[-1])


def seal(ring: KeyRing, district: int, issue: UUID, contact: Contact) -> Iterator[Sealed]:
    """The fields of a contact that are not blank, each bound to this issue."""
    if contact.name.strip():
        yield Sealed(
            district=district,
            subject=issue,
            field="contact_name",
            sealed=ring.seal(contact.name.strip(), Place(district, issue, "contact_name")),
        )
    if contact.phone.strip():
        yield Sealed(
            district=district,
            subject=issue,
            field="contact_phone",
            sealed=ring.seal(contact.phone.strip(), Place(district, issue, "contact_phone")),
            look_up=ring.look_up(contact.phone),
        )


def veiled(ring: KeyRing, contact: Contact) -> Contact:
    """A contact that is the same for the same values and tells none of them: what a digest of a request is made of,
    since a phone number could be guessed from one that was made of itself."""
    return msgspec.structs.replace(contact, name=ring.veil(contact.name).hex(), phone=ring.veil(contact.phone).hex())


# New sealed fields; a correction comes with all that the issue has from then on.
INSERT = """
insert into sealed_field (district, subject, field, sealed, look_up, recorded_at)
select district, subject, field, sealed, look_up, recorded_at
from json_populate_recordset(null::sealed_field, {})
"""
REPLACE = f"""
with gone as (
  update sealed_field set sealed = null, look_up = null, erased_at = $5
  where district = $2 and subject = $3 and field <> all($4) and erased_at is null
)
{INSERT.format("$1")}
on conflict (district, subject, field) do update
set sealed = excluded.sealed, look_up = excluded.look_up, recorded_at = excluded.recorded_at, erased_at = null
"""


async def replace(conn: Connection, ring: KeyRing, district: int, issue: UUID, contact: Contact, now: datetime) -> None:
    """Let an issue have this contact from now on, and none when it is blank."""
    sealed = list(seal(ring, district, issue, contact))
    rows = [one.row(now) for one in sealed]
    await conn.execute(REPLACE, rows, district, issue, [one.field for one in sealed], now)


async def add(conn: Connection, ring: KeyRing, district: int, told: Mapping[UUID, Contact], now: datetime) -> None:
    """Let new issues have their contacts."""
    rows = [one.row(now) for issue, contact in told.items() for one in seal(ring, district, issue, contact)]
    if rows:
        await conn.execute(INSERT.format("$1"), rows)


OF_ISSUES = """
select subject, field, sealed, erased_at from sealed_field where district = $1 and subject = any($2)
"""


class Kept(Struct, frozen=True, kw_only=True):
    """What is sealed of one issue, still sealed; `erased_at` is when something of it was forgotten."""

    district: int
    issue: UUID
    fields: Mapping[str, bytes]
    erased_at: datetime | None = None

    def masked(self, ring: KeyRing) -> Masked | None:
        """What anybody within reach may see, or None when there is nothing; what does not open is masked whole."""
        if not self.fields:
            return None
        return Masked(
            name=self._masked(ring, "contact_name", masked_name, UNREADABLE_NAME),
            phone=self._masked(ring, "contact_phone", masked_phone, UNREADABLE_PHONE),
        )

    def _masked(self, ring: KeyRing, field: Field, mask: Callable[[str], str], unreadable: str) -> str | None:
        try:
            value = self._value(ring, field)
        except (UnknownKey, NotGenuine):
            return unreadable
        return mask(value) if value else None

    def plain(self, ring: KeyRing) -> Contact:
        """What was told. Raises UnknownKey or NotGenuine."""
        return Contact(name=self._value(ring, "contact_name"), phone=self._value(ring, "contact_phone"))

    def _value(self, ring: KeyRing, field: Field) -> str:
        sealed = self.fields.get(field)
        return ring.open(sealed, Place(self.district, self.issue, field)) if sealed else ""


async def of_issues(conn: Connection, district: int, issues: Sequence[UUID]) -> dict[UUID, Kept]:
    """What is sealed of each of these issues; one that has nothing sealed is there as well."""
    fields: dict[UUID, dict[str, bytes]] = {issue: {} for issue in issues}
    erased: dict[UUID, datetime] = {}
    for row in await conn.fetch(OF_ISSUES, district, list(fields)):
        if row["sealed"] is not None:
            fields[row["subject"]][row["field"]] = row["sealed"]
        else:
            erased[row["subject"]] = row["erased_at"]
    return {
        issue: Kept(district=district, issue=issue, fields=found, erased_at=erased.get(issue))
        for issue, found in fields.items()
    }
