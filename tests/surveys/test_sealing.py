"""Sealing and masking, whatever the texts are."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.privacy.contacts import Contact, check, seal, veiled
from surveys.privacy.sealing import (
    KEY_BYTES,
    KeyRing,
    NotGenuine,
    Place,
    UnknownKey,
    digits,
    key_of,
    manifest,
    masked_name,
    masked_phone,
)
from surveys.refusals import ContactEmpty, PhoneUnusable
from tests.conftest import DISTRICT, NOW, RING

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
PLACES = st.builds(
    Place, st.integers(1, 999_999_999), st.uuids(), st.sampled_from(["contact_name", "contact_phone", "phone"])
)
DIGITS = st.text("0123456789", min_size=5, max_size=20)


@given(TEXTS, PLACES)
def test_what_was_sealed_opens_in_its_place(text: str, place: Place) -> None:
    sealed = RING.seal(text, place)
    assert RING.open(sealed, place) == text
    assert key_of(sealed) == 1
    assert len(text.encode()) < 4 or text.encode() not in sealed


@given(TEXTS, PLACES)
def test_the_same_text_is_never_sealed_to_the_same_bytes(text: str, place: Place) -> None:
    assert RING.seal(text, place) != RING.seal(text, place)


@given(TEXTS, PLACES, PLACES)
def test_in_another_place_it_opens_nothing(text: str, place: Place, other: Place) -> None:
    if place != other:
        with pytest.raises(NotGenuine):
            RING.open(RING.seal(text, place), other)


@given(TEXTS, PLACES, st.data())
def test_what_was_changed_or_cut_opens_nothing(text: str, place: Place, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(text, place))
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] if data.draw(st.booleans()) else sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    with pytest.raises((NotGenuine, UnknownKey)):
        RING.open(bytes(changed), place)


@given(TEXTS, PLACES)
def test_a_rotated_ring_opens_what_the_older_sealed_until_the_key_is_retired(text: str, place: Place) -> None:
    rotated = RING.rotated(NOW)
    assert rotated.open(RING.seal(text, place), place) == text
    assert key_of(rotated.seal(text, place)) == 2
    assert rotated.look_up("13812341234") == RING.look_up("13812341234")
    with pytest.raises(UnknownKey):
        rotated.without(1).open(RING.seal(text, place), place)


def test_a_manifest_tells_keys_apart_and_gives_none_away() -> None:
    told = manifest(RING.rotated(NOW))
    assert set(told) == {"1", "2", "look_up"}
    assert all(len(fingerprint) == 8 for fingerprint in told.values())
    for key in (RING.keys[1], RING.look_up_key):
        assert not any(form in str(told) for form in (key.hex()[:8], base64.b64encode(key).decode()[:8]))


@given(DIGITS, st.sampled_from(["", " ", "-", "－", " - "]))
def test_a_number_is_the_same_however_it_is_written(number: str, between: str) -> None:
    written = between.join(number)
    assert digits(written) == digits(number)
    assert RING.look_up(written) == RING.look_up(number)
    wide = number.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert RING.look_up(wide) == RING.look_up(number)


@given(st.text("0123456789", min_size=11, max_size=11), st.sampled_from(["+86", "86", "0086", "+86 ", "(+86)"]))
def test_a_mobile_number_is_the_same_with_the_country_s_prefix(number: str, prefix: str) -> None:
    assert RING.look_up(prefix + number) == RING.look_up(number)


@given(st.text(max_size=40))
def test_a_mask_never_tells_more_than_seven_digits_or_one_character(text: str) -> None:
    known = digits(text)
    shown = [one for one in masked_phone(text) if one.isdigit()]
    assert len(shown) <= 7
    assert len(known) - len(shown) >= 3 or not shown
    name = text.strip()
    assert masked_name(text) == (f"{name[0]}**" if name else "")


def refusal_of(contact: Contact) -> ContactEmpty | PhoneUnusable | None:
    try:
        check(contact, "contact")
    except (ContactEmpty, PhoneUnusable) as refusal:
        return refusal
    return None


@given(TEXTS, st.one_of(st.text(max_size=40), DIGITS))
def test_a_contact_is_sealed_field_by_field_or_refused_without_a_quotation(name: str, phone: str) -> None:
    contact, issue = Contact(name=name, phone=phone), UUID(int=7)
    refusal = refusal_of(contact)
    if refusal:
        assert refusal.field == "contact.phone"
        assert set(refusal.facts) <= {"least", "most"}
        return
    assert not phone.strip() or 5 <= len(digits(phone)) <= 20
    for field in seal(RING, DISTRICT, issue, contact):
        opened = RING.open(field.sealed, Place(DISTRICT, issue, field.field))
        assert opened == (name if field.field == "contact_name" else phone).strip()
        assert (field.look_up is not None) == (field.field == "contact_phone")


def test_a_veiled_contact_is_the_same_for_the_same_values_under_the_same_ring() -> None:
    contact = Contact(name="张秀英", phone="13812341234")
    other = KeyRing(keys=RING.keys, look_up_key=b"m" * KEY_BYTES)
    assert veiled(RING, contact) == veiled(RING, Contact(name="张秀英", phone="13812341234"))
    assert veiled(RING, contact) != veiled(other, contact)
    assert veiled(RING, contact) != veiled(RING, Contact(name="张秀英", phone="13812341235"))
