"""What notices say, in two languages: one set of templates, for messages and pages alike.

A message says what happened to which issue: its number, its category and its place as the district calls them, and
until when it is due; or to which service, as its team announced it to everybody; or in which round somebody is missing.
What residents have written is never in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from surveys.notices.notice_channels import Line, Message
from surveys.notices.notices import Language, NoticeKind, Way

Words = tuple[str, str]  # Chinese, English

KINDS: Mapping[NoticeKind, Words] = {
    "offered": ("有问题等您受理", "An issue waits for you to take it on"),
    "handed_on": ("有问题移交给您", "An issue was handed on to you"),
    "department_assigned": ("有问题分派到您的部门", "An issue was assigned to your department"),
    "request": ("有申请等您审核", "A request waits for your judgement"),
    "granted": ("您的申请已批准", "Your request was granted"),
    "refused": ("您的申请未批准", "Your request was refused"),
    "returned": ("问题退回到您这里", "An issue came back to you"),
    "due_soon": ("问题即将到期", "An issue is nearly due"),
    "overdue": ("问题超期未结", "An issue is overdue"),
    "reopened": ("问题重新办理", "An issue was reopened"),
    "merged": ("问题与另一件合并", "An issue was merged into another"),
    "resolved": ("您上报的问题已办结", "An issue that you reported is resolved"),
    "invited": ("请回访居民", "Please ask the resident whether it is solved"),
    "green_channel": ("您督办的问题有进展", "An issue that you follow has moved"),
    "opinion_wanted": ("联审等您部门的意见", "A joint review wants your department's opinion"),
    "service_soon": ("志愿服务即将开始", "A service begins within a day"),
    "service_moved": ("志愿服务改了时间", "A service was moved to another time"),
    "service_cancelled": ("志愿服务已取消，原因见服务页面", "A service was cancelled; its page says why"),
    "rating_due": ("考核评价还缺您的一份", "Your ratings are still missing"),
}
WAYS: Mapping[Way, Words] = {
    "at_once": ("立即发送", "At once"),
    "digest": ("每天早上汇总", "Each morning"),
    "inbox": ("只在站内", "Inbox only"),
    "nothing": ("不通知", "Not at all"),
}
MOST_LINES = 20

SUBJECT: Words = ("【走访】{what}", "Zoufang: {what}")
SUBJECT_OF_MANY: Words = ("【走访】{count} 条通知", "Zoufang: {count} notices")
LINE: Words = (
    "{what} · {number} 号 · {category} · {place} · {due} 前办结",
    "{what} · no. {number} · {category} · {place} · due {due}",
)
LEVEL: Words = ("（第 {level} 级）", " (level {level})")
LINE_OF_SERVICE: Words = ("{what} · {title} · {place} · {starts} 开始", "{what} · {title} · {place} · begins {starts}")
LINE_OF_ROUND: Words = ("{what} · {title}", "{what} · {title}")
REMOVED: Words = ("（文字已删除）", "(text removed)")
NOWHERE: Words = ("未定位", "no place")
MORE: Words = ("另有 {count} 条，请登录查看", "and {count} more; sign in to read them")


def chosen(words: Words, language: Language) -> str:
    """The words in a language."""
    return words[language == "en"]


def of_kind(kind: NoticeKind, level: int | None, language: Language) -> str:
    """What a notice of this kind is called."""
    said = chosen(KINDS[kind], language)
    return said + chosen(LEVEL, language).format(level=level) if level else said


def composed(message: Message, public_url: str | None) -> tuple[str, str]:
    """A message's subject and body."""
    language, zone = message.language, ZoneInfo(message.time_zone)
    lines = [_line(line, language, zone) for line in message.lines[:MOST_LINES]]
    if (more := len(message.lines) - MOST_LINES) > 0:
        lines.append(chosen(MORE, language).format(count=more))
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/account#notices")
    return _subject(message.lines, language), "\n".join(lines)


def _subject(lines: Sequence[Line], language: Language) -> str:
    if len(lines) > 1:
        return chosen(SUBJECT_OF_MANY, language).format(count=len(lines))
    return chosen(SUBJECT, language).format(what=of_kind(lines[0].kind, lines[0].level, language))


def _line(line: Line, language: Language, zone: ZoneInfo) -> str:
    what = of_kind(line.kind, line.level, language)
    if line.service is not None:
        return chosen(LINE_OF_SERVICE, language).format(
            what=what,
            title=_on_one_line(line.title) or chosen(REMOVED, language),
            place=_on_one_line(line.place) or line.community or chosen(NOWHERE, language),
            starts=_moment(line.starts_at, zone),
        )
    if line.round is not None:
        title = _on_one_line(line.title) or chosen(REMOVED, language)
        return chosen(LINE_OF_ROUND, language).format(what=what, title=title)
    return chosen(LINE, language).format(
        what=what,
        number=line.number,
        category=line.category,
        place=line.community or chosen(NOWHERE, language),
        due=_moment(line.due_at, zone),
    )


def _on_one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%m-%d %H:%M") if at else ""
