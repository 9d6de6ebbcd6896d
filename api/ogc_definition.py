"""The definition of our OGC API Features in OpenAPI 3.0, which that standard names; the program's own document is of
3.1 and describes everything else."""

from typing import Any, get_args

from api import ogc_questions
from api.ogc_documents import COLLECTIONS, GEOJSON, HTML, JSON, OPENAPI, PREFIX, Address, Document
from api.ogc_features import COMMUNITY_FILTERS
from surveys.counting.rate_terms import Rate
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import Asked, Origin
from surveys.issues.placing import Certainty
from surveys.issues.workflow import Group, State

PROBLEM = "application/problem+json"

TEXT = {"type": "string"}
NULLABLE = {"type": "string", "nullable": True}
TIME = {"type": "string", "format": "date-time"}
YES_NO = {"type": "string", "enum": ["yes", "no"]}
DAY = {"type": "string", "format": "date"}


def document(at: Address) -> Document:
    """The whole definition."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Zoufang 走访 · OGC API Features", "version": "1.0.0"},
        "servers": [{"url": f"{at.base}{PREFIX}"}],
        "security": [{"token": []}, {"device": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "device": {"type": "http", "scheme": "basic", "description": "any name; a device's token"},
            },
            "parameters": {parameter["name"]: parameter for parameter in _parameters()},
            "schemas": _schemas(),
            "responses": {"Problem": _answered("What is wrong, by its parameter", {PROBLEM: _ref("schemas/Problem")})},
        },
    }


def _paths() -> Document:
    paths = {
        "/": _read("landing", "Where everything is found", [], JSON, "Landing"),
        "/conformance": _read("conformance", "What is conformed to", [], JSON, "Conformance"),
        "/api": _read("api", "This definition", [], OPENAPI, "Any"),
        "/collections": _read("collections", "The collections", [], JSON, "Collections"),
    }
    page = ["limit", "cursor", "bbox", "bbox-crs", "datetime", "crs"]
    filters = {"communities": [*COMMUNITY_FILTERS], "issues": [parameter["name"] for parameter in _of_issues()]}
    for one in COLLECTIONS.values():
        at, title = f"/collections/{one.id}", one.title
        paths[at] = _read(f"{one.id}.describe", title, [], JSON, "Collection")
        paths[f"{at}/items"] = _read(f"{one.id}.items", title, [*page, *filters[one.id]], GEOJSON, "Features")
        paths[f"{at}/items/{{featureId}}"] = _read(f"{one.id}.item", title, ["featureId", "crs"], GEOJSON, "Feature")
    return paths


def _read(name: str, summary: str, parameters: list[str], kind: str, schema: str) -> Document:
    answers = {kind: _ref(f"schemas/{schema}"), HTML: {"type": "string"}}
    wrong = {str(status): _ref("responses/Problem") for status in (400, 401, 403, 404, 406, 429, 503)}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": [_ref(f"parameters/{one}") for one in ("f", "lang", *parameters)],
            "responses": {"200": _answered(summary, answers)} | wrong,
        }
    }


def _answered(words: str, kinds: Document) -> Document:
    return {"description": words, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


def _ref(where: str) -> Document:
    return {"$ref": f"#/components/{where}"}


def _parameters() -> list[Document]:
    box = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
    crs = {"type": "string", "format": "uri", "enum": list(ogc_questions.SYSTEMS), "default": ogc_questions.CRS84}
    limit = {"type": "integer", "minimum": 1, "maximum": ogc_questions.MOST, "default": ogc_questions.USUAL}
    return [
        _query("f", {"type": "string", "enum": ["json", "html"]}, "as a document or as a page"),
        _query("lang", {"type": "string", "enum": ["zh", "en"]}, "the language of titles and pages"),
        _query("limit", limit, "features in one answer"),
        _query("cursor", TEXT, "where a page before ended, as its link `next` says"),
        _query("bbox", box, "west,south,east,north; west may lie east of east, across the date line", explode=False),
        _query("bbox-crs", crs, "what `bbox` is in"),
        _query("crs", crs, "what the answer is in"),
        _query("datetime", TEXT, "a moment, or an interval with `/`, open with `..`, by `reported_at`"),
        {"name": "featureId", "in": "path", "required": True, "schema": TEXT},
        *(_query(name, _list(TEXT), "exactly one of these") for name in COMMUNITY_FILTERS if name != "street"),
        *_of_issues(),
    ]


def _of_issues() -> list[Document]:
    """The filters of the list of issues, as its own document has them."""
    words = {"state": State, "group": Group, "urgency": Urgency, "channel": Channel, "asked": Asked}
    words |= {"certainty": Certainty, "source": Origin}
    texts = (
        "id",
        "community",
        "street",
        "category",
        "owner",
        "department",
        "organisation",
        "offered_to",
        "leader",
        "agent",
    )
    return [
        *(_query(name, _list(TEXT), "one of these") for name in texts),
        *(
            _query(name, _list({"type": "string", "enum": [*get_args(kind)]}), "one of these")
            for name, kind in words.items()
        ),
        _query("overdue", {"type": "boolean"}, "past their limit, or not"),
        _query("waiting", YES_NO, "for somebody else than its owner"),
        _query("returned", YES_NO, "back to its owner, who has not gone on with it"),
        _query("provisional", YES_NO, "due in a year whose holidays are not published yet"),
        _query("placed", YES_NO, "with a place, or without"),
        _query("text", {"type": "string", "minLength": 2, "maxLength": 100}, "in title or description"),
        _query("reported_from", DAY, "reported on this day or later"),
        _query("reported_to", DAY, "reported on this day or earlier"),
        _query("due_from", DAY, "due on this day or later"),
        _query("due_to", DAY, "due on this day or earlier"),
        _query("as_of", DAY, "as they were at the end of this day"),
        _query("known_at", TIME, "as it was known then"),
        _query("rate", {"type": "string", "enum": [*get_args(Rate)]}, "what this rate counts"),
        _query("met", YES_NO, "of what `rate` counts, what meets it"),
    ]


def _query(name: str, schema: Document, words: str, *, explode: bool = True) -> Document:
    return {"name": name, "in": "query", "description": words, "schema": schema, "style": "form", "explode": explode}


def _list(of: Document) -> Document:
    return {"type": "array", "items": of}


def _object(required: list[str], **properties: Any) -> Document:
    return {"type": "object", "required": required, "properties": properties}


def _schemas() -> Document:
    link = _object(["href", "rel"], href=TEXT, rel=TEXT, type=TEXT, title=TEXT)
    links = _list(_ref("schemas/Link"))
    feature = _object(
        ["type", "id", "geometry", "properties"],
        type={"type": "string", "enum": ["Feature"]},
        id=TEXT,
        geometry={"type": "object", "nullable": True},
        properties={"type": "object"},
        links=links,
    )
    count = {"type": "integer", "minimum": 0}
    return {
        "Any": {"type": "object"},
        "Link": link,
        "Landing": _object(["links"], title=TEXT, description=TEXT, links=links),
        "Conformance": _object(["conformsTo"], conformsTo=_list(TEXT)),
        "Collections": _object(["links", "collections"], links=links, collections=_list(_ref("schemas/Collection"))),
        "Collection": _object(
            ["id", "links"],
            id=TEXT,
            title=TEXT,
            description=TEXT,
            itemType=TEXT,
            extent={"type": "object"},
            crs=_list(TEXT),
            storageCrs=TEXT,
            links=links,
        ),
        "Features": _object(
            ["type", "features"],
            type={"type": "string", "enum": ["FeatureCollection"]},
            timeStamp=TIME,
            numberMatched=count,
            numberReturned=count,
            links=links,
            features=_list(_ref("schemas/Feature")),
        ),
        "Feature": feature,
        "Problem": _object(
            ["type", "title", "status", "code"], type=TEXT, title=TEXT, status=count, code=TEXT, field=NULLABLE
        ),
    }
