"""The sheets of an instrument: what their columns and words are called, in English and Chinese, and an instrument
written as such sheets."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from surveys.assessments.instruments import FactCode, Group, Instrument, Item, SubjectKind, Unrated

Cells = dict[str, str]  # by column


class Sheet(Struct, frozen=True):
    """A sheet: its columns by the names that the program has for them, and its rows by number."""

    columns: Sequence[str]
    rows: Mapping[int, Cells]


Sheets = Mapping[str, Sheet]

SHEETS: Mapping[str, str] = {
    "settings": "设置",
    "headings": "一级指标",
    "items": "评分项",
    "groups": "评价人",
    "stars": "星级",
}
# What each column is called in Chinese, and whether the sheet cannot be read without it.
COLUMNS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "settings": {"setting": ("项目", True), "value": ("内容", True)},
    "headings": {
        "code": ("编号", True),
        "name": ("名称", True),
        "name::en": ("英文名称", False),
        "weight": ("权重", True),
    },
    "items": {
        "heading": ("一级指标", True),
        "code": ("编号", True),
        "text": ("评分内容", True),
        "text::en": ("英文内容", False),
        "maximum": ("满分", True),
        "weight": ("权重", True),
        "raters": ("评价人", True),
        "fact": ("事实", False),
        "fact_points": ("事实计分", False),
        "fact_share": ("事实占比", False),
        "evidence": ("佐证", False),
    },
    "groups": {"group": ("评价人", True), "weight": ("权重", True), "least": ("最少人数", True)},
    "stars": {"stars": ("星级", True), "least": ("最低得分率", True), "at_most": ("比例上限", False)},
}
SETTINGS: Mapping[str, str] = {
    "id": "编号",
    "version": "版本",
    "name": "名称",
    "name::en": "英文名称",
    "subject": "考核对象",
    "unrated": "无人评分",
    "tie_breakers": "同分先比",
    "self_shown": "公开自评",
}
SUBJECTS: Mapping[SubjectKind, str] = {"organisation": "党组织", "member": "党员", "window": "服务窗口"}
GROUP_WORDS: Mapping[Group, str] = {"self": "自评", "people": "群众测评", "peers": "互评", "leaders": "领导点评"}
FACT_WORDS: Mapping[FactCode, str] = {
    "visits": "走访次数",
    "coverage": "走访覆盖率",
    "on_time_rate": "按时办结率",
    "satisfaction": "满意率",
    "hours_served": "服务时长",
}
UNRATED_WORDS: Mapping[Unrated, str] = {"leave_out": "不计入", "zero": "记零分"}
YES, NO = ("yes", "是"), ("no", "否")


def sheets_of(instrument: Instrument) -> Sheets:
    """An instrument as the sheets that it can be read from again."""
    rules = instrument.rules
    settings = {
        "id": instrument.id,
        "version": instrument.version,
        "name": instrument.name.get("zh", ""),
        "name::en": instrument.name.get("en", ""),
        "subject": instrument.subject_kind,
        "unrated": rules.unrated,
        "tie_breakers": " ".join(rules.tie_breakers),
        "self_shown": YES[0] if rules.self_shown else NO[0],
    }
    return {
        "settings": _sheet("settings", [{"setting": name, "value": value} for name, value in settings.items()]),
        "headings": _sheet(
            "headings",
            [
                {"code": one.code, "name": one.name, "name::en": one.english, "weight": plain(one.weight)}
                for one in instrument.headings
            ],
        ),
        "items": _sheet("items", [_item(item) for item in instrument.items]),
        "groups": _sheet(
            "groups",
            [
                {"group": group, "weight": plain(one.weight), "least": str(one.least)}
                for group in GROUP_WORDS
                if (one := instrument.groups.get(group))
            ],
        ),
        "stars": _sheet(
            "stars",
            [
                {"stars": str(one.stars), "least": plain(one.least), "at_most": plain(one.most_percent)}
                for one in instrument.stars
            ],
        ),
    }


def _sheet(name: str, rows: Sequence[Cells]) -> Sheet:
    return Sheet(list(COLUMNS[name]), dict(enumerate(rows, start=2)))


def _item(item: Item) -> Cells:
    return {
        "heading": item.heading,
        "code": item.code,
        "text": item.text,
        "text::en": item.english,
        "maximum": plain(item.maximum),
        "weight": plain(item.weight),
        "raters": " ".join(item.raters),
        "fact": item.fact or "",
        "fact_points": _fact_points(item),
        "fact_share": plain(item.fact_share) if item.fact and item.raters else "",
        "evidence": YES[0] if item.evidence else "",
    }


def _fact_points(item: Item) -> str:
    if item.fact_from is not None:
        return f"{plain(item.fact_from)}..{plain(item.fact_to)}"
    return "; ".join(f"{plain(step.least)}={plain(step.percent)}" for step in item.fact_steps)


def plain(value: Decimal | None) -> str:
    """A number as a cell has it: without needless noughts, and never as a power of ten."""
    return "" if value is None else f"{value.normalize():f}"
