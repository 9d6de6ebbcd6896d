"""How long what is kept of people is kept: rules by kind, that a district may change, and what they forget."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.access import account_notices, one_time_codes, sessions
from surveys.history import Actor, occurrence
from surveys.notices import notice_channels, notices, webhooks
from surveys.privacy import erasures
from surveys.privacy.erasures import Erasure

RuleKind = Literal[
    "contacts",  # sealed fields, after the issue was closed, rejected or merged
    "withdrawn_visits",  # texts and photos of a visit and of the issues rejected with it, after it was taken back
    "sessions",  # rows of sessions, after they expired
    "one_time_codes",  # rows of codes, after they expired
    "account_notices",  # what was told to a member about their account, after it was
    "notices",  # what was told to members of issues and services, after it was
    "deliveries",  # what was sent to whom by which channel, and to which webhook, after it was
]
Days = Annotated[int, Meta(ge=1, le=36_500)]

AT_ONCE = 1_000  # issues or visits in one turn of the job, so that an entry of the history stays readable
ACTOR = Actor("job", "retention")


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many days what a kind names is kept; one that is not enabled forgets nothing."""

    kind: RuleKind
    days: Days
    enabled: bool = True


DEFAULTS: Mapping[RuleKind, Rule] = {
    rule.kind: rule
    for rule in (
        Rule(kind="contacts", days=365),
        Rule(kind="withdrawn_visits", days=180),
        Rule(kind="sessions", days=30),
        Rule(kind="one_time_codes", days=30),
        Rule(kind="account_notices", days=366),
        Rule(kind="notices", days=366),
        Rule(kind="deliveries", days=366),
    )
}

RULES = "select kind, days, enabled from retention_rule where district = $1"


async def rules(conn: Connection, district: int) -> list[Rule]:
    """The rules of a district: its own, and the defaults where it has none."""
    own = {row["kind"]: Rule(**row) for row in await conn.fetch(RULES, district) if row["kind"] in DEFAULTS}
    return [own.get(kind, DEFAULTS[kind]) for kind in get_args(RuleKind)]


CHANGE = """
insert into retention_rule (district, kind, days, enabled, changed_at) values ($1, $2, $3, $4, $5)
on conflict (district, kind) do update
set days = excluded.days, enabled = excluded.enabled, changed_at = excluded.changed_at
"""


async def change(conn: Connection, district: int, actor: Actor, rule: Rule, now: datetime) -> None:
    """Let a district follow another rule from now on."""
    await conn.execute(CHANGE, district, rule.kind, rule.days, rule.enabled, now)
    event = occurrence(
        district=district,
        kind="installation",
        event="retention_changed",
        actor=actor,
        now=now,
        facts={"rule": rule.kind, "days": rule.days, "enabled": rule.enabled},
    )
    await history.append(conn, [event], [])


# An issue was closed when it left its last other state; one that came closed, when it was reported.
CONTACTS = """
select f.subject from sealed_field f
join issue i on i.district = f.district and i.id = f.subject
where f.district = $1 and f.erased_at is null and i.state = any($2)
  and coalesce((select max(s.valid_to) from issue_spans s
    where s.district = i.district and s.issue = i.id and s.state <> all($2)), i.reported_at) < $3
group by f.subject order by f.subject limit $4
"""
ENDED = ("closed", "rejected", "merged")

WITHDRAWN = """
select v.id from visit v
where v.district = $1 and v.withdrawn_at < $2 and exists (
  select from text_version t where t.district = v.district and t.subject = v.id and t.erased_at is null)
order by v.id limit $3
"""
OF_WITHDRAWN = """
with things as (
  select unnest($2::uuid[]) as id
  union
  select id from issue where district = $1 and visit = any($2) and state = 'rejected'
)
select id from things
union
select h.id from history h where h.district = $1 and h.thing in (select id from things)
"""


async def carry_out(conn: Connection, district: int, now: datetime) -> tuple[dict[str, int], list[Erasure]]:
    """Forget of residents what the rules say, a bounded part of it; returns how much of each kind, and the entries for
    the journal, which must be written before this is committed."""
    counts: dict[str, int] = {}
    done: list[Erasure] = []
    for kind, before in (await _ends(conn, district, now)).items():
        if kind not in ("contacts", "withdrawn_visits"):
            continue
        due = await _due(conn, district, kind, before, now)
        if due:
            wiped = await erasures.carry_out(conn, due, ACTOR)
            counts[kind] = wiped.sealed_fields + wiped.texts + wiped.photos
            done.append(due)
    return counts, done


async def forget_accounts(conn: Connection, district: int, now: datetime) -> dict[str, int]:
    """Remove of members' accounts what the rules say; returns how many rows of each kind. The history keeps what was
    done."""
    forgetting = {
        "sessions": sessions.forget,
        "one_time_codes": one_time_codes.forget,
        "account_notices": account_notices.forget,
        "notices": notices.forget,
        "deliveries": _forget_deliveries,
    }
    ends = await _ends(conn, district, now)
    return {kind: await forgetting[kind](conn, district, before) for kind, before in ends.items() if kind in forgetting}


async def _forget_deliveries(conn: Connection, district: int, before: datetime) -> int:
    sent = await notice_channels.forget(conn, district, before)
    return sent + await webhooks.forget(conn, district, before)


async def _ends(conn: Connection, district: int, now: datetime) -> dict[RuleKind, datetime]:
    """Before when each kind is forgotten now; kinds whose rule is off are left out."""
    return {rule.kind: now - timedelta(days=rule.days) for rule in await rules(conn, district) if rule.enabled}


async def _due(
    conn: Connection, district: int, kind: Literal["contacts", "withdrawn_visits"], before: datetime, now: datetime
) -> Erasure | None:
    if kind == "contacts":
        issues = _ids(await conn.fetch(CONTACTS, district, ENDED, before, AT_ONCE))
        return erasures.planned(district, kind, now, sealed=issues) if issues else None
    visits = _ids(await conn.fetch(WITHDRAWN, district, before, AT_ONCE))
    if not visits:
        return None
    return erasures.planned(district, kind, now, texts=_ids(await conn.fetch(OF_WITHDRAWN, district, visits)))


def _ids(rows: Sequence[Any]) -> list[UUID]:
    return [row[0] for row in rows]
