"""What OGC API Features says of itself: its pages, collections, links, and conformance."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request
from msgspec import Struct

from api import texts
from api.ogc_questions import CRS84, SYSTEMS
from api.settings import Settings
from surveys.counting.issue_query import Box
from surveys.people.people import District

PREFIX = "/ogc"
JSON, GEOJSON, HTML = "application/json", "application/geo+json", "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"

CONFORMS_TO = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-{part}/1.0/conf/{name}"
    for part, name in ((1, "core"), (1, "oas30"), (1, "geojson"), (1, "html"), (2, "crs"))
)

Document = dict[str, Any]


class Collection(Struct, frozen=True):
    """What there is to read."""

    id: str
    title: str
    description: str


COLLECTIONS: Mapping[str, Collection] = {
    one.id: one
    for one in (
        Collection(
            "communities",
            texts.marked("Communities"),
            texts.marked("The communities' boundaries as they are now"),
        ),
        Collection(
            "issues",
            texts.marked("Issues"),
            texts.marked("The issues within your scope: place, category, state and limit; no contacts"),
        ),
    )
}


class Extent(Struct, frozen=True):
    """Where and since when there is something; None where nothing is known."""

    box: Box | None
    since: datetime | None


class Address(Struct, frozen=True):
    """Where these documents are had: at the address that people know or, without one, at that of the request."""

    base: str
    language: str

    def gettext(self, text: str) -> str:
        """A text in the language that is answered in."""
        return texts.of(self.language).gettext(text)

    say = gettext  # of a text that was marked where it is kept

    def of(self, path: str = "", **parameters: str) -> str:
        """The address of one of them."""
        asked = urlencode(parameters | ({"lang": "en"} if self.language == "en" else {}))
        return f"{self.base}{PREFIX}{path}{'?' if asked else ''}{asked}"

    def link(self, rel: str, kind: str, title: str, path: str = "", **parameters: str) -> Document:
        """A link to one of them."""
        return {"href": self.of(path, **parameters), "rel": rel, "type": kind, "title": title}

    def both(self, path: str = "", kind: str = JSON) -> list[Document]:
        """The links from a document to itself, and to it as a page."""
        return [
            self.link("self", kind, self.gettext("This document"), path, f="json"),
            self.link("alternate", HTML, self.gettext("As a page"), path, f="html"),
        ]


def address(request: Request[Any, Any, Any], language: str) -> Address:
    """Where what a request asks for is had."""
    settings: Settings = request.app.state.settings
    return Address((settings.public_url or str(request.base_url)).rstrip("/"), language)


def landing(at: Address, district: District) -> Document:
    """The first document, from which all others are found."""
    return {
        "title": f"{district.name} · {at.gettext('Zoufang')}",
        "description": at.gettext("Boundaries of the communities, and the issues within your scope"),
        "links": [
            *at.both(),
            at.link("service-desc", OPENAPI, at.gettext("The API's definition"), "/api", f="json"),
            at.link("service-doc", HTML, at.gettext("The API's documentation"), "/api", f="html"),
            at.link("conformance", JSON, at.gettext("What it conforms to"), "/conformance"),
            at.link("data", JSON, at.gettext("The collections"), "/collections"),
        ],
    }


def conformance() -> Document:
    """The classes of requirements that are met."""
    return {"conformsTo": list(CONFORMS_TO)}


def collections(at: Address, extents: Mapping[str, Extent]) -> Document:
    """All collections."""
    return {
        "links": at.both("/collections"),
        "crs": list(SYSTEMS),
        "collections": [collection(at, one, extents[one.id], among=True) for one in COLLECTIONS.values()],
    }


def collection(at: Address, one: Collection, extent: Extent, *, among: bool = False) -> Document:
    """One collection; among the others it refers to their systems of coordinates."""
    path = f"/collections/{one.id}"
    extents: Document = {}
    if extent.box is not None:
        extents["spatial"] = {"bbox": [list(extent.box)], "crs": CRS84}
    extents["temporal"] = {"interval": [[_time(extent.since), None]], "trs": GREGORIAN}
    return {
        "id": one.id,
        "title": at.say(one.title),
        "description": at.say(one.description),
        "itemType": "feature",
        "extent": extents,
        "crs": ["#/crs"] if among else list(SYSTEMS),
        "storageCrs": CRS84,
        "links": [
            *([] if among else at.both(path)),
            at.link("items", GEOJSON, at.gettext("The features"), f"{path}/items", f="json"),
            at.link("items", HTML, at.gettext("The features as a page"), f"{path}/items", f="html"),
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


class Features(Struct, frozen=True, kw_only=True):
    """A page of features, how many there are on all pages, and where the next page begins."""

    features: Sequence[Document]
    matched: int
    next: str | None


def items(at: Address, request: Request[Any, Any, Any], one: Collection, found: Features, now: datetime) -> Document:
    """A page of features as a FeatureCollection."""
    path = f"/collections/{one.id}/items"
    links = [
        _again(at, request, path, "self", GEOJSON, f="json"),
        _again(at, request, path, "alternate", HTML, f="html"),
        at.link("collection", JSON, at.say(one.title), f"/collections/{one.id}"),
    ]
    if found.next:
        links.append(_again(at, request, path, "next", GEOJSON, f="json", cursor=found.next))
    return {
        "type": "FeatureCollection",
        "timeStamp": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "numberMatched": found.matched,
        "numberReturned": len(found.features),
        "links": links,
        "features": found.features,
    }


def _again(at: Address, request: Request[Any, Any, Any], path: str, rel: str, kind: str, **other: str) -> Document:
    """A link that asks the same question once more, but for some parameters."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in other]
    return {"href": f"{at.base}{PREFIX}{path}?{urlencode([*asked, *other.items()])}", "rel": rel, "type": kind}


def feature(at: Address, one: Collection, found: Document) -> Document:
    """A single feature with its links."""
    path = f"/collections/{one.id}/items/{found['id']}"
    links = [
        *at.both(path, GEOJSON),
        at.link("collection", JSON, at.say(one.title), f"/collections/{one.id}"),
    ]
    return {**found, "links": links}
