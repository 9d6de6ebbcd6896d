"""Every setting of the program, read once from the environment."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from maps import base_maps
from surveys.people.people import Role

BaseMap = Literal["none", "osm", "tianditu", "amap"]
LISTS = frozenset({"trusted_proxies", "second_factor_roles"})  # written with commas


class InvalidSetting(Exception):
    """An environment variable holds something that the program cannot use."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an installation may set; each field is the environment variable `variable(name)`."""

    data: Annotated[Path, Meta(description="folder of the embedded database and everything else kept on disk")] = Path(
        "data"
    )
    keys: Annotated[
        Path | None, Meta(description="file of the key ring, outside ZOUFANG_DATA; beside it when not set")
    ] = None
    host: Annotated[str, Meta(description="address that `serve` listens on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port that `serve` and `demo` listen on")] = 8000
    database_url: Annotated[
        str | None, Meta(description="PostgreSQL 15 or newer as the role zoufang_app; embedded when not set")
    ] = None
    migration_database_url: Annotated[
        str | None, Meta(description="the same database as the role that owns and migrates")
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="addresses or networks, comma-separated, whose forwarded headers are believed"),
    ] = ()
    public_url: Annotated[
        str | None, Meta(description="the address at which people reach the program, as https://visits.example")
    ] = None
    session_hours: Annotated[int, Meta(ge=1, le=24 * 30, description="hours after which a browser signs in again")] = 12
    session_idle_minutes: Annotated[
        int,
        Meta(ge=1, le=24 * 60, description="minutes without a request after which a password has to be given again"),
    ] = 120
    password_least_length: Annotated[int, Meta(ge=8, le=64, description="characters that a password has at least")] = 10
    password_checks: Annotated[
        int, Meta(ge=1, le=16, description="passwords that one process checks at once, each in 19 MiB")
    ] = 1
    lock_out_failures: Annotated[
        int, Meta(ge=3, le=100, description="wrong passwords from one place after which it has to wait")
    ] = 5
    lock_out_minutes: Annotated[int, Meta(ge=1, le=24 * 60, description="minutes that it then has to wait")] = 15
    known_browser_days: Annotated[
        int, Meta(ge=1, le=400, description="days that a browser stays known, which others' failures do not lock out")
    ] = 180
    device_days: Annotated[int, Meta(ge=1, le=1_000, description="days after which a phone signs in again")] = 365
    one_time_code_days: Annotated[int, Meta(ge=1, le=90, description="days that a one-time code can be used")] = 14
    second_factor_roles: Annotated[
        tuple[Role, ...],
        Meta(description="roles, comma-separated, that must have a second factor, as administrator,auditor"),
    ] = ()
    font: Annotated[
        Path | None,
        Meta(description="font file with Chinese characters for printed pages, instead of what comes along"),
    ] = None
    base_map: Annotated[BaseMap, Meta(description="tiles under the map: none, osm, tianditu or amap")] = "none"
    base_map_key: Annotated[str | None, Meta(description="the base map provider's key, where it needs one")] = None
    pool_size: Annotated[
        int, Meta(ge=2, le=64, description="database connections of one process, for reads and moves")
    ] = 6
    columns_megabytes: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="megabytes of issues that one process keeps in memory to count them"),
    ] = 1_024
    filing_connections: Annotated[
        int, Meta(ge=1, le=8, description="further connections on which visits that arrive together are filed")
    ] = 2
    filing_queue: Annotated[
        int, Meta(ge=1, le=100_000, description="visits that may wait to be filed before 503 is answered")
    ] = 2_000
    jobs: Annotated[Literal["on", "off"], Meta(description="whether `serve` runs the background jobs: on or off")] = (
        "on"
    )
    inside_addresses: Annotated[
        Literal["on", "off"],
        Meta(description="whether webhooks and channels may lead to private addresses and plain http: on or off"),
    ] = "off"
    filing_burst: Annotated[
        int, Meta(ge=500, le=10_000_000, description="visits that one person may file at once, as a phone's backlog")
    ] = 30_000
    filing_per_minute: Annotated[
        int, Meta(ge=1, le=1_000_000, description="visits that one person may file each minute after that")
    ] = 600
    sign_in_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="tries to sign in from one address at once")] = (
        30
    )
    sign_in_per_minute: Annotated[
        int, Meta(ge=1, le=1_000_000, description="tries to sign in from one address each minute after that")
    ] = 30
    page_burst: Annotated[
        int, Meta(ge=1, le=1_000_000, description="pages without sign-in that one address may open at once")
    ] = 600
    page_per_minute: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="pages without sign-in that one address may open each minute after that"),
    ] = 300
    card_burst: Annotated[
        int, Meta(ge=1, le=10_000_000, description="pages that may be opened with one contact card at once")
    ] = 120
    card_per_minute: Annotated[
        int,
        Meta(ge=1, le=10_000_000, description="pages that may be opened with one contact card each minute after that"),
    ] = 60
    card_reports_per_day: Annotated[
        int, Meta(ge=1, le=10_000, description="problems that may be reported through one contact card a day")
    ] = 20
    exports: Annotated[
        int, Meta(ge=1, le=16, description="files of what lists show that one process makes at a time")
    ] = 2
    export_hours: Annotated[
        int, Meta(ge=1, le=24 * 90, description="hours after which a file that was made by a job is removed")
    ] = 72
    body_seconds: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds that a request's body may take, and more for one that is large")
    ] = 30
    answer_seconds: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds after which an answer that has not begun is given up")
    ] = 60
    attachments: Annotated[
        Annotated[str, Meta(pattern="^s3://[^/]+")] | None,
        Meta(description="where photos and files lie, as s3://bucket/prefix; in ZOUFANG_DATA when not set"),
    ] = None
    attachment_megabytes: Annotated[
        int, Meta(ge=1, le=100, description="megabytes that a photo or file may have as it comes")
    ] = 25
    picture_processes: Annotated[
        int, Meta(ge=1, le=16, description="photos that one process has checked and made smaller at a time")
    ] = 1
    metrics_token: Annotated[
        Annotated[str, Meta(min_length=16)] | None,
        Meta(description="what Prometheus shows to read /metrics; without it only this machine reads them"),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least severe log line that is written")
    ] = "info"

    @property
    def key_file(self) -> Path:
        """Where the key ring lies."""
        return self.keys or self.data.with_name(f"{self.data.name}-keys") / "keys.json"

    def __post_init__(self) -> None:
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(f"{proxy!r} is neither an address nor a network") from None
        try:
            base_maps.chosen(self.base_map, self.base_map_key)
        except base_maps.KeyMissing:
            raise ValueError(f"the base map {self.base_map} needs ZOUFANG_BASE_MAP_KEY") from None


def variable(field: str) -> str:
    """The environment variable of a field: the two database URLs keep the names that every host uses."""
    return field.upper() if field.endswith("database_url") else f"ZOUFANG_{field.upper()}"


def descriptions() -> dict[str, str]:
    """Every variable and what it is for."""
    hints = get_type_hints(Settings, include_extras=True)
    return {variable(name): _description(hints[name]) for name in Settings.__struct_fields__}


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; an empty variable counts as not set. Raises InvalidSetting by its name."""
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(variable(name), "").strip()
        if text:
            values[name] = tuple(part.strip() for part in text.split(",")) if name in LISTS else text
    _refuse_unknown(environment)
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise InvalidSetting(_by_variable(str(error))) from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = set(descriptions())
    for name in environment:
        if (
            name.startswith("ZOUFANG_")
            and name not in known
            and not name.startswith(("ZOUFANG_TEST_", "ZOUFANG_FIELD_"))
        ):
            raise InvalidSetting(f"{name} is not a setting; known are {', '.join(sorted(known))}")


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _by_variable(message: str) -> str:
    for name in Settings.__struct_fields__:
        if f"$.{name}" in message:
            return f"{variable(name)}: {message.split(' - at ')[0]}"
    return message


def _description(hint: Any) -> str:
    return next(meta.description or "" for meta in hint.__metadata__ if isinstance(meta, Meta))
