"""The columns of exported tables: their names for programs, and their headers and words for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from maps.exports import Cell, Column, Kind

Row = Mapping[str, Any]  # its cells by the names of its columns


class Header(Struct, frozen=True):
    """A column of both languages, and how wide it is in a worksheet; its name is the row's field. Where there are
    `many` a cell holds a list."""

    name: str
    zh: str
    en: str
    kind: Kind = "text"
    width: int = 0  # as wide as its kind usually is
    many: bool = False


ISSUES: Sequence[Header] = (
    Header("number", "编号", "Number"),
    Header("title", "标题", "Title", width=36),
    Header("description", "描述", "Description", width=48),
    Header("category", "类别代码", "Category code"),
    Header("category_name", "类别", "Category"),
    Header("urgency", "紧急程度", "Urgency"),
    Header("channel", "办理方式", "Channel"),
    Header("state", "状态", "State"),
    Header("group", "分组", "Group"),
    Header("overdue", "是否超期", "Overdue", "flag"),
    Header("owner", "首办责任人编号", "Owner's number"),
    Header("owner_name", "首办责任人", "Owner"),
    Header("department", "承办部门代码", "Department code"),
    Header("department_name", "承办部门", "Department"),
    Header("community", "社区代码", "Community code"),
    Header("community_name", "社区", "Community"),
    Header("street", "街道代码", "Street code"),
    Header("street_name", "街道", "Street"),
    Header("certainty", "位置确定程度", "Certainty of place"),
    Header("lon", "经度", "Longitude", "number"),
    Header("lat", "纬度", "Latitude", "number"),
    Header("reported_at", "上报时间", "Reported at", "time"),
    Header("due_at", "办理期限", "Due at", "time"),
    Header("id", "标识", "Id", width=38),
    Header("visit", "走访标识", "Visit's id", width=38),
)

VISITS: Sequence[Header] = (
    Header("started_at", "开始时间", "Started at", "time"),
    Header("ended_at", "结束时间", "Ended at", "time"),
    Header("member", "党员编号", "Member's number"),
    Header("member_name", "党员", "Member"),
    Header("organisation_name", "党组织", "Organisation"),
    Header("companions", "同行人", "Companions", many=True),
    Header("premises_kind", "走访对象类型", "Kind of premises"),
    Header("premises_name", "走访对象", "Premises", width=24),
    Header("premises_address", "地址", "Address", width=32),
    Header("outcome", "走访结果", "Outcome"),
    Header("community", "社区代码", "Community code"),
    Header("community_name", "社区", "Community"),
    Header("street", "街道代码", "Street code"),
    Header("street_name", "街道", "Street"),
    Header("certainty", "位置确定程度", "Certainty of place"),
    Header("lon", "经度", "Longitude", "number"),
    Header("lat", "纬度", "Latitude", "number"),
    Header("campaign", "走访活动", "Campaign"),
    Header("contact_card", "服务联系卡", "Contact card"),
    Header("note", "备注", "Note", width=36),
    Header("flags", "提示", "Flags", many=True),
    Header("issues", "问题编号", "Issues", many=True),
    Header("recorded_at", "收到时间", "Received at", "time"),
    Header("withdrawn_at", "撤回时间", "Withdrawn at", "time"),
    Header("id", "标识", "Id", width=38),
)

PREMISES: Sequence[Header] = (
    Header("code", "编号", "Code"),
    Header("premises_kind", "类型", "Kind"),
    Header("premises_name", "名称", "Name", width=24),
    Header("premises_address", "地址", "Address", width=32),
    Header("premises_state", "状态", "State"),
    Header("community", "社区代码", "Community code"),
    Header("community_name", "社区", "Community"),
    Header("street", "街道代码", "Street code"),
    Header("street_name", "街道", "Street"),
    Header("certainty", "位置确定程度", "Certainty of place"),
    Header("lon", "经度", "Longitude", "number"),
    Header("lat", "纬度", "Latitude", "number"),
    Header("premises_source", "来源", "Source"),
    Header("recorded_at", "登记时间", "On the register since", "time"),
    Header("id", "标识", "Id", width=38),
)

COVERAGE_DOORS: Sequence[Header] = (
    Header("code", "编号", "Code"),
    Header("premises_kind", "类型", "Kind"),
    Header("premises_name", "名称", "Name", width=24),
    Header("premises_address", "地址", "Address", width=32),
    Header("door_state", "走访情况", "State in the round"),
    Header("visits", "走访次数", "Visits", "count"),
    Header("tries", "无人次数", "Times nobody was at home", "count"),
    Header("visited_at", "最近走访", "Last visited", "time"),
    Header("organisation_name", "党组织", "Organisation"),
    Header("member", "党员编号", "Member's number"),
    Header("member_name", "党员", "Member"),
    Header("community", "社区代码", "Community code"),
    Header("community_name", "社区", "Community"),
    Header("street", "街道代码", "Street code"),
    Header("street_name", "街道", "Street"),
    Header("lon", "经度", "Longitude", "number"),
    Header("lat", "纬度", "Latitude", "number"),
    Header("id", "标识", "Id", width=38),
)

# What people call the values of a column.
WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "urgency": {
        "normal": ("一般", "Normal"),
        "urgent": ("紧急", "Urgent"),
        "emergency": ("特急", "Emergency"),
    },
    "channel": {
        "on_the_spot": ("一站办结", "On the spot"),
        "joint_review": ("联审联批", "Joint review"),
        "green_channel": ("绿色通道", "Green channel"),
        "agent": ("代办、上门", "Agent or door service"),
    },
    "state": {
        "reported": ("已上报", "Reported"),
        "accepted": ("已受理", "Accepted"),
        "assigned": ("已分派", "Assigned"),
        "in_progress": ("办理中", "In progress"),
        "paused": ("暂停", "Paused"),
        "resolved": ("已办结", "Resolved"),
        "closed": ("已结案", "Closed"),
        "rejected": ("不予受理", "Rejected"),
        "merged": ("已并案", "Merged"),
    },
    "group": {
        "reported": ("上报", "Reported"),
        "in_hand": ("办理中", "In hand"),
        "overdue": ("超期", "Overdue"),
        "solved": ("已解决", "Solved"),
        "other": ("不予受理或并案", "Rejected or merged"),
    },
    "certainty": {
        "inside": ("社区内", "Inside"),
        "near_line": ("离社区边界很近", "Near the line"),
        "outside": ("不在任何社区内", "Outside"),
        "unplaced": ("没有位置", "Without a place"),
    },
    "premises_kind": {
        "shop": ("商铺", "Shop"),
        "enterprise": ("企业", "Enterprise"),
        "household": ("住户", "Household"),
    },
    "premises_state": {
        "proposed": ("待确认", "Proposed"),
        "confirmed": ("已确认", "Confirmed"),
        "gone": ("已注销", "Gone"),
        "merged": ("已合并", "Merged"),
    },
    "premises_source": {
        "import": ("导入", "List"),
        "visit": ("走访途中发现", "Found on the way"),
        "desk": ("登记", "Desk"),
    },
    "outcome": {
        "met": ("见到", "Met"),
        "not_home": ("无人", "Nobody at home"),
        "declined": ("婉拒", "Declined"),
        "closed": ("关门", "Closed"),
    },
    "door_state": {
        "not_yet": ("未走访", "Not yet"),
        "not_home": ("无人", "Nobody at home"),
        "met": ("见到", "Met"),
        "declined": ("婉拒", "Declined"),
        "closed": ("关门", "Closed"),
    },
    "commitment_outcome": {
        "proposed": ("待审核", "To be approved"),
        "returned": ("退回修改", "Sent back"),
        "standing": ("践诺中", "Under way"),
        "overdue": ("逾期未兑现", "Overdue"),
        "waiting": ("已完成，待评价", "Done, to be rated"),
        "kept": ("已兑现", "Kept"),
        "broken": ("未兑现", "Not kept"),
        "withdrawn": ("已撤回", "Withdrawn"),
    },
    "commitment_aim": {
        "doors": ("指定的走访对象", "Named doors"),
        "communities": ("指定的社区", "Communities"),
        "area": ("责任区内所有人", "Everybody in the area"),
    },
    "flags": {
        "card_unknown": ("没有这张联系卡", "No such card"),
        "card_revoked": ("联系卡已停用", "Card revoked"),
        "card_already_bound": ("联系卡已绑定别处", "Card bound elsewhere"),
        "campaign_ended": ("走访活动已结束", "Campaign ended"),
        "campaign_not_begun": ("走访活动尚未开始", "Campaign not begun"),
        "campaign_other_kind": ("走访活动不含这类对象", "Not of the campaign's kinds"),
        "door_of_another": ("已分给他人的对象", "Another's door"),
        "door_gone": ("对象已不存在", "Door no longer there"),
        "questionnaire_unknown": ("没有这个版本的问卷", "No such version of the questionnaire"),
        "answers_unfit": ("有答案不合题型", "Answers that do not fit"),
        "category_retired": ("类别已停用", "Category retired"),
        "outside_district": ("不在本区", "Outside the district"),
    },
}
YES_NO = ("否", "No"), ("是", "Yes")
WIDTHS: Mapping[Kind, int] = {
    "text": 16, "number": 11, "count": 9, "share": 9, "time": 17, "flag": 10, "shape": 9,
}  # fmt: skip


def columns(headers: Sequence[Header], language: str) -> list[Column]:
    """The columns as they are headed in a language."""
    return [
        Column(
            header.name,
            header.en if language == "en" else header.zh,
            "text" if header.kind == "flag" else header.kind,
            header.width or WIDTHS[header.kind],
        )
        for header in headers
    ]


def for_programs(headers: Sequence[Header]) -> list[Column]:
    """The columns by their names."""
    return [Column(header.name, header.name, header.kind) for header in headers]


def in_words(row: Row, headers: Sequence[Header], zone: ZoneInfo, language: str) -> list[Cell]:
    """A row as people read it: words instead of codes, times of the district's clocks."""
    return [_told(header.name, row[header.name], zone, language == "en") for header in headers]


def _told(name: str, value: Any, zone: ZoneInfo, english: bool) -> Cell:
    if isinstance(value, datetime):
        return value.astimezone(zone).replace(tzinfo=None, microsecond=0)
    if isinstance(value, bool):
        return YES_NO[value][english]
    if isinstance(value, list):
        return (", " if english else "、").join(str(_told(name, one, zone, english)) for one in value)
    if isinstance(value, UUID):
        return str(value)
    if name in WORDS and value is not None:
        return WORDS[name][value][english]
    cell: Cell = value
    return cell


def in_codes(row: Row, headers: Sequence[Header], zone: ZoneInfo) -> list[Cell]:
    """A row as programs read it: codes, and times in RFC 3339 with the district's offset."""
    return [_coded(row[header.name], zone) for header in headers]


def _coded(value: Any, zone: ZoneInfo) -> Cell:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    if isinstance(value, UUID):
        return str(value)
    cell: Cell = value
    return cell
