"""The rates and the coverage of campaigns as files, with the doors that coverage counts."""

from collections.abc import Mapping
from typing import Annotated, Any

from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter

from api import coverage as coverage_routes
from api.export_tables import CoverageDoors
from api.exports import ALL_FORMATS, CSV, GEOJSON, GPKG, XLSX, Format, file_route
from api.figure_tables import Coverage, Rates
from surveys.counting import issue_query, rates
from surveys.coverage import coverage, coverage_query
from surveys.refusals import InvalidFilter

Hours = Annotated[bool, QueryParameter(description="whether to tell how many hours it took, which takes longer")]


def _rates(areas: bool) -> Any:
    usual: rates.By = "community" if areas else "district"

    def table(
        filters: NamedDependency[issue_query.Filters], by: FromQuery[rates.By] = usual, hours: Hours = True
    ) -> Rates:
        """Raises InvalidFilter for areas of what has none."""
        if areas and by != "community":
            raise InvalidFilter("by", expected="community")
        return Rates(filters=filters, by=by, hours=hours)

    return table


def _coverage(areas: bool) -> Any:
    def table(
        campaign: FromPath[str],
        door_filters: NamedDependency[coverage_query.Filters],
        by: FromQuery[coverage.By] = "community",
    ) -> Coverage:
        """Raises InvalidFilter for areas of what has none."""
        if areas and by != "community":
            raise InvalidFilter("by", expected="community")
        return Coverage(campaign=campaign, filters=door_filters, by=by)

    return table


def _doors(campaign: FromPath[str], door_filters: NamedDependency[coverage_query.Filters]) -> CoverageDoors:
    return CoverageDoors(campaign=campaign, filters=door_filters)


ASKED: Mapping[str, Provide] = {"door_filters": Provide(coverage_routes.door_filters)}
OF_DOORS = coverage_query.Filters.__struct_fields__


def _rate_route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        "/api/rates",
        format,
        name="rates",
        what="Rates",
        table=_rates(format in (GEOJSON, GPKG)),
        known=(*issue_query.Filters.__struct_fields__, "by", "hours"),
    )


def _coverage_route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        "/api/campaigns/{campaign:str}/coverage",
        format,
        name="coverage",
        what="Coverage of a campaign",
        table=_coverage(format is GPKG),
        known=(*OF_DOORS, "by"),
        refuses=(404,),
        dependencies=ASKED,
    )


def _door_route(format: Format) -> Any:  # noqa: A002 - the field's word
    return file_route(
        "/api/campaigns/{campaign:str}/coverage/doors",
        format,
        name="coverage_doors",
        what="Doors of a campaign",
        table=_doors,
        known=OF_DOORS,
        refuses=(404,),
        dependencies=ASKED,
    )


ROUTES = [
    *[_rate_route(format_) for format_ in ALL_FORMATS],
    *[_coverage_route(format_) for format_ in (CSV, XLSX, GPKG)],  # as GeoJSON it is a layer of the map as well
    *[_door_route(format_) for format_ in ALL_FORMATS],
]
