"""How alike two issues are: short Chinese titles are told apart, and each reason weighs what it should."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.issues import likeness
from surveys.issues.likeness import THRESHOLD, Traits, Why

# The same problem as several people write it; one line, one problem.
TOLD = [
    ["路灯不亮", "门口路灯坏了", "路灯夜间不亮", "3号楼前路灯坏了不亮", "晚上路灯不亮看不清路", "小区路灯不亮"],
    ["门口垃圾成堆", "垃圾堆放无人清理", "垃圾成堆没人清", "路边垃圾成堆发臭", "垃圾堆积，多日无人清运"],
    ["下水道井盖松动", "井盖破损", "井盖松动有异响", "下水井盖坏了", "路中间井盖松动，危险"],
    ["门口占道经营", "商贩占道经营堵路", "占道摆摊卖菜", "店外占道经营", "早市占道经营影响通行"],
    ["消防通道被车辆堵塞", "消防通道停车", "私家车堵住消防通道", "车辆占用消防通道"],
    ["雨后路面积水严重", "路口下雨积水", "路面积水没过脚踝", "一下雨门口就积水"],
    ["楼道堆放杂物", "楼道里堆满杂物", "三单元楼道杂物多", "楼道堆物影响通行"],
    ["电梯故障长期未修", "电梯坏了一周没修", "2号楼电梯故障", "电梯经常困人"],
    ["油烟直排扰民", "饭店油烟扰民", "楼下餐馆油烟直排", "烧烤店油烟大"],
    ["施工噪声深夜不停", "工地夜间施工扰民", "半夜施工噪音大", "夜间施工噪声扰民"],
    ["墙面小广告清理", "楼道小广告太多", "电线杆上贴满小广告", "墙上小广告"],
    ["电动车飞线充电", "楼上飞线充电", "飞线给电动车充电", "居民飞线充电有隐患"],
]
SAME = [pair for line in TOLD for pair in itertools.combinations(line, 2)]
OTHERS = [pair for one, two in itertools.combinations(TOLD, 2) for pair in itertools.product(one, two)]

HERE = {"lon": 113.605, "lat": 34.705}
METRE = 1 / 111_320  # degrees of latitude


def told(title: str, **more: object) -> Traits:
    return Traits(**{"category": "0102", "group": "01", "title": title, **HERE, **more})  # type: ignore[arg-type]


def score(one: Traits, other: Traits) -> float:
    return likeness.compare(one, other).score


def test_the_same_problem_is_told_from_another_by_its_words() -> None:
    same, others = ([likeness.likeness(*pair) or 0.0 for pair in pairs] for pairs in (SAME, OTHERS))
    above = sum(one > other for one, other in itertools.product(same, others)) / (len(same) * len(others))
    assert above > 0.98, "of a pair of the same and a pair of others, the same is more alike"
    unlike = sorted(others)[int(len(others) * 0.99)]
    assert sum(one > unlike for one in same) / len(same) > 0.8, "more alike than nearly all that is not the same"


def test_neighbours_of_one_category_are_proposed_and_others_are_not() -> None:
    """At one spot: what most people would take for the same is found, and hardly anything else."""
    found = [score(told(one), told(other)) >= THRESHOLD for one, other in SAME]
    mistaken = [
        score(told(one), told(other, category="0103")) >= THRESHOLD for one, other in OTHERS
    ]  # another problem has another category of the same group
    assert sum(found) / len(found) > 0.85
    assert sum(mistaken) / len(mistaken) < 0.005


@pytest.mark.parametrize(
    ("other", "proposed"),
    [
        (told("门口垃圾成堆"), True),
        (told("门口垃圾成堆", lat=HERE["lat"] + 50 * METRE), True),
        (told("门口垃圾成堆", lat=HERE["lat"] + 95 * METRE), False),
        (told("路边垃圾成堆发臭", lat=HERE["lat"] + 20 * METRE), True),
        (told("路边垃圾成堆发臭", lat=HERE["lat"] + 80 * METRE), False),
        (told("门口垃圾成堆", category="0103"), True),
        (told("门口垃圾成堆", category="0501", group="05"), True),
        (told("门口垃圾成堆", category="0501", group="05", lat=HERE["lat"] + 60 * METRE), False),
        (told("井盖破损"), False),
        (told("井盖破损", lon=None, lat=None), False),
        (told("门口垃圾成堆", lon=None, lat=None), True),
        (told("垃圾堆放无人清理", lon=None, lat=None), False),
        (told("", category="0102"), True),
        (told("", category="0103"), False),
    ],
)
def test_what_is_taken_for_the_same(other: Traits, proposed: bool) -> None:
    assert (score(told("门口垃圾成堆"), other) >= THRESHOLD) is proposed, likeness.compare(told("门口垃圾成堆"), other)


def test_what_many_write_under_everything_makes_nothing_alike() -> None:
    under = "，附近居民多次反映，影响出行，希望尽快派人查看处理并回访。"
    one, other = ("和平路12号垃圾堆放无人清理", "人民巷3号下水道井盖松动")
    why = likeness.compare(told(one, description=one + under), told(other, description=other + under))
    assert why.words is not None
    assert why.words < 0.1
    told_below = likeness.compare(told("环境问题", description="门口垃圾成堆没人清"), told("门口垃圾成堆"))
    assert told_below.words is not None
    assert told_below.words >= 0.5


texts = st.text(max_size=40)
places = st.none() | st.floats(-170, 170)


@st.composite
def traits(draw: st.DrawFn) -> Traits:
    lon, lat = draw(places), draw(st.floats(-80, 80))
    return Traits(
        lon=lon,
        lat=lat if lon is not None else None,
        category=draw(st.sampled_from(["0101", "0102", "0201"])),
        group=draw(st.sampled_from(["01", "02", None])),
        premises=draw(st.none() | st.uuids()),
        card=draw(st.none() | st.sampled_from(["EQ-1", "EQ-2"])),
        title=draw(st.none() | texts),
        description=draw(st.none() | texts),
    )


@given(traits(), traits())
def test_likeness_has_no_direction_and_stays_within_bounds(one: Traits, other: Traits) -> None:
    why = likeness.compare(one, other)
    assert 0 <= why.score <= 1
    back = likeness.compare(other, one)
    assert (back.category, back.words, back.same_premises, back.same_card) == (
        why.category,
        why.words,
        why.same_premises,
        why.same_card,
    )


@given(traits())
def test_nothing_is_more_alike_than_a_thing_and_itself(one: Traits) -> None:
    assert likeness.compare(one, one).score >= (THRESHOLD if one.lon is not None else 0)


def test_one_door_comes_on_top() -> None:
    why = Why(distance_m=None, category="same", words=0.3, same_premises=False, same_card=False)
    at_one_door = Why(distance_m=0, category="same", words=0.3, same_premises=True, same_card=False)
    assert why.score < THRESHOLD < at_one_door.score
