"""What is wrong with an XLSForm, told by sheet, row and column in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from surveys.refusals import Invalid

Words = tuple[str, str]  # Chinese, English

REASONS: Mapping[str, Words] = {
    "file_too_large": ("文件太大，最多 {most} MB", "the file is too large; at most {most} MB"),
    "unpacked_too_large": (
        "文件解压后超过 {most} MB，没有打开",
        "the file would unpack to more than {most} MB, and was not opened",
    ),
    "not_xlsx": (
        "不是 Excel 工作簿（.xlsx）；旧格式 .xls 或加密的文件请另存为 .xlsx",
        "this is not an Excel workbook (.xlsx); save an old .xls or an encrypted file as .xlsx",
    ),
    "file_broken": ("文件不完整或已损坏，无法打开", "the file was cut off or damaged, and cannot be opened"),
    "has_macros": (
        "文件带宏，不接受；请另存为不带宏的 .xlsx",
        "the file has macros and is not taken; save it as .xlsx without them",
    ),
    "took_too_long": ("处理时间太长，已停止", "it took too long and was given up"),
    "sheet_missing": (
        "缺少工作表“{value}”；文件里有：{sheets}",
        "the sheet {value} is missing; the file has: {sheets}",
    ),
    "sheet_empty": ("工作表里没有内容", "the sheet is empty"),
    "sheet_unsupported": ("本系统不支持这张工作表", "this sheet is not supported here"),
    "column_missing": ("缺少列“{value}”", "the column {value} is missing"),
    "column_repeated": ("列重复", "the column stands twice"),
    "column_unsupported": (
        "本系统不支持这一列（问卷不带图片、音频或文件）",
        "this column is not supported here (a questionnaire comes without pictures, sounds or files)",
    ),
    "too_many_rows": ("有 {count} 行，最多 {most} 行", "it has {count} rows; at most {most} are taken"),
    "cell_too_long": (
        "单元格有 {count} 个字，最多 {most} 个",
        "the cell has {count} characters; at most {most} are taken",
    ),
    "text_unusable": ("含有不可用的字符", "it has a character that no text has"),
    "type_missing": ("没有写题型", "the question has no type"),
    "type_unknown": ("没有这种题型：{value}", "there is no type {value}"),
    "type_unsupported": (
        "本系统不支持这种题型：{value}",
        "the type {value} is not supported here",
    ),
    "name_missing": ("没有写名称", "the question has no name"),
    "name_unusable": (
        "名称“{value}”不能用：应以字母或下划线开头，只含字母、数字、_ - .",
        "the name {value} cannot be used: it begins with a letter or _, and has letters, digits and _ - . only",
    ),
    "name_repeated": ("名称“{value}”与第 {other} 行相同", "the name {value} stands in row {other} already"),
    "name_reserved": (
        "名称“{value}”是走访登记自己用的，请换一个",
        "the name {value} belongs to the visit form; choose another",
    ),
    "list_missing": ("没有写选项列表", "the question names no list of choices"),
    "list_unknown": ("choices 里没有选项列表“{value}”", "there is no list {value} on the sheet choices"),
    "choice_unusable": (
        "选项名称“{value}”不能用：不能含空格，最多 {most} 个字",
        "the choice {value} cannot be used: it must be without spaces and of at most {most} characters",
    ),
    "choice_repeated": ("选项“{value}”与第 {other} 行相同", "the choice {value} stands in row {other} already"),
    "label_missing": ("没有写文字", "it has no label"),
    "reference_unknown": ("没有名称为“{value}”的题目", "there is no question {value}"),
    "expression_broken": (
        "表达式写法有误：{value}",
        "the expression cannot be read: {value}",
    ),
    "function_unknown": ("没有函数 {value}()", "there is no function {value}()"),
    "group_unclosed": ("“{value}”没有结束行", "{value} is never ended"),
    "group_unopened": ("“{value}”没有对应的开始行", "{value} ends what was never begun"),
    "group_in_loop": ("不支持循环（loop）", "loops are not supported"),
    "repeat_too_deep": ("重复组里不能再有重复组", "a repeat cannot stand within a repeat"),
    "cycle": ("这些行互相依赖，成了环：{rows}", "these rows depend on one another in a circle: {rows}"),
    "form_id_missing": (
        "settings 里没有写 form_id",
        "the sheet settings has no form_id",
    ),
    "form_id_unusable": (
        "form_id“{value}”不能用：以字母开头，只含字母、数字、_ - .，最多 60 个",
        "the form_id {value} cannot be used: it begins with a letter, and has at most 60 letters, digits and _ - .",
    ),
    "version_unusable": (
        "version“{value}”不能用：只含字母、数字、_ - .，最多 60 个",
        "the version {value} cannot be used: it has at most 60 letters, digits and _ - .",
    ),
    "kind_unknown": (
        "premises_kind 应为 shop、enterprise 或 household",
        "premises_kind must be shop, enterprise or household",
    ),
    "no_questions": ("没有一道题", "there is not one question"),
    "unfit": ("表格转换程序不接受：{value}", "the form compiler does not take it: {value}"),
}

LONGEST_VALUE = 200  # of what is quoted
MOST_TOLD = 100


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, and where; rows count from 1, as a spreadsheet shows them."""

    reason: str
    sheet: str = ""
    row: int | None = None
    column: str = ""
    facts: Mapping[str, Any] = {}

    def where(self, language: str) -> str:
        """Its place in words."""
        english = language == "en"
        parts = [
            (f"sheet {self.sheet}" if english else f"工作表 {self.sheet}") if self.sheet else "",
            (f"row {self.row}" if english else f"第 {self.row} 行") if self.row else "",
            (f"column {self.column}" if english else f"列 {self.column}") if self.column else "",
        ]
        return (", " if english else "，").join(part for part in parts if part)

    def words(self, language: str) -> str:
        """What is wrong, in words."""
        return REASONS[self.reason][language == "en"].format_map(_Known(self.facts))

    def told(self, language: str) -> str:
        """Where and what, as one line."""
        where = self.where(language)
        between = ": " if language == "en" else "："
        return f"{where}{between}{self.words(language)}" if where else self.words(language)


class _Known(dict[str, Any]):
    """The facts of a fault; a long one is cut, and one that is not there is left as it is named."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return f"{value[:LONGEST_VALUE]}…" if isinstance(value, str) and len(value) > LONGEST_VALUE else value


class FormUnusable(Invalid):
    """An XLSForm that cannot be published, with all that is wrong with it; nothing of it was stored."""

    code = "form_unusable"

    def __init__(self, faults: Sequence[Fault], language: str = "zh") -> None:
        told = [
            {
                "reason": fault.reason,
                "sheet": fault.sheet or None,
                "row": fault.row,
                "column": fault.column or None,
                "text": fault.words(language),
            }
            for fault in faults[:MOST_TOLD]
        ]
        super().__init__("file", count=len(faults), first=faults[0].told(language), faults=told)
        self.faults = faults
