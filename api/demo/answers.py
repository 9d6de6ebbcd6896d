"""What was answered at the doors of the demo, to the questionnaires that the product brings along."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import msgspec

from api.demo.doors import Filed
from surveys.premises.premises import PremisesKind
from surveys.visits.visit_drafts import Answers

VERSION = "2026-11"  # of the questionnaires that the product brings along
_SHARE = 0.6  # of the visits that met somebody, those with a questionnaire

Values = dict[str, Any]

_SHOP: Mapping[str, float] = {"parking": 5, "rent": 4, "hiring": 3, "smoke": 3, "finance": 2, "roadworks": 2, "none": 8}
_ENTERPRISE: Mapping[str, float] = {"hiring": 5, "finance": 4, "none": 5}
_HOUSEHOLD: Mapping[str, float] = {"lift": 3, "none": 6}
_DETAILS = {
    "parking": "送货车没有地方停，早晚尤其难",
    "rent": "房租年底到期，还没有谈妥",
    "hiring": "招工两个月，合适的人不多",
    "smoke": "排烟管道老化，雨天倒灌",
    "finance": "回款慢，月底周转紧",
    "roadworks": "门前围挡三个月，客流少了一半",
}


def answered(filed: Sequence[Filed], rng: Random) -> list[Filed]:
    """The visits, most of those that met somebody with answers."""
    return [
        replace(one, draft=msgspec.structs.replace(one.draft, answers=_answers(one.visit.kind, rng)))
        if one.visit.outcome == "met" and rng.random() < _SHARE
        else one
        for one in filed
    ]


def _answers(kind: PremisesKind, rng: Random) -> Answers:
    values = {"shop": _shop, "enterprise": _enterprise, "household": _household}[kind](rng)
    return Answers(questionnaire=kind, version=VERSION, values=values)


def _shop(rng: Random) -> Values:
    difficulties = _some(_SHOP, rng)
    late = rng.random() < 0.2
    values: Values = {
        "trading": rng.choices(("usual", "reduced"), (0.9, 0.1))[0],
        "staff": 1 + int(rng.expovariate(1 / 3)),
        "difficulties": difficulties,
        "waste_collection": "late" if late else "daily",
        "services": rng.sample(("agent", "policy", "loan", "jobs", "legal"), rng.randrange(0, 3)),
    }
    if late:
        values["waste_waits"] = rng.randrange(1, 5)
    return values | _details(difficulties) | _call_back(rng)


def _enterprise(rng: Random) -> Values:
    difficulties = _some(_ENTERPRISE, rng)
    values: Values = {
        "industry": rng.choice(("manufacturing", "trade", "logistics", "building", "technology")),
        "staff": 3 + int(rng.lognormvariate(3, 0.8)),
        "difficulties": difficulties,
        "named_contact": rng.choice(("yes", "no")),
    }
    if "finance" in difficulties:
        values |= {"finance_amount": float(rng.randrange(10, 300, 10)), "finance_asked": rng.choice(("yes", "no"))}
    return values | _details(difficulties)


def _household(rng: Random) -> Values:
    problems = _some(_HOUSEHOLD, rng)
    values: Values = {
        "dwelling": "flat_lift" if "lift" in problems else rng.choice(("flat_lift", "flat_stairs", "house")),
        "tenure": rng.choices(("owned", "rented"), (0.75, 0.25))[0],
        "building_problems": problems,
        "has_manager": rng.choice(("yes", "no")),
        "needs_service": "no",
    }
    if "lift" in problems:
        values["lift_stops"] = rng.randrange(1, 6)
    return values


def _some(weights: Mapping[str, float], rng: Random) -> list[str]:
    """One or two of what can be chosen; nothing goes together with none."""
    chosen = dict.fromkeys(rng.choices(list(weights), list(weights.values()), k=rng.randrange(1, 3)))
    return ["none"] if "none" in chosen else list(chosen)


def _details(difficulties: Sequence[str]) -> Values:
    told = [_DETAILS[name] for name in difficulties if name in _DETAILS]
    return {"difficulty_details": "；".join(told)} if told else {}


def _call_back(rng: Random) -> Values:
    if rng.random() < 0.85:
        return {"call_back": "no"}
    return {"call_back": "yes", "call_back_time": rng.choice(("morning", "afternoon"))}
