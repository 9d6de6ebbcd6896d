"""Which columns of a list of doors stand for what: its usual headings, a mapping in TOML, or both.

A list may say who lives behind a door. The register does not: what looks like a resident's name is left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from maps.coordinates import System
from surveys.issues.placing import Source
from surveys.ledgers.ledger_mapping import Table, UnusableMapping, Words, decoded
from surveys.premises.premises import PremisesKind

# What a list may tell of a door; each is a column of it.
Field = Literal["code", "kind", "name", "address", "community", "lon", "lat", "accuracy_m", "system"]
FIELDS: tuple[Field, ...] = get_args(Field)
KINDS: tuple[PremisesKind, ...] = get_args(PremisesKind)

# What the columns are usually called; the first that a list has counts. The geometry is that of GeoJSON.
HEADINGS: Mapping[Field, tuple[str, ...]] = {
    "code": (
        "编号", "编码", "代码", "对象编号", "商户编号", "门牌编码", "地址编码", "户号", "统一社会信用代码",
        "code", "number", "premises_code",
    ),
    "kind": ("类型", "类别", "对象类型", "走访对象类型", "kind", "type"),
    "name": (
        "名称", "对象名称", "走访对象", "店名", "店铺名称", "商铺名称", "商户名称", "企业名称", "单位名称", "字号",
        "门牌", "门牌号", "房号", "室号", "name", "premises_name", "shop_name", "company",
    ),
    "address": ("地址", "详细地址", "经营地址", "注册地址", "经营场所", "住址", "位置", "address"),
    "community": ("社区", "社区名称", "所属社区", "社区代码", "社区编码", "社区/村", "community", "community_code"),
    "lon": ("geometry/lon", "经度", "lon", "lng", "longitude", "x"),
    "lat": ("geometry/lat", "纬度", "lat", "latitude", "y"),
    "accuracy_m": ("精度", "精度（米）", "accuracy_m", "accuracy"),
    "system": ("坐标系", "坐标系统", "system", "coordinate_system"),
}  # fmt: skip

_WORDS: Mapping[PremisesKind, tuple[str, ...]] = {
    "shop": ("商铺", "店铺", "门店", "沿街商铺", "沿街门店", "商户", "个体工商户", "个体户", "store"),
    "enterprise": ("企业", "公司", "单位", "工厂", "company", "business"),
    "household": ("居民", "居民户", "住户", "家庭", "住宅", "住房", "home", "dwelling"),
}
KIND_WORDS: dict[str, PremisesKind] = {kind: kind for kind in KINDS} | {
    word: kind for kind, words in _WORDS.items() for word in words
}

# A heading under which the names of those who live there stand.
_RESIDENT = re.compile(
    r"户主|业主|房主|住户姓名|居民姓名|租户|承租人|家庭成员|姓名"
    r"|house\s*holder|head of (?:the )?household|resident(?!s?['’]?[ _]?committee)|tenant|occupant"
    r"|owner.?s?.?name|full.?name|surname",
    re.IGNORECASE,
)

Column: TypeAlias = str


class Kinds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words are which kinds of doors, beside those that everybody uses."""

    words: Mapping[str, PremisesKind] = {}


class Communities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words are which communities, beside codes and names."""

    codes: Words = {}


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds where a list says nothing."""

    kind: PremisesKind | None = None
    system: System = "wgs84"
    position_source: Source = "address"


class PremisesMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file, as it is written; a field without a column has its usual heading."""

    columns: dict[Field, str] = {}
    table: Table = Table()
    kinds: Kinds = Kinds()
    communities: Communities = Communities()
    defaults: Defaults = Defaults()


class Columns(Struct, frozen=True):
    """Which column of a list tells which field, and which are left out because residents' names stand there."""

    of: Mapping[Field, Column]
    residents: tuple[Column, ...]


def read(text: str) -> PremisesMapping:
    """A mapping from the text of its file. Raises UnusableMapping: where the text is no TOML, with its line."""
    return decoded(text, PremisesMapping, known={"columns": FIELDS, "words": KINDS})


def columns(mapping: PremisesMapping, present: Sequence[str]) -> Columns:
    """The columns of a list that has these. Raises UnusableMapping where one is named that it has not, where nothing
    tells the doors apart, or where one coordinate comes without the other."""
    named = [column for column in present if column]
    missing = [column for column in mapping.columns.values() if column not in named]
    if missing:
        raise UnusableMapping("columns_missing", missing=", ".join(missing), columns=", ".join(named))
    folded = {column.casefold(): column for column in reversed(named)}
    of: dict[Field, Column] = {}
    for field in FIELDS:
        usual = next((folded[heading] for heading in HEADINGS[field] if heading in folded), None)
        if column := mapping.columns.get(field) or usual:
            of[field] = column
    if "name" not in of and "address" not in of:
        raise UnusableMapping("field_not_mapped", field="name")
    for field, other in (("lon", "lat"), ("lat", "lon")):
        if field in of and other not in of:
            raise UnusableMapping("field_not_mapped", field=other)
    if "kind" not in of and mapping.defaults.kind is None:
        raise UnusableMapping("field_not_mapped", field="kind")
    return Columns(of, tuple(column for column in named if names_residents(column)))


def names_residents(heading: str) -> bool:
    """Whether the names of those who live behind the doors seem to stand below a heading."""
    return _RESIDENT.search(heading) is not None
