"""Writes what the phone client knows of the API: the paths that it uses, taken from the program's own document.

Run `make phone-types` when one of them has changed; a test holds the two equal. The client's types are made of it.
"""

import json
from pathlib import Path
from typing import Any

from litestar.serialization import encode_json

from api.app import create_app
from api.settings import Settings

FILE = Path(__file__).parent / "openapi.json"
USED = (
    ("get", "/api/day"),
    ("post", "/api/devices"),
    ("post", "/api/devices/{device}/revoke"),
    ("get", "/api/colleagues"),
    ("get", "/api/notices"),
    ("post", "/api/notices/seen"),
    ("post", "/api/receipts"),
    ("post", "/api/visits/batch"),
    ("get", "/api/volunteering/services"),
    ("post", "/api/volunteering/services/{service}/bookings"),
    ("get", "/api/volunteering/bookings"),
    ("post", "/api/volunteering/bookings/{booking}/cancellation"),
)


def document() -> dict[str, Any]:
    """The part of the program's OpenAPI document that the phone client uses, with every schema that it names."""
    schema = create_app(Settings(database_url="")).openapi_schema.to_schema()
    whole = _without_examples(json.loads(encode_json(schema)))  # as it is served; examples are thrown dice
    paths: dict[str, Any] = {}
    for method, path in USED:
        paths.setdefault(path, {})[method] = whole["paths"][path][method]
    schemas = whole["components"]["schemas"]
    named = _named(paths, schemas)
    return {
        "openapi": whole["openapi"],
        "info": {"title": whole["info"]["title"], "version": whole["info"]["version"]},
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(named)}},
    }


def written(found: dict[str, Any]) -> str:
    """The document as it stands in the file."""
    return json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _without_examples(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _without_examples(value) for key, value in found.items() if key != "examples"}
    return [_without_examples(one) for one in found] if isinstance(found, list) else found


def _named(paths: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The schemas that these paths name, and those that these name in turn."""
    named: set[str] = set()
    waiting = [json.dumps(paths)]
    while waiting:
        text = waiting.pop()
        found = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]} - named
        named |= found
        waiting += [json.dumps(schemas[name]) for name in found]
    return named


if __name__ == "__main__":
    FILE.write_text(written(document()))
