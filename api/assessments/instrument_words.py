"""What is wrong with an instrument, in words: by sheet, row and column, in the reader's language."""

from collections.abc import Mapping

from msgspec import Struct

from api import xlsform_faults
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instrument_sheets import COLUMNS, SHEETS

Words = tuple[str, str]  # Chinese, English

REASONS: Mapping[str, Words] = {
    "not_a_spreadsheet": (
        "不是表格：应为 Excel 工作簿（.xlsx）或 UTF-8、GB18030 编码的 CSV",
        "this is no spreadsheet: a workbook (.xlsx) or CSV in UTF-8 or GB18030 is expected",
    ),
    "sheet_repeated": ("工作表“{value}”有两张", "the sheet {value} stands twice"),
    "value_missing": ("没有填写", "nothing stands here"),
    "text_too_long": ("有 {count} 个字，最多 {most} 个", "it has {count} characters; at most {most} are taken"),
    "looks_like_formula": (
        "“{value}”像公式：文字不能以 = + - @ 开头",
        "{value} looks like a formula: a text does not begin with = + - @",
    ),
    "code_unusable": (
        "编号“{value}”不能用：以字母或数字开头，只含字母、数字、_ - .，最多 20 个",
        "the code {value} cannot be used: it begins with a letter or digit, and has at most 20 of these and _ - .",
    ),
    "not_a_number": ("“{value}”不是数字", "{value} is no number"),
    "out_of_range": ("{value} 不在 {least} 到 {most} 之间", "{value} does not lie between {least} and {most}"),
    "too_fine": (
        "{value} 的小数位太多，应为 {finest} 的倍数",
        "{value} is too fine; a multiple of {finest} is expected",
    ),
    "word_unknown": ("没有“{value}”；可以写：{known}", "there is no {value}; known are: {known}"),
    "word_repeated": ("“{value}”写了两次", "{value} stands twice"),
    "repeated": ("“{value}”与第 {other} 行相同", "{value} stands in row {other} already"),
    "setting_missing": ("没有这一项：{value}", "this setting is missing: {value}"),
    "weights_not_100": (
        "权重合计 {value}，应为 100（20% 写作 20）",
        "the weights sum to {value}; 100 is expected (20 % is written 20)",
    ),
    "heading_weight": (
        "权重是 {given}，其下评分项的权重合计 {value}，两者应相等",
        "its weight is {given}, that of its items sums to {value}; the two must be equal",
    ),
    "heading_unknown": ("工作表 headings 里没有编号“{value}”", "the sheet headings has no code {value}"),
    "heading_without_items": ("“{value}”下没有评分项", "{value} has no items"),
    "group_without_row": ("工作表 groups 里没有“{value}”", "the sheet groups has no row for {value}"),
    "nobody_rates": (
        "没有评价人，也没有事实：应填其中一样",
        "nobody rates it and no fact fills it; one of the two is expected",
    ),
    "without_fact": ("没有选事实，这里应为空", "it has no fact; this must be empty"),
    "fact_points_unusable": (
        "“{value}”不能用：写作 0..40（按比例）或 95=100; 90=80（按档）",
        "{value} cannot be used: 0..40 (in proportion) or 95=100; 90=80 (by steps) is expected",
    ),
    "steps_not_falling": (
        "“{value}”应从高到低写，值和百分比都逐档降低",
        "{value} must begin with the highest; values and percentages fall from step to step",
    ),
    "not_falling": (
        "{value} 应低于上一行的 {above}",
        "{value} must be less than the {above} of the row above",
    ),
}


class Told(Struct, frozen=True):
    """One thing that is wrong, in words."""

    sheet: str | None
    row: int | None
    column: str | None
    reason: str
    text: str


def told(fault: Fault, language: str) -> Told:
    """A fault with its place by the names that the reader's sheet has."""
    english = language == "en"
    words = (REASONS.get(fault.reason) or xlsform_faults.REASONS[fault.reason])[english]
    called = COLUMNS.get(fault.sheet, {}).get(fault.column)
    sheet = fault.sheet if english else SHEETS.get(fault.sheet, fault.sheet)
    return Told(
        sheet=sheet or None,
        row=fault.row,
        column=(fault.column if english or called is None else called[0]) or None,
        reason=fault.reason,
        text=words.format_map(_Known(fault.facts)),
    )


class _Known(dict[str, object]):
    """The facts of a fault; one that is not there is left as it is named."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def line(fault: Fault, language: str) -> str:
    """Where and what, as one line."""
    one = told(fault, language)
    if language == "en":
        where = ", ".join(
            f"{word} {value}"
            for word, value in (("sheet", one.sheet), ("row", one.row), ("column", one.column))
            if value
        )
        return f"{where}: {one.text}" if where else one.text
    parts = [f"工作表 {one.sheet}" if one.sheet else "", f"第 {one.row} 行" if one.row else ""]
    where = "，".join(part for part in [*parts, f"列 {one.column}" if one.column else ""] if part)
    return f"{where}：{one.text}" if where else one.text


def in_words(refusal: InstrumentUnusable, language: str) -> InstrumentUnusable:
    """The refusal with all its faults in the reader's language."""
    faults = [told(fault, language) for fault in refusal.faults[: xlsform_faults.MOST_TOLD]]
    return InstrumentUnusable(refusal.faults, first=line(refusal.faults[0], language), told=faults)
