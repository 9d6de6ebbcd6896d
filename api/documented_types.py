"""Types that the framework would document wrongly."""

from litestar._openapi.schema_generation import SchemaCreator
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import KwargDefinition
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition


class Tuples(OpenAPISchemaPlugin):
    """`tuple[X, ...]` with a bound is a list of X; of the dots the framework makes an item that can be anything."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Called for each type that is documented."""
        inner = field_definition.inner_types
        return field_definition.origin is tuple and len(inner) == 2 and inner[1].annotation is Ellipsis

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """The list, with its bounds."""
        bounds = field_definition.kwarg_definition
        schema = Schema(
            type=OpenAPIType.ARRAY, items=schema_creator.for_field_definition(field_definition.inner_types[0])
        )
        if isinstance(bounds, KwargDefinition):
            schema.min_items = bounds.min_items or bounds.min_length
            schema.max_items = bounds.max_items or bounds.max_length
        return schema
