"""The visit form for ODK Collect, as rows of an XLSForm: what a member tells of a door and the problems found there.

Every name begins with `visit_` or `issue_`, so that a questionnaire that is put behind these rows, in a group
`answers`, has all other names for itself: pyxform refuses a name that stands twice and is referred to once."""

from collections.abc import Mapping, Sequence

ROW = Mapping[str, str]

FORM_ID = "visit"
VERSION = "2026112501"  # told anew with every change of these rows
TITLE_ZH, TITLE_EN = "走访登记", "Visit"
ANSWERS = "answers"  # the group in which a questionnaire's own questions stand
MOST_PHOTOS = 3  # of one issue

ZH, EN = "中文 (zh)", "English (en)"
DEFAULT_LANGUAGE = ZH


def _row(type_: str, name: str, zh: str = "", en: str = "", **further: str) -> dict[str, str]:
    """A row, with its texts in both languages; a hint or a message is given as both, with a bar between."""
    row = {"type": type_, "name": name}
    if zh:
        row |= _said("label", zh, en)
    for column, text in further.items():
        if column in ("hint", "constraint_message", "required_message"):
            row |= _said(column, *text.split(" | "))
        else:
            row[column] = text
    return row


def _said(column: str, zh: str, en: str) -> dict[str, str]:
    return {f"{column}::{ZH}": zh, f"{column}::{EN}": en}


def _of_door(column: str) -> str:
    return f"instance('doors')/root/item[name=${{visit_door}}]/{column}"


def _at_most(characters: int) -> dict[str, str]:
    return {
        "constraint": f"string-length(.) <= {characters}",
        "constraint_message": f"最多 {characters} 个字 | At most {characters} characters",
    }


NOT_BLANK = "string-length(normalize-space(.)) > 0"

DOOR: Sequence[ROW] = (
    _row("start", "visit_started_at"),
    _row("end", "visit_ended_at"),
    _row(
        "select_one_from_file doors.csv",
        "visit_door",
        "走访哪一户？",
        "Which door?",
        hint="名单里没有的，留空并往下翻 | Leave this empty when it is not on the list, and go on",
        appearance="autocomplete",
    ),
    _row("calculate", "visit_door_kind", calculation=_of_door("kind")),
    _row("calculate", "visit_door_name", calculation=_of_door("door_name")),
    _row("calculate", "visit_door_address", calculation=_of_door("address")),
    _row("calculate", "visit_campaign", calculation=_of_door("campaign")),
    _row(
        "begin_group",
        "visit_found",
        "名单里没有的一户",
        "A door that is not on the list",
        relevant="${visit_door} = ''",
        appearance="field-list",
    ),
    _row("select_one visit_kinds", "visit_found_kind", "类别", "Kind", required="yes"),
    _row(
        "text",
        "visit_found_name",
        "名称",
        "Name",
        required="yes",
        constraint=f"{NOT_BLANK} and string-length(.) <= 200",
        constraint_message="1 到 200 个字 | 1 to 200 characters",
        hint="店铺或企业的招牌名；住户写门牌，不写姓名 | What the sign says; for a household the door number, no name",
    ),
    _row("text", "visit_found_address", "地址", "Address", **_at_most(500)),
    _row("end_group", ""),
)

OUTCOME: Sequence[ROW] = (
    _row("select_one visit_outcomes", "visit_outcome", "结果如何？", "What came of it?", required="yes"),
    _row("geopoint", "visit_position", "位置", "Position", hint="在门口等精度变好 | Wait at the door for a good fix"),
    _row(
        "barcode",
        "visit_contact_card",
        "联系卡",
        "Contact card",
        hint="留下卡片的，扫描卡上的二维码 | Scan the code of a card that was left",
    ),
)

ISSUES: Sequence[ROW] = (
    _row("select_one visit_yes_no", "visit_problems", "发现问题了吗？", "Were there any problems?", required="yes"),
    _row("begin_repeat", "issue", "问题", "Problem", relevant="${visit_problems} = 'yes'"),
    _row(
        "select_one_from_file categories.csv",
        "issue_category",
        "问题类别",
        "Category",
        required="yes",
        appearance="autocomplete",
    ),
    _row(
        "text",
        "issue_title",
        "一句话说明",
        "In one sentence",
        required="yes",
        constraint=f"{NOT_BLANK} and string-length(.) <= 200",
        constraint_message="1 到 200 个字 | 1 to 200 characters",
    ),
    _row("text", "issue_description", "详细情况", "Details", appearance="multiline", **_at_most(5_000)),
    _row(
        "select_one visit_urgencies",
        "issue_urgency",
        "紧急程度",
        "Urgency",
        required="yes",
        default="normal",
        choice_filter="contains(instance('categories')/root/item[name=${issue_category}]/urgencies, name)",
    ),
    _row("image", "issue_photo", "照片", "Photo", parameters="max-pixels=2048"),
    _row(
        "image",
        "issue_photo_2",
        "第二张照片",
        "Second photo",
        parameters="max-pixels=2048",
        relevant="${issue_photo} != ''",
    ),
    _row(
        "image",
        "issue_photo_3",
        "第三张照片",
        "Third photo",
        parameters="max-pixels=2048",
        relevant="${issue_photo_2} != ''",
    ),
    _row(
        "select_one visit_yes_no",
        "issue_solved",
        "当场解决了吗？",
        "Was it solved at the door?",
        required="yes",
        default="no",
    ),
    _row(
        "text",
        "issue_how",
        "怎样解决的？",
        "How?",
        required="yes",
        relevant="${issue_solved} = 'yes'",
        constraint=f"{NOT_BLANK} and string-length(.) <= 5000",
        constraint_message="1 到 5000 个字 | 1 to 5,000 characters",
    ),
    _row(
        "text",
        "issue_contact_name",
        "居民怎么称呼？",
        "Who is to be told?",
        hint="居民愿意留下才填；送达后加密保存 | Only if the resident wants; it is sealed when it has arrived",
        **_at_most(100),
    ),
    _row(
        "text",
        "issue_contact_phone",
        "居民电话",
        "The resident's phone",
        appearance="numbers",
        constraint="regex(., '^[+]?[0-9 ()-]{5,40}$')",
        constraint_message="电话号码有 5 到 20 位数字 | A phone number has 5 to 20 digits",
    ),
    _row("end_repeat", ""),
)

NOTE: Sequence[ROW] = (
    _row("text", "visit_note", "还有什么要记的？", "Anything else?", appearance="multiline", **_at_most(5_000)),
)

SURVEY: Sequence[ROW] = (*DOOR, *OUTCOME, *ISSUES, *NOTE)

CHOICES: Sequence[ROW] = tuple(
    {"list_name": list_name, "name": name} | _said("label", zh, en)
    for list_name, name, zh, en in (
        ("visit_kinds", "shop", "沿街商铺", "Shop"),
        ("visit_kinds", "enterprise", "企业", "Enterprise"),
        ("visit_kinds", "household", "住户", "Household"),
        ("visit_outcomes", "met", "见到了", "Met somebody"),
        ("visit_outcomes", "not_home", "没有人", "Nobody there"),
        ("visit_outcomes", "declined", "不愿交谈", "Declined"),
        ("visit_outcomes", "closed", "已关门或搬走", "Closed, or gone"),
        ("visit_urgencies", "normal", "一般", "Normal"),
        ("visit_urgencies", "urgent", "紧急", "Urgent"),
        ("visit_urgencies", "emergency", "特急", "Emergency"),
        ("visit_yes_no", "no", "没有", "No"),
        ("visit_yes_no", "yes", "有", "Yes"),
    )
)


def settings(form_id: str = FORM_ID, version: str = VERSION, title: str = f"{TITLE_ZH} {TITLE_EN}") -> ROW:
    """The settings sheet of a visit form; a finished form is listed on the phone by its door and its outcome."""
    named = "if(${visit_door} != '', ${visit_door_name}, ${visit_found_name})"
    return {
        "form_id": form_id,
        "version": version,
        "form_title": title,
        "default_language": DEFAULT_LANGUAGE,
        "instance_name": f"concat({named}, ' · ', jr:choice-name(${{visit_outcome}}, '${{visit_outcome}}'))",
    }


def workbook() -> dict[str, list[ROW]]:
    """The plain visit form, with no questionnaire, as pyxform takes it."""
    return {"survey": list(SURVEY), "choices": list(CHOICES), "settings": [settings()]}
