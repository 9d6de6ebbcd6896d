"""What each refusal says to who is refused, in two languages, and the status that it is told with."""

from collections.abc import Mapping

from msgspec import Struct


class Text(Struct, frozen=True):
    """What a refusal says, and its HTTP status."""

    status: int
    zh: str
    en: str


# Every code that a refusal can have. A text may name the facts of its refusal in braces.
TEXTS: Mapping[str, Text] = {
    "refused": Text(422, "请求未被接受", "The request was not accepted"),
    "not_json": Text(400, "请求内容不是 UTF-8 编码的 JSON", "The body is not JSON in UTF-8"),
    "unknown_field": Text(422, "没有这个字段", "There is no such field"),
    "missing": Text(422, "缺少必填内容", "Something required is missing"),
    "wrong_value": Text(422, "值不符合要求，应为：{expected}", "The value does not fit; expected: {expected}"),
    "too_many": Text(422, "一次最多 {most} 条", "At most {most} at a time"),
    "text_unusable": Text(422, "文字为空或含有不可用的字符", "The text is blank or has a character that no text has"),
    "openings_overlap": Text(
        422,
        "上班时间应按先后填写，不重叠，结束晚于开始",
        "Openings must follow one another without overlap, each closing after it opens",
    ),
    "never_open": Text(422, "一周至少有一段上班时间", "The office must open at least once a week"),
    "valid_too_early": Text(
        422,
        "最早从 {earliest} 起生效：已经过去的时间不重算",
        "From {earliest} at the earliest: past time is not counted anew",
    ),
    "text_too_long": Text(422, "文字太长", "The text is too long"),
    "time_in_future": Text(422, "时间在将来，请检查手机时钟", "The time lies in the future; check the phone's clock"),
    "time_before_all": Text(
        422, "时间早于 2000 年，请检查手机时钟", "The time is before the year 2000; check the phone's clock"
    ),
    "times_reversed": Text(422, "结束时间早于开始时间", "It ended before it started"),
    "longitude_out_of_range": Text(422, "经度应在 -180 到 180 之间", "The longitude must lie between -180 and 180"),
    "latitude_out_of_range": Text(422, "纬度应在 -90 到 90 之间", "The latitude must lie between -90 and 90"),
    "longitude_latitude_swapped": Text(422, "经度和纬度好像写反了", "Longitude and latitude seem to be swapped"),
    "not_a_number": Text(422, "坐标不是数字", "A coordinate is not a number"),
    "unknown_system": Text(
        422, "坐标系应为 wgs84、cgcs2000、gcj02 或 bd09", "The system must be wgs84, cgcs2000, gcj02 or bd09"
    ),
    "list_unusable": Text(422, "名单不能导入：{reason}", "The list cannot be taken: {reason}"),
    "balance_too_low": Text(
        409,
        "可用的时间不够：余额不能低于规则允许的下限",
        "Not enough minutes: no balance falls below what the rules allow",
    ),
    "already_corrected": Text(
        409, "这笔交易已更正过，只能更正一次", "The transaction was corrected; that is done once"
    ),
    "nothing_to_correct": Text(
        409,
        "更正只能减少分钟数，更正本身不能再更正",
        "A correction leaves fewer minutes than were booked, and is not corrected itself",
    ),
    "time_account_closed": Text(409, "没有这个账户，或账户已关闭", "There is no such account, or it was closed"),
    "not_of_the_family": Text(
        422,
        "时间只能在本人和本人登记的亲属之间转赠",
        "Minutes are passed on between a volunteer and the relatives whom they named",
    ),
    "round_to_unusable": Text(
        422, "取整单位应为 1、5、10、15、30 或 60 分钟", "Minutes are rounded to 1, 5, 10, 15, 30 or 60"
    ),
    "time_rules_in_past": Text(
        422, "规则从现在或以后起生效，不能追溯", "Rules hold from now on or later, not from the past"
    ),
    "help_not_possible": Text(
        409, "这次求助现在的状态不能这样处理", "The request for help does not allow this in its present state"
    ),
    "already_decided": Text(409, "这一笔已有人处理", "Somebody has decided on this already"),
    "too_many_relatives": Text(409, "最多登记 {most} 名亲属", "At most {most} relatives"),
    "unknown_door_card": Text(422, "没有这个编号的服务联系卡", "There is no contact card of this number"),
    "not_in_the_team": Text(422, "不是这支服务队的志愿者", "The volunteer is not in this team"),
    "help_too_soon": Text(422, "希望帮助的时间应在将来一年之内", "Help is wanted within the year to come"),
    "door_on_register": Text(
        409,
        "台账中已有这一对象（编号，或类型、名称、地址都相同）",
        "The register has this door, by its code or as written alike",
    ),
    "door_not_open": Text(
        409,
        "这一对象的状态不能这样处理：已合并、已注销，或尚未确认",
        "The door's state does not allow this: it was merged, is gone, or is not confirmed yet",
    ),
    "view_address_unusable": Text(422, "只能保存本系统列表页的地址", "Only the address of a list of ours can be saved"),
    "view_name_taken": Text(
        409, "您已有同名的视图，请换一个名称", "Another view of yours has this name; choose another"
    ),
    "too_many_views": Text(
        409, "最多保存 {most} 个视图，请先删除不用的", "At most {most} views; delete those that you do not use first"
    ),
    "public_url_missing": Text(
        422,
        "尚未设置 ZOUFANG_PUBLIC_URL：二维码里要写手机打开的地址，请联系运维人员",
        "ZOUFANG_PUBLIC_URL is not set: it stands in every QR code; ask the system operator",
    ),
    "unprintable": Text(422, "无法排印：{reason}", "It cannot be printed: {reason}"),
    "category_exists": Text(409, "已有这个编码的类别", "There is a category of this code already"),
    "category_unusable": Text(422, "类别不能这样保存（{reason}）", "The category cannot be stored so ({reason})"),
    "unknown_column": Text(422, "没有这一列或这个字段：{given}", "There is no such column or field: {given}"),
    "list_changed": Text(
        409, "文件与核对时的不同，请重新核对", "The file is another than the one that was looked at: look at it again"
    ),
    "holidays_of_all": Text(
        403,
        "节假日对本系统所有区生效，请由运维人员用命令导入",
        "Holidays hold for every district of this installation; its operator imports them by command",
    ),
    "place_unknown": Text(
        409,
        "历史中没有此前的位置，不能撤销；请在地图上重新标注",
        "The history does not say where it was before; mark it on the map anew",
    ),
    "already_booked": Text(
        409, "这张联系卡或这户已经预约过这项服务", "This card or door has booked this service already"
    ),
    "service_too_long": Text(
        422, "一项服务最长 {hours} 小时，多天的请逐日预告", "A service lasts at most {hours} hours; announce each day"
    ),
    "service_too_far": Text(422, "最早提前 {days} 天预告", "Services are announced at most {days} days ahead"),
    "service_not_open": Text(
        409,
        "服务已开始、已取消或已登记结果，不能再改",
        "The service has begun, was cancelled, or has been reported; nothing is changed",
    ),
    "team_closed": Text(409, "这支服务队已解散", "This team has been closed"),
    "places_taken": Text(409, "已有 {booked} 人预约到名额，不能再少", "{booked} persons have a place already"),
    "service_not_bookable": Text(
        409,
        "服务已开始、已结束或已取消，不能预约",
        "The service has begun, is over, or was cancelled; it cannot be booked",
    ),
    "waiting_list_full": Text(
        409, "名额和候补都满了，已有 {waiting} 人候补", "All places are taken, and {waiting} persons wait already"
    ),
    "too_many_persons": Text(422, "这项服务一共只有 {most} 个名额", "The service has {most} places in all"),
    "unknown_card": Text(
        422, "没有这张联系卡，或还没有登记到门上", "There is no such card, or it has not been left at a door"
    ),
    "booking_over": Text(
        409,
        "服务已开始，或这个预约已结束，不能取消",
        "The service has begun, or the booking is over; it cannot be cancelled",
    ),
    "unknown_volunteer": Text(422, "没有这名志愿者，或已注销", "There is no such volunteer, or they have ended it"),
    "not_in_team": Text(
        403, "只有本队志愿者可以自己报名，请联系队长", "Only who is in the team signs up; ask its leader"
    ),
    "service_over": Text(
        409, "服务已取消、已结束或已登记结果", "The service was cancelled, is over, or has been reported"
    ),
    "service_not_held_yet": Text(409, "服务还没有开始", "The service has not begun"),
    "service_not_to_report": Text(
        409, "服务已取消，或结果已确认", "The service was cancelled, or its report has been confirmed"
    ),
    "service_not_reported": Text(409, "没有待确认的服务结果", "There is no report to confirm"),
    "unknown_booking": Text(422, "这项服务没有这个预约", "The service has no such booking"),
    "served_elsewhen": Text(
        422,
        "服务时段应在这项服务前后一天之内，并且已经过去",
        "It must lie within a day of the service, and in the past",
    ),
    "volunteer_known": Text(
        409, "此人已登记为志愿者，编号 {number}", "This person is a volunteer already, with the number {number}"
    ),
    "volunteer_ended": Text(
        409, "志愿者 {number} 已注销，不能再改动", "The volunteer {number} has ended it; nothing is changed"
    ),
    "unknown_skill": Text(422, "技能表中没有“{given}”", "The district's list has no skill {given}"),
    "hours_unusable": Text(
        422, "时段 {starts}–{ends} 应先开始后结束", "Hours must end after they begin: {starts} to {ends}"
    ),
    "area_not_yours": Text(
        403,
        "服务队的服务范围应在您的社区内，至少选一个社区",
        "A team serves within your communities, and at least in one of them",
    ),
    "not_sure": Text(422, "请先确认：注销后不能恢复", "Please say that you are sure: nothing of it comes back"),
    "has_an_account": Text(
        409, "党员用自己的账号登录，不需要个人链接", "Members sign in with their account, and need no personal link"
    ),
    "amount_unusable": Text(
        422,
        "应为 {least} 到 {most} 之间的数，最多两位小数",
        "It takes a number from {least} to {most} with at most two decimals",
    ),
    "rule_divides_by_zero": Text(
        422, "不能按每 0 个单位计分，至少为 1", "Points for each 0 of something cannot be counted; at least 1"
    ),
    "service_kind_unknown": Text(
        422, "没有这种志愿服务，应为：{expected}", "There is no such kind of service; expected: {expected}"
    ),
    "less_for_more": Text(422, "评价更好，得分不能更低", "A better answer cannot give less than a worse one"),
    "nothing_counts": Text(422, "按这样的规则没有人能得分", "By such rules nobody would ever have a point"),
    "rules_too_early": Text(
        422,
        "最早从 {earliest} 起生效：过去的月份不按新规则计算",
        "From {earliest} at the earliest: past months are not counted by new rules",
    ),
    "month_not_over": Text(409, "这个月还没有结束，结束后才能公示", "The month is not over; it can be published then"),
    "no_points_rules": Text(409, "这个月没有生效的积分规则", "No rules of points hold in this month"),
    "nobody_has_points": Text(409, "这个月没有人得分，没有可公示的内容", "Nobody has points in this month"),
    "published_knew_more": Text(
        409, "已公示的版本依据的信息更新，请重新查看后再公示", "What is published knew more already; look at it anew"
    ),
    "unknown_model": Text(
        422,
        "没有这个服务队、志愿者、党员或党组织，或已不在",
        "There is no such team, volunteer, member or organisation, or it is there no more",
    ),
    "name_not_public": Text(
        409, "此人没有同意公开姓名，不能作为先进典型公示", "They did not agree to their name in public"
    ),
    "proposed_it_yourself": Text(
        403, "不能审批自己推荐的典型，请由其他管理员审批", "You proposed it; another administrator has to approve"
    ),
    "model_decided": Text(409, "已经有人处理过了，请看最新状态", "Somebody decided before; see the present state"),
    "pass_wrong": Text(
        422,
        "这个链接打不开：可能已停用或不完整，请向队长重新领取",
        "This link opens nothing: it may be revoked or cut short; ask your team's leader for another",
    ),
    "pass_over": Text(401, "请再打开一次您的个人链接", "Please open your personal link again"),
    "not_a_volunteer": Text(404, "您还没有登记为志愿者", "You are not a volunteer yet"),
    "leader_cannot_sign_in": Text(
        422, "队长要能登录，请选一名党员志愿者", "A leader signs in: choose a volunteer who is a member"
    ),
    "team_name_taken": Text(409, "该组织已有同名的志愿服务队", "The organisation has a volunteer team of this name"),
    "in_team_already": Text(409, "这名志愿者当时已在队中", "The volunteer was in the team at that time already"),
    "was_not_in_team": Text(409, "这名志愿者当时不在队中", "The volunteer was not in the team at that time"),
    "unknown_premises": Text(422, "没有这个走访对象", "There is no such door"),
    "unknown_category": Text(422, "没有这个问题类别", "There is no such category"),
    "unknown_community": Text(422, "本区没有这个社区", "The district has no such community"),
    "campaign_over": Text(409, "走访活动已到期，不能再分配", "The campaign is over; nothing more is assigned in it"),
    "unknown_door": Text(422, "本活动中没有这个走访对象", "The campaign has no such door"),
    "not_of_the_campaign": Text(
        422,
        "这名党员不参加本活动，或不归您分配",
        "The member does not visit in this campaign, or is not yours to choose",
    ),
    "nothing_to_divide": Text(409, "没有可分配的走访对象或党员", "There is no door to divide, or nobody to take one"),
    "too_many_doors": Text(
        422,
        "一次最多分配 {most} 个，请按社区或党组织分批",
        "At most {most} at once; choose a community or an organisation",
    ),
    "too_many_members": Text(
        422, "一次最多分给 {most} 人，请选择党组织", "Among at most {most} members at once; choose an organisation"
    ),
    "proposal_not_ready": Text(409, "方案尚未完成或已经采用", "The proposal is not ready, or was accepted already"),
    "campaign_closed": Text(409, "走访活动已结束，只能查看", "The campaign is closed and only read"),
    "unknown_questionnaire": Text(
        422, "没有这份正在使用的问卷，或不适用于这类对象", "No questionnaire of that kind is given out by this name"
    ),
    "unknown_campaign": Text(422, "没有这个走访活动", "There is no such campaign"),
    "unknown_member": Text(422, "没有这名党员，或已离开", "There is no such member, or they have left"),
    "unknown_department": Text(422, "没有这个职能部门", "There is no such department"),
    "categories_unusable": Text(
        422,
        "类别表中有 {count} 行不能使用，整张表没有保存",
        "{count} rows of the list cannot be used; none of it was stored",
    ),
    "form_unusable": Text(
        422,
        "问卷不能使用，有 {count} 处错误；第一处：{first}",
        "The form cannot be used; {count} faults, the first: {first}",
    ),
    "version_taken": Text(
        409,
        "版本 {given} 已经发布，内容不同；请换一个版本号",
        "Version {given} was published with other content; give this one another version",
    ),
    "unknown_version": Text(422, "没有发布过这个版本", "No such version was published"),
    "instrument_unusable": Text(
        422,
        "评分表不能使用，有 {count} 处错误；第一处：{first}",
        "The scorecard cannot be used; {count} faults, the first: {first}",
    ),
    "instrument_version_taken": Text(
        409,
        "评分表版本 {given} 已经发布，内容不同；请换一个版本号",
        "Version {given} of this scorecard was published with other content; give this one another version",
    ),
    "count_unfit": Text(422, "一次可做 1 到 {most} 张", "From 1 to {most} slips at a time"),
    "unknown_item": Text(
        422, "没有评分项 {given}，或不由您评分", "There is no item {given}, or it is not yours to rate"
    ),
    "step_closed": Text(409, "这一步已于 {closed_at} 截止", "This step closed at {closed_at}"),
    "step_not_open": Text(409, "这一步还没有开始：{opens_at}", "This step has not begun yet: {opens_at}"),
    "unknown_instrument": Text(422, "没有这个评分表或版本", "There is no such scorecard or version"),
    "round_cancelled": Text(409, "这一轮考核已取消", "This round was cancelled"),
    "no_final_result": Text(
        409,
        "最终结果还没有算出；上级审定在 {decisions_until} 截止",
        "The final result has not been worked out; what is decided above may change until {decisions_until}",
    ),
    "not_a_rater": Text(403, "这一项不由您评价", "This is not yours to rate"),
    "appealed_already": Text(409, "这一项已经申诉过", "This item has been appealed against already"),
    "appeal_decided": Text(409, "这件申诉已经裁定", "This appeal has been decided"),
    "rated_it_themselves": Text(
        403,
        "参加评价的人和被评价的人不能裁定",
        "Who has rated, or speaks for who is rated, does not decide",
    ),
    "stars_unfit": Text(422, "最多 {most} 星", "At most {most} stars"),
    "working_out": Text(409, "正在计算，请稍后再试", "The results are being worked out; try again shortly"),
    "points_unfit": Text(
        422,
        "评分项 {item} 应在 0 到 {maximum} 分之间，最多两位小数；收到的是 {given}",
        "Item {item} takes 0 to {maximum} points with at most two decimals; given was {given}",
    ),
    "not_a_submission": Text(
        400,
        "请求中没有表单，请检查 ODK Collect 的设置",
        "There is no form in the request; check the settings of ODK Collect",
    ),
    "not_xml": Text(400, "表单不是 UTF-8 编码的 XML", "The form is not well-formed XML in UTF-8"),
    "xml_unsafe": Text(
        422,
        "表单含有文档类型或实体，或层次、题目过多",
        "The form declares a document type or entities, or is too deep or too long",
    ),
    "xml_too_large": Text(413, "表单太大，最多 {most} 字节", "The form is too large; at most {most} bytes"),
    "unknown_form": Text(404, "没有这个表单", "There is no such form"),
    "edits_problems": Text(
        409,
        "已提交的问题不能在这里修改或增删，请在工单中更正，新问题另填一张表",
        "Problems that were filed are not changed here: correct them where they are handled, and report new ones anew",
    ),
    "integration_revoked": Text(409, "这个应用的密钥已经收回", "The app's key has been revoked"),
    "unknown_street": Text(422, "本区没有这个街道", "The district has no such street"),
    "outside_scope": Text(403, "位置不在这个应用的服务范围内", "The place lies outside of what this app reports for"),
    "daily_limit_reached": Text(
        429, "今天的上报数量已满，每天最多 {most} 件", "The app has filed its {most} reports of today"
    ),
    "key_in_address": Text(
        422,
        "密钥不能写在地址里，请放在 Authorization 请求头或表单中；写过的密钥请更换",
        "A key does not belong in an address: send it as Authorization or in the form, and have this one renewed",
    ),
    "unknown_crs": Text(
        422, "不支持这个坐标系，应为：{expected}", "Coordinates are not given in this; known: {expected}"
    ),
    "not_acceptable": Text(406, "没有这种格式，应为：{expected}", "Not kept in this form; there are: {expected}"),
    "tls_needed": Text(
        403,
        "设备口令不能经未加密的连接发送，请改用 https:// 地址",
        "A device's token does not go over a connection that others can read; use the https:// address",
    ),
    "duplicate_id": Text(422, "同一个编号用了两次", "The same id is used twice"),
    "invalid_cursor": Text(
        422, "翻页标记无效，请从第一页重新开始", "The cursor does not fit; start from the first page"
    ),
    "invalid_filter": Text(
        422, "筛选条件不符合要求，应为：{expected}", "The filter does not fit; expected: {expected}"
    ),
    "no_weight": Text(422, "三个权重不能都是 0", "One of the weights must be more than 0"),
    "phone_unusable": Text(
        422, "电话号码应有 {least} 到 {most} 位数字", "A phone number has {least} to {most} digits, and no letters"
    ),
    "contact_empty": Text(422, "联系人和电话至少填一项", "Give a name, a phone number, or both"),
    "no_contact": Text(404, "这个问题没有联系方式，或已删除", "This issue has no contact, or it has been removed"),
    "key_missing": Text(
        503,
        "打开这项内容的密钥不在密钥环中，请稍后再试或联系管理员",
        "The key that opens this is not on the ring; try again shortly, or ask the administrator",
    ),
    "journal_unwritable": Text(
        503, "删除记录无法写入，内容没有删除", "The journal of erasures cannot be written; nothing was erased"
    ),
    "not_genuine": Text(
        409, "加密内容与所属记录不符，不能显示", "What is sealed here does not belong here, and is not shown"
    ),
    "unknown_organisation": Text(422, "没有这个组织，或已撤销", "There is no such organisation, or it is closed"),
    "organisation_in_use": Text(
        409,
        "组织下还有 {members} 名党员、{organisations} 个下级组织，不能撤销",
        "It still has {members} members and {organisations} organisations below it, and cannot be closed",
    ),
    "organisation_in_circle": Text(409, "组织不能移到自己或自己的下级之下", "An organisation cannot hang below itself"),
    "name_taken": Text(409, "同一上级下已有同名组织", "Another organisation below the same one has this name"),
    "other_than_shown": Text(
        409,
        "文件和刚才查看的不一样，没有发布，请重新查看",
        "The file is not the one that was shown; nothing was published. Look at it again",
    ),
    "window_name_taken": Text(
        409, "这个党组织已有同名的服务窗口", "The organisation has another service window of this name"
    ),
    "unknown_area": Text(422, "本区没有这个责任区", "The district has no such area"),
    "unknown_scope": Text(422, "没有这个范围，或与角色不符", "There is no such scope, or it does not fit the role"),
    "cannot_give": Text(
        403, "不能授予或收回超出自己权限的角色", "You cannot give or take a role that reaches further than your own"
    ),
    "number_taken": Text(409, "这个党员编号已被使用", "Another member has this number"),
    "phone_taken": Text(409, "这个手机号已登记在别人名下", "Another member has this phone"),
    "member_left": Text(409, "这名党员已离开", "The member has left"),
    "dispatcher_needed": Text(409, "请先指定新的区级调度员", "Name another dispatcher of the district first"),
    "administrator_needed": Text(409, "请先指定另一名管理员", "Name another administrator first"),
    "absence_overlaps": Text(409, "这段时间已登记离岗", "They are away already in a part of this time"),
    "no_card_number": Text(
        422, "这不是服务联系卡的编号，应类似 FW-000123-0", "This is no card's number; it looks like FW-000123-0"
    ),
    "card_number_mistyped": Text(
        422, "卡号有一个字符不对，请对照卡片再看一遍", "A character of the number is wrong; look at the card again"
    ),
    "card_token_wrong": Text(
        422,
        "这个二维码打不开，请对准卡片再扫一次；还不行就打卡上的电话",
        "This code opens nothing; scan the card again, or call the number on it",
    ),
    "card_session_over": Text(401, "请再扫一次卡上的二维码", "Please scan the QR code on your card again"),
    "card_at_no_door": Text(
        409, "这张卡还没有登记到门上，或已停用", "This card has not been left at a door, or is no longer valid"
    ),
    "card_revoked": Text(409, "这张联系卡已经停用", "This card has been revoked already"),
    "series_full": Text(
        409, "编号 {series} 已用完，请换一组字母", "All numbers of {series} are given out; choose other letters"
    ),
    "series_unusable": Text(
        422, "卡号开头应是 1 到 4 个英文字母", "A number begins with one to four letters from A to Z"
    ),
    "not_signed_in": Text(401, "请先登录", "Please sign in"),
    "wrong_credentials": Text(401, "账号或密码不正确", "The account or the password is wrong"),
    "wrong_password": Text(422, "当前密码不正确", "The present password is wrong"),
    "token_wrong": Text(
        401,
        "令牌无效：可能输错了，也可能已过期或被收回。",
        "This token does not hold: it may be mistyped, expired or withdrawn.",
    ),
    "locked_out": Text(
        429, "失败次数过多，请 {minutes} 分钟后再试", "Too many failures; try again in {minutes} minutes"
    ),
    "code_unusable": Text(
        422,
        "登录码无效：可能输错了、已用过或已过期，请向所在组织重新领取",
        "The code does not hold: it may be mistyped, used or too old; ask your organisation for a new one",
    ),
    "password_too_short": Text(422, "密码至少 {least} 个字符", "A password has at least {least} characters"),
    "password_too_common": Text(
        422, "这个密码太常见，容易被人猜到，请换一个", "This password is too common; choose another"
    ),
    "password_names_you": Text(
        422,
        "密码不能是自己的编号、手机号或姓名",
        "A password must not be made of your own number, phone or name",
    ),
    "second_factor_needed": Text(403, "请先完成动态验证码验证", "A second factor is needed first"),
    "second_factor_wrong": Text(
        422,
        "动态验证码不正确，请输入应用里最新的 6 位数字",
        "The code is wrong; enter the newest six digits that your app shows",
    ),
    "no_second_factor": Text(409, "尚未绑定动态验证码", "There is no second factor"),
    "has_second_factor": Text(409, "已经绑定动态验证码", "There is a second factor already"),
    "csrf": Text(403, "页面已过期，请刷新后再试", "The page is out of date; reload it and try again"),
    "not_allowed": Text(403, "您的角色不能做这件事", "Your role does not allow this"),
    "not_found": Text(404, "没有找到", "Not found"),
    "method_not_allowed": Text(405, "不支持这种请求方法", "This method is not supported here"),
    "url_unusable": Text(
        422,
        "地址不能用：应为 https 开头的外部地址，不含用户名和密码",
        "This address cannot be used: it must be an https address of another house, without a name or password",
    ),
    "unknown_event": Text(422, "没有“{given}”这种事件", "There is no event {given}"),
    "webhook_closed": Text(409, "这个推送已关闭", "This webhook is closed"),
    "channel_unusable": Text(
        422,
        "渠道地址不能用：应为 apprise 格式，并恰有一处成员地址的位置",
        "This channel cannot be used: it must be an address of apprise with one place for the member's own",
    ),
    "channel_closed": Text(409, "这个渠道已关闭", "This channel is closed"),
    "levels_reversed": Text(422, "级别越高，时间应越晚", "A higher level must come no earlier than a lower one"),
    "id_taken": Text(409, "这个编号已被使用", "This id has been used already"),
    "stale_version": Text(409, "别人刚刚改动过，请看最新状态", "Somebody else was faster; see the present state"),
    "move_not_possible": Text(409, "现在的状态不能这样办理", "The present state does not allow this move"),
    "already_merged": Text(409, "这个问题已经合并", "The issue has been merged already"),
    "same_issue": Text(422, "问题不能合并到自己", "An issue cannot be merged into itself"),
    "published_already": Text(409, "{year} 年的放假安排已经公布", "The holidays of {year} have been published already"),
    "not_for_this_move": Text(422, "这一步用不上这项内容", "This move has no use for it"),
    "already_theirs": Text(409, "已由其负责，或正在等其接受", "They answer for it already, or are being asked to"),
    "member_away": Text(422, "这名党员正在离岗", "The member is away"),
    "unsuitable_member": Text(422, "这名党员的角色不适合", "The member's roles do not go with this"),
    "paper_only": Text(
        422,
        "只有补录纸质记录时才能填写走访人",
        "Only a record typed in from paper may name whose visit it was",
    ),
    "period_not_over": Text(
        409, "这一时段还没有结束，结束后才能编制简报", "The period is not over; its brief can be made when it is"
    ),
    "not_a_good_case": Text(
        422,
        "问题 {number} 不符合典型案例的条件：应在本区域内、期末前已办结，且居民表示满意",
        "Issue {number} is no good case: it has to be solved by then, in this place, and its resident satisfied",
    ),
    "template_broken": Text(
        422,
        "不是可用的 Word 文件（.docx），或文件已损坏",
        "This is no Word file (.docx) that can be used, or it is broken",
    ),
    "template_unusable": Text(
        422,
        "模板不能使用：文件太大，或含有宏、嵌入对象、外部内容（{reason}）",
        "The template cannot be used: it is too large, or has macros, embedded or external content ({reason})",
    ),
    "unknown_placeholder": Text(
        422, "模板中有未知的占位符：{placeholder}", "The template has an unknown placeholder: {placeholder}"
    ),
    "not_in_a_template": Text(
        422,
        "模板中不能有：{placeholder}（只能用占位符、for 循环和 if 条件）",
        "A template cannot have {placeholder}: only placeholders, loops and conditions",
    ),
    "report_not_made": Text(503, "文件没有生成：{reason}", "The file was not made: {reason}"),
    "limit_passed": Text(409, "已超过办理期限，不能延期", "The limit has passed; it cannot be extended any more"),
    "extension_too_long": Text(
        422,
        "最多延期 {most} 次，已延期 {granted} 次，最多还能延长 {left}",
        "At most {most} extensions, of which {granted} were granted; {left} more at most",
    ),
    "pause_too_long": Text(422, "挂账最长 {days} 天", "A pause lasts {days} days at most"),
    "nothing_changes": Text(409, "已经是这样了", "It is so already"),
    "time_in_past": Text(422, "时间已经过去", "The time lies in the past"),
    "opinions_missing": Text(
        409,
        "还有部门没有提出意见，或不同意；仍要办结请说明理由",
        "A department has not given its opinion, or objects; to resolve it all the same, say why",
    ),
    "commitment_move_not_possible": Text(
        409, "承诺现在的状态不能这样操作", "The commitment's present state does not allow this"
    ),
    "own_commitment": Text(
        403, "不能审核自己作出或起草的承诺", "Nobody approves what they promised or wrote themselves"
    ),
    "due_too_far": Text(422, "期限太远，最多 {years} 年", "Too far away: {years} years at most"),
    "commitment_not_done": Text(
        409,
        "承诺还没有报告完成，不能评价；到期未完成的，领导可以评为未兑现",
        "It was not reported done and cannot be rated; once its day is over a leader may say that it was not kept",
    ),
    "weights_do_not_sum": Text(
        422, "各类票的权重之和应为 100%，现为 {sum}%", "The weights of the groups sum to {sum} %, not to 100 %"
    ),
    "points_missing": Text(422, "至少一个选项要有分值", "At least one option must have points"),
    "slip_unknown": Text(
        422, "测评票号码不对，请核对后重新输入", "There is no voting slip with this code; check it and enter it again"
    ),
    "slip_used": Text(
        409,
        "这张测评票已经投过，已计入；每张票只能投一次",
        "This voting slip was used and is counted; each can be used once",
    ),
    "slip_of_another_ballot": Text(409, "这张测评票不是这次测评的", "This voting slip belongs to another ballot"),
    "unknown_option": Text(422, "没有这个选项", "There is no such option"),
    "choices_do_not_fit": Text(
        422,
        "每一项都要选一个：共 {wanted} 项，收到 {given} 项",
        "Choose one for each: {wanted} are asked, {given} came",
    ),
    "ballot_not_open": Text(409, "测评还没有开始", "The ballot has not opened yet"),
    "ballot_closed": Text(409, "测评已经结束，不再收票", "The ballot is closed; no vote is taken any more"),
    "already_voted": Text(409, "您已经投过票了；每人只能投一次", "You have voted; everybody votes once"),
    "not_on_roll": Text(403, "您不在这次测评的投票登记里", "You are not on the roll of this ballot"),
    "ballot_move_not_possible": Text(
        409, "测评现在的状态不能这样操作", "The ballot's present state does not allow this"
    ),
    "already_on_roll": Text(409, "其中有人已在投票登记里", "Some of them are on the roll already"),
    "wrong_way_of_voting": Text(422, "这一类票不是这样投的", "This group does not vote in this way"),
    "not_counted": Text(409, "测评还没有计票", "The ballot has not been counted yet"),
    "already_withdrawn": Text(409, "这次走访已经撤回", "The visit has been withdrawn already"),
    "not_invited": Text(409, "这个问题现在没有待回访", "Nobody is asked about this issue now"),
    "already_answered": Text(409, "已经有人回访过了，请看最新状态", "The resident has answered; see the present state"),
    "answer_too_late": Text(409, "回访时间已过", "The time in which an answer can be given is over"),
    "handled_it_yourself": Text(
        403,
        "您经办过这个问题，不能代居民回访评价，请由其他人回访",
        "You handled this issue and cannot answer for the resident; somebody else has to ask",
    ),
    "unknown_visit": Text(422, "没有这次走访，或不是您的走访", "There is no such visit of yours"),
    "visit_unfit": Text(
        422,
        "这次走访不在这个门户、没有见到人，或早于问题办结",
        "The visit was at another door, met nobody, or was before the issue was resolved",
    ),
    "photo_not_promised": Text(
        422, "没有登记要上传这张照片，或已删除", "Nobody said that this photo would come, or it was erased"
    ),
    "photo_differs": Text(422, "内容与登记的不一致，请重新上传", "The content is not what was promised; send it again"),
    "photo_too_large": Text(
        413, "照片或文件太大，最多 {most} 字节", "The photo or file is too large; at most {most} bytes"
    ),
    "not_a_picture": Text(
        422, "只接受 JPEG、PNG、WebP 照片和 PDF 文件", "Only JPEG, PNG and WebP photos, and PDF documents, are taken"
    ),
    "picture_broken": Text(
        422, "照片或文件不完整或已损坏，无法打开", "The photo or file was cut off or damaged, and cannot be opened"
    ),
    "picture_too_large": Text(
        422,
        "照片有 {megapixels} 百万像素，最多 {most} 百万",
        "The picture has {megapixels} megapixels; at most {most}",
    ),
    "no_space": Text(
        507,
        "服务器磁盘空间不足：约需 {needed} MB，剩 {free} MB。请缩小范围，或联系管理员",
        "The disk has no room: the file may need {needed} MB, and {free} MB are left. Narrow it, or ask who runs this",
    ),
    "too_many_files": Text(
        409, "已有 {most} 个文件在排队或生成，请等其中一个完成", "{most} files are waiting or being made; wait for one"
    ),
    "file_ended": Text(
        409, "文件已生成、失败或取消，不能再取消", "The file is made, has failed or was cancelled already"
    ),
    "file_not_ready": Text(409, "文件还没有生成，或没有生成成功", "The file is not made yet, or came to nothing"),
    "file_out_of_reach": Text(
        403,
        "您的权限在此之后有变化，不能再取这个文件；请按现在的范围重新导出",
        "Your roles have changed since and reach less than the file shows; ask for it anew",
    ),
    "unknown_table": Text(
        422, "没有这种表或格式，应为：{expected}", "There is no such table or form; expected: {expected}"
    ),
    "not_this_range": Text(416, "文件只有 {size} 字节", "The file has {size} bytes"),
    "storage_unavailable": Text(
        503, "照片存储暂时不可用，请稍后再试", "The place where photos lie is away; try again shortly"
    ),
    "too_many_uploads": Text(
        429, "未传完的照片太多，请先传完", "Too many photos are begun and not finished; finish those first"
    ),
    "upload_busy": Text(423, "这张照片正在上传", "This photo is being sent by another request"),
    "upload_offset": Text(
        409, "接续位置不对，服务器已有 {offset} 字节", "It does not go on from there; the server has {offset} bytes"
    ),
    "checksum_differs": Text(
        460, "这一段的校验值不符，请重新发送", "The part is not what its checksum says; send it again"
    ),
    "tus_version": Text(412, "上传协议应为 tus {expected}", "Uploads speak tus {expected}"),
    "not_a_part": Text(415, "内容类型应为 {expected}", "The content type must be {expected}"),
    "bad_header": Text(400, "请求头不符合要求，应为：{expected}", "The header does not fit; expected: {expected}"),
    "body_too_slow": Text(408, "请求内容传得太慢，请重新发送", "The body came too slowly; send it again"),
    "took_too_long": Text(503, "处理时间太长，已停止，请稍后再试", "It took too long and was given up; try again"),
    "too_large": Text(413, "请求内容太大", "The request is too large"),
    "bad_request": Text(400, "请求不符合要求", "The request does not fit"),
    "too_many_requests": Text(
        429, "请求太频繁，请 {seconds} 秒后再试", "Too many requests; try again in {seconds} seconds"
    ),
    "busy": Text(503, "系统正忙，请稍后再试", "The system is busy; try again shortly"),
    "unavailable": Text(503, "数据库暂时不可用，请稍后再试", "The database is away; try again shortly"),
    "fault": Text(500, "程序出错了，内容没有保存", "Something went wrong; nothing was saved"),
}
