"""What is kept about a resident, as a text that they can read: Chinese, with the English word beside it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from surveys.assessments.commitment_records import RatingRecord
from surveys.privacy.residents import IssueRecord, PhotoRecord, Record, VisitRecord
from surveys.volunteering.card_records import BookingRecord

EVENTS = {
    "report": "上报 reported",
    "accept": "受理 accepted",
    "assign": "交办 assigned",
    "start": "开始办理 started",
    "resolve": "解决 solved",
    "close": "办结 closed",
    "reject": "不予受理 rejected",
    "reopen": "重办 reopened",
    "correct": "更正 corrected",
}
OUTCOMES = {"met": "见到本人 met", "not_home": "无人 not home", "declined": "谢绝 declined", "closed": "关门 closed"}


BOOKINGS = {
    "booked": "已预约 booked",
    "waiting": "候补 waiting",
    "cancelled": "已取消 cancelled",
    "came": "已到场 came",
    "missed": "未到场 missed",
}


def written(record: Record, zone: ZoneInfo) -> str:
    """The record as plain text, times in the district's zone."""
    lines = [
        "本系统保存的与您有关的全部内容 What is kept about you",
        f"生成时间 made at  {_time(record.made_at, zone)}",
        "",
    ]
    for issue in record.issues:
        lines += [*_issue(issue, zone), ""]
    for visit in record.visits:
        lines += [*_visit(visit, zone), ""]
    for booking in record.bookings:
        lines += [*_booking(booking, zone), ""]
    for rating in record.commitment_ratings:
        lines += [*_rating(rating, zone), ""]
    return "\n".join(lines)


def _issue(issue: IssueRecord, zone: ZoneInfo) -> Iterator[str]:
    yield f"问题 Issue {issue.number}"
    yield f"  上报时间 reported at  {_time(issue.reported_at, zone)}"
    yield f"  类别 category  {issue.category}"
    yield f"  社区 community  {issue.community or '—'}"
    yield f"  标题 title  {issue.title or '（已删除 erased）'}"
    if issue.description:
        yield f"  描述 description  {issue.description}"
    yield f"  联系人 name  {issue.contact.name or '—'}"
    yield f"  电话 phone  {issue.contact.phone or '—'}"
    if issue.lon is not None and issue.lat is not None:
        yield f"  位置 position  {issue.lon:.6f}, {issue.lat:.6f}"
    for step in issue.history:
        reason = f"  {step.reason}" if step.reason else ""
        yield f"  {_time(step.happened_at, zone)}  {EVENTS.get(step.event, step.event)}{reason}"
    yield from _photos(issue.photos, zone)


def _visit(visit: VisitRecord, zone: ZoneInfo) -> Iterator[str]:
    yield f"走访 Visit {_time(visit.started_at, zone)}"
    yield f"  结果 outcome  {OUTCOMES.get(visit.outcome, visit.outcome)}"
    yield f"  走访对象 premises  {visit.premises_name or '（已删除 erased）'}  {visit.premises_address or ''}".rstrip()
    if visit.note:
        yield f"  备注 note  {visit.note}"
    if visit.answers:
        yield f"  问卷 answers  {visit.answers}"
    yield from _photos(visit.photos, zone)


def _booking(booking: BookingRecord, zone: ZoneInfo) -> Iterator[str]:
    yield f"志愿服务预约 Booking of a service  {booking.service or '（已删除 erased）'}"
    yield f"  开始时间 begins at  {_time(booking.starts_at, zone)}"
    yield f"  预约时间 booked at  {_time(booking.booked_at, zone)}"
    yield f"  状态 state  {BOOKINGS[booking.state]}"
    yield f"  人数 persons  {booking.persons}"
    for said in booking.answers:
        yield (
            f"  {_time(said.answered_at, zone)}  {'帮上了忙 helped' if said.solved else '没帮上忙 did not help'}"
            f"  {said.satisfaction}/5  {said.reason or ''}".rstrip()
        )


def _rating(rating: RatingRecord, zone: ZoneInfo) -> Iterator[str]:
    yield f"公开承诺评价 Rating of a commitment  {rating.promised or '（已删除 erased）'}"
    yield (
        f"  {_time(rating.rated_at, zone)}  {'兑现了 kept' if rating.kept else '没有兑现 not kept'}"
        f"  {rating.stars}/5  {rating.reason or ''}".rstrip()
    )


def _photos(photos: Sequence[PhotoRecord], zone: ZoneInfo) -> Iterator[str]:
    for one in photos:
        photo = one.photo
        taken = f"  拍摄 taken  {_time(photo.taken_at, zone)}" if photo.taken_at else ""
        place = f"  {photo.lon:.6f}, {photo.lat:.6f}" if photo.lon is not None and photo.lat is not None else ""
        yield f"  照片 photo  {_time(photo.received_at, zone)}  {one.address}{taken}{place}"


def _time(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
