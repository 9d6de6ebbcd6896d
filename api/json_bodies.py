"""Request bodies: decoded once, strictly, with the field that is wrong and what was expected there."""

import re
from collections.abc import Generator
from typing import Any, NoReturn, TypeVar

import msgspec
from litestar._openapi.schema_generation import SchemaCreator
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.types.serialization import LitestarEncodableType
from litestar.typing import FieldDefinition
from msgspec import Struct, inspect

from surveys.refusals import Invalid, Missing, TextUnusable, WrongValue

T = TypeVar("T")

_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_QUOTED = re.compile(r"`([^`]*)`")
_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class NotJson(Invalid):
    """A body that is not JSON, or not in UTF-8."""

    code = "not_json"


class UnknownField(Invalid):
    code = "unknown_field"


class WrongMediaType(Invalid):
    """A body that does not come as what is read here; `expected` says as what."""

    code = "not_a_part"


def decode(body: bytes, kind: Any) -> Any:
    """Decode a JSON body into a struct, with texts that can be kept. Raises Invalid, naming the field."""
    decoded = parse(body, kind)
    if b"\\u0000" in body and _NULL.search(body):
        _refuse_null(msgspec.json.decode(body), "")
    return decoded


def parse(body: bytes, kind: Any) -> Any:
    """Decode a JSON body, whatever its texts hold. Raises Invalid, naming the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        refuse(str(error), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(None, reason=str(error)) from None


def refuse(message: str, kind: Any) -> NoReturn:
    """Turn msgspec's words about a wrong value into a refusal."""
    match = _AT.search(message)
    path = match["path"].removeprefix(".") if match else ""
    quoted = _QUOTED.search(message)
    if message.startswith("Object contains unknown field") and quoted:
        raise UnknownField(_join(path, quoted[1]))
    if message.startswith("Object missing required field") and quoted:
        raise Missing(_join(path, quoted[1]))
    raise WrongValue(path or None, expected=named_values(kind, path) or in_words(message))


def in_words(message: str) -> str:
    """What was expected, out of msgspec's words about what was wrong."""
    plain = message.split(" - at ")[0].replace("`", "").replace("RFC3339 encoded", "RFC 3339")
    return re.sub(r"^(Expected|Invalid) |, got .*$", "", plain)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refuse_null(value: object, path: str) -> None:
    """PostgreSQL has no text with U+0000, and no person has one either."""
    if isinstance(value, str):
        if "\x00" in value:
            raise TextUnusable(path or None)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_null(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_null(name, path)
            _refuse_null(item, _join(path, name))


def named_values(kind: Any, path: str) -> str | None:
    """The values that a place in a body can hold, where they are few enough to be named."""
    found: inspect.Type | None = inspect.type_info(kind)
    for part in re.findall(r"[^.\[\]]+", path):
        found = _step(found, part)
    options = [one for option in _options(found) for one in _options(_item(option) or option)]
    values = [value for option in options if isinstance(option, inspect.LiteralType) for value in option.values]
    return " | ".join(str(value) for value in values) if values else None


def _options(found: inspect.Type | None) -> list[inspect.Type]:
    if isinstance(found, inspect.Metadata):
        return _options(found.type)
    return list(found.types) if isinstance(found, inspect.UnionType) else [found] if found else []


def _step(found: inspect.Type | None, part: str) -> inspect.Type | None:
    for option in _options(found):
        if isinstance(option, inspect.StructType):
            return next((field.type for field in option.fields if field.encode_name == part), None)
        if item := _item(option):
            return item
    return None


def _item(found: inspect.Type) -> inspect.Type | None:
    return found.item_type if isinstance(found, inspect.ListType | inspect.VarTupleType) else None


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body with nothing in it."""


class JsonBody(AbstractDTO[T]):
    """Lets a handler's `data` be decoded by `decode`, and documented as what it is."""

    def decode_bytes(self, value: bytes) -> Any:
        return decode(value, self.model_type)

    def decode_builtins(self, value: Any) -> NoReturn:
        raise NotJson(None, reason="application/json")

    def data_to_encodable_type(self, data: Any) -> LitestarEncodableType:
        return data

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        return True

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Nothing is generated: the struct is the body."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False
