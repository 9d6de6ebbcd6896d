"""What ODK Collect sends of a visit, read out of its XML: the same draft as our own client's, and the names of the
files that come with it.

XML from outside is hostile. It is UTF-8, and nothing that it declares is heeded: a document type, and with it every
entity, is refused before the parser begins; so are more elements than a form has. What is deeper than any form's groups
is refused while it is read."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID, uuid5
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from msgspec import Struct

from surveys.attachments.attachments import Of
from surveys.collect import visit_form
from surveys.questionnaires.questionnaire_fields import Field
from surveys.refusals import Invalid, Missing, Refusal, WrongValue

LARGEST_XML = 2 * 1024 * 1024  # bytes; as a visit that our own client sends
MOST_TAGS = 40_000  # of beginnings and ends; a questionnaire of 5,000 questions has a quarter of them
MOST_ATTRIBUTES = 10_000  # or what looks like one in a text
DEEPEST = 16  # groups within groups
LONGEST_NAME = 255  # characters of a file's
OF_QUESTIONNAIRE = f"{visit_form.FORM_ID}-"  # begins the id of a visit form with a questionnaire in it

_INSTANCE = re.compile(r"uuid:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_FILE = re.compile(
    r"[^/\\\x00-\x1f]{1,240}\.(?:jpe?g|png|webp|heic|gif|bmp|m4a|amr|mp3|wav|mp4|3gpp?|pdf)", re.IGNORECASE
)


class NotXml(Invalid):
    """What came is not well-formed XML in UTF-8."""

    code: ClassVar[str] = "not_xml"


class XmlUnsafe(Invalid):
    """A document type or an entity, more elements than a form has, or deeper ones."""

    code: ClassVar[str] = "xml_unsafe"


class XmlTooLarge(Invalid):
    """More bytes than a form's answers can have; `facts` say how many those are."""

    code: ClassVar[str] = "xml_too_large"


class UnknownForm(Refusal):
    """A form that is not ours."""

    code: ClassVar[str] = "unknown_form"


class Opened(Struct, frozen=True, kw_only=True):
    """A submission by what it says of itself."""

    form: str
    version: str
    instance: UUID
    edits: UUID | None  # the instance that it puts right
    texts: Mapping[str, str]  # of the questions in no group
    groups: Mapping[str, Sequence[Element]]  # by their name, which a repeat has several times

    @property
    def questionnaire(self) -> str | None:
        """The questionnaire that the form has in it; None for the plain one."""
        return self.form.removeprefix(OF_QUESTIONNAIRE) if self.form != visit_form.FORM_ID else None


class Media(Struct, frozen=True):
    """A file that comes with a submission, by its name, and what it belongs to."""

    name: str
    of: Of
    subject: UUID


class Told(Struct, frozen=True, kw_only=True):
    """A visit as a submission tells it: what a draft has, before it is held to one, and the media to come."""

    draft: dict[str, Any]
    media: tuple[Media, ...]


def read(xml: bytes) -> Opened:
    """Open a submission. Raises XmlTooLarge, NotXml, XmlUnsafe, UnknownForm, Missing and WrongValue."""
    root = parse(xml)
    form = root.get("id") or ""
    if form != visit_form.FORM_ID and not form.startswith(OF_QUESTIONNAIRE):
        raise UnknownForm("id", given=form)
    texts, groups = _parts(root)
    meta = _of_group(groups, "meta")
    if "instanceID" not in meta:
        raise Missing("meta/instanceID")
    return Opened(
        form=form,
        version=root.get("version") or "",
        instance=_uuid("meta/instanceID", meta["instanceID"]),
        edits=_uuid("meta/deprecatedID", meta["deprecatedID"]) if "deprecatedID" in meta else None,
        texts=texts,
        groups=groups,
    )


def parse(xml: bytes) -> Element:
    """The elements of an XML text. Raises XmlTooLarge, NotXml and XmlUnsafe."""
    if len(xml) > LARGEST_XML:
        raise XmlTooLarge("xml_submission_file", most=LARGEST_XML)
    declares = b"<!DOCTYPE" in xml or b"<!ENTITY" in xml
    attributes = xml.count(b'="') + xml.count(b"='")
    if declares or xml.count(b"<") > MOST_TAGS or attributes > MOST_ATTRIBUTES:
        raise XmlUnsafe("xml_submission_file")
    try:
        return ElementTree.fromstring(xml.decode())  # noqa: S314 -- as text, so that no encoding hides what was looked for
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        raise NotXml("xml_submission_file") from None


def tell(opened: Opened, visit: UUID, questions: Sequence[Field] | None = None) -> Told:
    """What a submission tells of a visit; of a questionnaire whose questions are not known, the answers are read by
    what they look like. Raises XmlUnsafe and WrongValue."""
    texts, groups = opened.texts, opened.groups
    ended_at = texts.get("visit_ended_at") or texts.get("visit_started_at")
    any_problems = texts.get("visit_problems") != "no"  # of a version that did not ask, what is there counts
    issues = list(_issues(groups.get("issue", ()), visit, ended_at)) if any_problems else []
    draft: dict[str, Any] = _without_blanks(
        id=str(visit),
        via="collect",
        campaign=texts.get("visit_campaign"),
        premises=_door(texts, _of_group(groups, "visit_found"), visit),
        started_at=texts.get("visit_started_at"),
        ended_at=ended_at,
        outcome=texts.get("visit_outcome"),
        position=_position(texts.get("visit_position")),
        contact_card=texts.get("visit_contact_card", "").strip() or None,
        note=texts.get("visit_note"),
    )
    draft["issues"] = [issue for issue, _ in issues]
    media = [one for _, its in issues for one in its]
    if opened.questionnaire is not None:
        node = next(iter(groups.get(visit_form.ANSWERS, ())), None)
        values, names = _answers(node, questions) if node is not None else ({}, [])
        draft["answers"] = {"questionnaire": opened.questionnaire, "version": opened.version, "values": values}
        media += [Media(name, "visit", visit) for name in names]
    return Told(draft=draft, media=tuple({one.name: one for one in media}.values()))


def _without_blanks(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _named(node: Element) -> str:
    """An element's name without its namespace."""
    tag = node.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def _parts(node: Element) -> tuple[dict[str, str], dict[str, list[Element]]]:
    """What stands in the elements of a node that have none below them, without blank ones; and the others by name."""
    texts: dict[str, str] = {}
    groups: dict[str, list[Element]] = {}
    for child in node:
        if len(child):
            groups.setdefault(_named(child), []).append(child)
        elif (text := child.text) and not text.isspace():
            texts[_named(child)] = text
    return texts, groups


def _of_group(groups: Mapping[str, Sequence[Element]], name: str) -> dict[str, str]:
    """The texts of a group that stands once; none where it does not stand."""
    return _parts(groups[name][0])[0] if name in groups else {}


def _uuid(field: str, text: str) -> UUID:
    match = _INSTANCE.fullmatch(text.strip())
    if match is None:
        raise WrongValue(field, expected="uuid:…")
    return UUID(match[1])


def found_door(visit: UUID) -> UUID:
    """The id of the door that a visit was the first to name."""
    return uuid5(visit, "door")


def _door(texts: Mapping[str, str], found: Mapping[str, str], visit: UUID) -> dict[str, str]:
    """The door: of the register, as the phone knew it, or one that is not on the member's list."""
    if "visit_door" in texts:
        known = {name: texts[f"visit_door_{name}"] for name in ("kind", "name") if f"visit_door_{name}" in texts}
        return {"id": texts["visit_door"], "address": texts.get("visit_door_address", "")} | known
    described = {name: found[f"visit_found_{name}"] for name in ("kind", "name") if f"visit_found_{name}" in found}
    return {"id": str(found_door(visit)), "address": found.get("visit_found_address", "")} | described


def _position(text: str | None) -> dict[str, Any] | None:
    """A geopoint: latitude, longitude, altitude and accuracy. One placed on a map has no accuracy."""
    if text is None:
        return None
    try:
        lat, lon, _, accuracy = ([float(part) for part in text.split()] + [0.0, 0.0])[:4]
    except ValueError:
        raise WrongValue("visit_position", expected="34.7466 113.6253 0 12") from None
    if accuracy <= 0:
        return {"lon": lon, "lat": lat, "source": "map"}
    return {"lon": lon, "lat": lat, "accuracy_m": accuracy, "source": "gps"}


PHOTOS = ("issue_photo", "issue_photo_2", "issue_photo_3")


def _issues(
    nodes: Sequence[Element], visit: UUID, ended_at: str | None
) -> Iterator[tuple[dict[str, Any], list[Media]]]:
    """The problems, each with its photos; an empty repeat, as a form that was looked at leaves it, is none."""
    for at, node in enumerate(nodes):
        texts, _ = _parts(node)
        if "issue_category" not in texts and "issue_title" not in texts:
            continue
        issue_id = uuid5(visit, f"issue {at}")
        solved = {"how": texts.get("issue_how", ""), "at": ended_at} if texts.get("issue_solved") == "yes" else None
        contact = {
            name: texts[f"issue_contact_{name}"] for name in ("name", "phone") if f"issue_contact_{name}" in texts
        }
        issue = _without_blanks(
            id=str(issue_id),
            category=texts.get("issue_category"),
            title=texts.get("issue_title"),
            description=texts.get("issue_description"),
            urgency=texts.get("issue_urgency"),
            solved_on_spot=solved,
            contact=contact or None,
        )
        names = [texts[name] for name in PHOTOS if name in texts]
        yield issue, [Media(name[:LONGEST_NAME], "issue", issue_id) for name in names]


def _answers(node: Element, questions: Sequence[Field] | None) -> tuple[dict[str, Any], list[str]]:
    """The answers by question, groups flattened and repeats as lists, and the names of the files among them."""
    names: list[str] = []
    known = None if questions is None else {question.name: question for question in questions}
    return _values(node, known, names, 1), names


def _values(node: Element, known: Mapping[str, Field] | None, names: list[str], depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise XmlUnsafe("xml_submission_file")
    values: dict[str, Any] = {}
    repeated = _repeated(node, known)
    for child in node:
        name = _named(child)
        if name in repeated:
            question = known.get(name) if known is not None else None
            below = {one.name: one for one in question.fields} if question else known
            if entry := _values(child, below, names, depth + 1):
                values.setdefault(name, []).append(entry)
        elif len(child):
            values |= _values(child, known, names, depth + 1)
        elif child.text and not child.text.isspace():
            values[name] = _value(name, child.text, known, names)
    return values


def _repeated(node: Element, known: Mapping[str, Field] | None) -> set[str]:
    """The names of a node's repeats: as the questionnaire says or, where it is not known, what stands there twice."""
    below = [_named(child) for child in node if len(child)]
    if known is None:
        return {name for name, count in Counter(below).items() if count > 1}
    return {name for name in below if name in known and known[name].type == "repeat"}


def _value(name: str, text: str, known: Mapping[str, Field] | None, names: list[str]) -> Any:
    question = known.get(name) if known is not None else None
    if (question is not None and question.type == "file") or (known is None and _FILE.fullmatch(text)):
        names.append(text[:LONGEST_NAME])
        return {"name": text[:LONGEST_NAME]}
    return text
