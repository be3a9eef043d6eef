"""Charts: well formed for any record, marks where the numbers are, colours that can be told apart."""

import re
from collections.abc import Mapping
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from chart_toys import ATTACKS, EPS, TASKS, around, changed, record_with, standing_of
from markupsafe import Markup

from mtlattack.analysis import Interval, Record
from mtlattack.analysis.summaries import UNDEFINED
from mtlattack.leaderboard.formats import with_interval
from mtlattack.leaderboard.pages.charts import (
    STYLESHEET,
    attack_curves,
    robust_curves,
    skill_against_clean,
    skill_against_degree,
)
from mtlattack.leaderboard.pages.charts.axis import Axis, ends, numeric, steps
from mtlattack.leaderboard.pages.charts.plot import BOTTOM, LEFT, RIGHT, TOP, style
from mtlattack.leaderboard.pages.transfer import level_of, transfer_map
from mtlattack.leaderboard.standings import Standing, ranked

HOSTILE = "</text><script>alert(1)</script>\"' onload=x 🦊 𝔘 &amp; ]]>"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<root>{markup}</root>")


def href(standing: Standing) -> str:
    return f"../rows/{standing.stored.id}.html"


def all_charts(record: Record) -> list[Markup]:
    standings = ranked(
        [
            standing_of(record, "a" * 16, adversarial_training=HOSTILE, sharing_degree=0.5),
            standing_of(record, "b" * 16),
        ]
    )
    scatter = [draw(standings) for draw in (skill_against_clean, skill_against_degree)]
    return [attack_curves(record), robust_curves(standings), *scatter]


def with_numbers(found: Interval) -> Record:
    """Every number under attack, and skill on clean images, is this one."""
    record = record_with()
    assert record.clean_skill is not None and record.attacks[0].skill is not None
    skill = record.clean_skill.model_copy(update={"mean": found, "worst": found})
    intervals = {name: {m.name: found for m in task.metric_table} for name, task in TASKS.items()}
    same = changed(record, skill=skill, intervals=intervals, arp=found, loss_change=found, log_ratio=found, worst=found)
    robust = [each.model_copy(update={"skill": skill}) for each in record.robust_skill]
    return same.model_copy(update={"clean_skill": skill, "clean_intervals": intervals, "robust_skill": robust})


ODD_RECORDS = {
    "as usual": record_with(),
    "one ε": record_with(eps=EPS[:1]),
    "one number": record_with(attacks=["apgd-dgba"], eps=EPS[:1], tasks={"depth": TASKS["depth"]}),
    "many attacks": record_with(attacks=[f"apgd-{i}" for i in range(70)]),
    "close ε": record_with(eps=[7 / 255, 7.01 / 255, 7.02 / 255, 1.0]),
    "hostile attacks": record_with(attacks=[HOSTILE, f"apgd-single:{HOSTILE}", "<b>"]),
    "long names": record_with(attacks=["apgd-" + "w" * 190, "🦊" * 100]),
    "no skill": record_with(skilled=False),
    "no values": with_numbers(UNDEFINED),
    "huge values": with_numbers(Interval(value=1e308, low=-1e308, high=1e308)),
    "large values": with_numbers(Interval(value=9e14, low=-9e14, high=9e14)),
    "tiny values": with_numbers(Interval(value=5e-324, low=-5e-324, high=5e-324)),
    "zeros": with_numbers(Interval(value=0.0, low=0.0, high=0.0)),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ODD_RECORDS)
def test_any_record_gives_well_formed_markup_that_stays_inside(name: str) -> None:
    for markup in all_charts(ODD_RECORDS[name]):
        root = parsed(markup)
        assert not [each for each in root.iter() if each.tag.endswith(("script", "style", "foreignObject"))]
        for each in root.iter():
            assert not any(key == "style" or key.startswith("on") for key in each.attrib)
            for key in {"x", "y", "d", "transform"} & set(each.attrib):
                assert re.fullmatch(r"(rotate|translate)?[-+MLHVAZ\d. e()]+", each.attrib[key])
        for svg in charts(markup).values():
            for x, y in (position(each) for each in svg.iter(f"{SVG}path") if "transform" in each.attrib):
                assert LEFT - 30 <= x <= RIGHT + 30 and TOP - 0.1 <= y <= BOTTOM + 0.1


def test_equal_records_give_equal_bytes() -> None:
    assert all_charts(record_with()) == all_charts(record_with())


def test_text_of_strangers_is_text() -> None:
    markup = attack_curves(ODD_RECORDS["hostile attacks"])
    assert any(HOSTILE in (title.text or "") for title in parsed(markup).iter(f"{SVG}title"))
    names = [each.text for each in parsed(markup).iter("span")]
    assert {HOSTILE, f"apgd-single:{HOSTILE}", "<b>"} <= set(names)


def charts(markup: Markup) -> dict[str, ElementTree.Element]:
    """The pictures by their names."""
    return {
        str(each.findtext("figcaption/b")): next(each.iter(f"{SVG}svg"))
        for each in parsed(markup).iter("figure")
    }  # fmt: skip


def position(each: ElementTree.Element) -> tuple[float, float]:
    found = re.fullmatch(r"translate\((\S+) (\S+)\)", each.attrib["transform"])
    assert found is not None
    return float(found[1]), float(found[2])


def points(svg: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Where each point is, by what is said of it."""
    found = {}
    for group in svg.iter(f"{SVG}g"):
        if (title := group.findtext(f"{SVG}title")) is not None:
            marker = next(each for each in group.iter(f"{SVG}path") if each.attrib["class"] == "marker")
            found[title] = position(marker)
    return found


def whiskers(svg: ElementTree.Element) -> list[str]:
    return [each.attrib["d"] for each in svg.iter(f"{SVG}path") if each.attrib["class"] == "whisker"]


def ticks(svg: ElementTree.Element, kind: str) -> dict[float, float]:
    """Values and positions of one axis' marks."""
    along = "y" if kind == "end" else "x"
    found = [each for each in svg.iter(f"{SVG}text") if each.attrib["class"] == f"tick {kind}"]
    return {float((each.text or "").replace("−", "-")): float(each.attrib[along]) for each in found}


def at(marked: Mapping[float, float], value: float) -> float:
    """Where a value falls between two marked ones."""
    (a, x), *_, (b, y) = marked.items()
    return x + (value - a) / (b - a) * (y - x)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("skill", 1), ("log loss ratio", 1), ("arp %", 100), ("segmentation", 1), ("normals", 1)],
)
def test_curves_are_where_the_numbers_are(name: str, factor: float) -> None:
    record = record_with()
    svg = charts(attack_curves(record))[name]
    marked, places = ticks(svg, "end"), points(svg)
    for attack in record.attacks:
        found = {
            "skill": attack.skill and attack.skill.mean, "log loss ratio": attack.log_ratio, "arp %": attack.arp,
            "segmentation": attack.intervals["segmentation"]["miou"],
            "normals": attack.intervals["normals"]["angle_mean"],
        }[name]  # fmt: skip
        assert found is not None and found.value is not None and found.low is not None and found.high is not None
        shown = Interval(value=factor * found.value, low=factor * found.low, high=factor * found.high)
        title = f"{attack.name}, linf {attack.eps * 255:g}/255: {with_interval(shown)}"
        x, y = places[title]
        assert y == pytest.approx(at(marked, factor * found.value), abs=0.02)
        low, high = (at(marked, factor * end) for end in (found.low, found.high))
        drawn = [re.fullmatch(rf"M{x:g} (\S+)V(\S+)", d) for d in whiskers(svg)]
        assert any(each and (float(each[1]), float(each[2])) == pytest.approx((low, high), abs=0.02) for each in drawn)


def test_on_every_panel_of_curves_worse_is_below_and_right() -> None:
    for svg in charts(attack_curves(record_with(attacks=["apgd-dgba"]))).values():
        places = list(points(svg).values())
        assert len(places) == 1 + len(EPS)
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(places))


def test_curves_break_where_a_value_is_null() -> None:
    record = record_with(attacks=["apgd-dgba"])
    broken = record.attacks[1].model_copy(update={"log_ratio": UNDEFINED})
    svg = charts(attack_curves(record.model_copy(update={"attacks": [record.attacks[0], broken, *record.attacks[2:]]})))
    (line,) = [each.attrib["d"] for each in svg["log loss ratio"].iter(f"{SVG}path") if each.attrib["class"] == "line"]
    assert re.sub(r"[^ML]", "", line) == "MLML" and len(points(svg["log loss ratio"])) == 4


def test_series_differ_without_colour() -> None:
    assert len({(style(i).dashes, style(i).shape) for i in range(8)}) == 8
    assert len({style(i) for i in range(64)}) == 64
    svg = charts(attack_curves(record_with()))["skill"]
    kinds = [group.attrib["class"] for group in svg.iter(f"{SVG}g") if "class" in group.attrib]
    assert sorted(kinds) == ["series back", "series back", "series series-1", "series series-2"]


def test_robust_curves_have_a_line_a_row_with_what_is_left_at_each_eps() -> None:
    standings = [
        standing_of(record_with(strength=1), "a" * 16, name="one"),
        standing_of(record_with(strength=3), "b" * 16, name="three"),
        standing_of(record_with(), "c" * 16, "retracted", name="gone"),
        standing_of(record_with(skilled=False), "d" * 16, name="old"),
    ]
    (svg,) = charts(robust_curves(standings)).values()
    places, marked = points(svg), ticks(svg, "end")
    assert len(places) == 2 * 5
    for standing in standings[:2]:
        for robust in standing.stored.record.robust_skill:
            value = robust.skill.mean.value
            name = (
                f"{standing.stored.row.model.name}, linf {robust.eps * 255:g}/255: {with_interval(robust.skill.mean)}"
            )
            assert value is not None and places[name][1] == pytest.approx(at(marked, value), abs=0.02)


def test_robust_and_skilled_rows_stand_up_and_right() -> None:
    standings = ranked([standing_of(record_with(strength=s), f"{i:016x}") for i, s in enumerate((1.0, 2.0, 4.0))])
    svg = charts(skill_against_clean(standings))["Robust against clean"]
    links = {each.attrib["href"]: each for each in svg.iter(f"{SVG}a")}
    assert set(links) == {href(standing) for standing in standings}
    for standing in standings:
        ((title, (x, y)),) = points(links[href(standing)]).items()
        record = standing.stored.record
        assert standing.robust and record.clean_skill and title.startswith(f"{standing.rank}: toy")
        assert x == pytest.approx(at(ticks(svg, "middle"), record.clean_skill.mean.value or 0), abs=0.02)
        assert y == pytest.approx(at(ticks(svg, "end"), standing.robust.skill.mean.value or 0), abs=0.02)
    heights = [points(links[href(standing)]).popitem()[1][1] for standing in standings]
    assert heights == sorted(heights)


def test_rows_that_have_no_rank_are_left_out() -> None:
    standings = ranked(
        [
            standing_of(record_with(), "a" * 16, "retracted"),
            standing_of(record_with(skilled=False), "b" * 16),
            standing_of(record_with(), "c" * 16, "verified", adversarial_training="pgd"),
        ]
    )
    for draw in (skill_against_clean, skill_against_degree):
        (link,) = parsed(draw(standings)).iter(f"{SVG}a")
        assert link.attrib["href"] == href(standings[2])
        assert link.attrib["aria-label"].startswith("1: toy") and "adversarial training (pgd)" in next(
            iter(points(link))
        )
        assert "no values" in draw([])


def test_degrees_stand_in_their_order_and_equal_ones_beside_each_other() -> None:
    degrees = [0.0, 0.32, 0.5, 1.0, 1.0, 1.0, None]
    standings = [
        standing_of(record_with(strength=1 + i), f"{i:016x}", sharing_degree=degree) for i, degree in enumerate(degrees)
    ]
    svg = charts(skill_against_degree(ranked(standings)))["Robust skill and sharing"]
    marks = [each for each in svg.iter(f"{SVG}text") if each.attrib["class"] == "tick middle"]
    assert [each.text for each in marks] == ["unknown", "0", "0.25", "0.5", "0.75", "1"]
    marked = {float(each.text or 0): float(each.attrib["x"]) for each in marks[1:]}
    links = {each.attrib["href"]: next(iter(points(each).values())) for each in svg.iter(f"{SVG}a")}
    places = [links[href(standing)] for standing in standings]
    for degree, (x, _) in zip(degrees[:3], places, strict=False):
        assert degree is not None and x == pytest.approx(at(marked, degree), abs=0.02)
    columns = sorted(x for x, _ in places[3:6])
    assert all(b - a >= 12 for a, b in pairwise(columns)) and columns[1] == pytest.approx(marked[1.0], abs=0.02)
    assert places[6][0] < places[0][0] - 20
    kinds = [each.attrib["class"] for each in svg.iter(f"{SVG}g") if "class" in each.attrib]
    assert kinds[0] == "series seq-8" and kinds[-1] == "series hollow" and "series seq-2" in kinds


def test_map_has_a_cell_for_each_attack_and_task() -> None:
    record = record_with(eps=EPS[:1])
    first = record.attacks[0].model_copy(
        update={"task_change": {"segmentation": None, "depth": -0.5, "normals": 0.031}}
    )
    found = transfer_map([first, *record.attacks[1:]], list(TASKS))
    # Single-task attacks first, in the order of the tasks.
    assert [name for name, _ in found.lines] == [
        "apgd-single:segmentation",
        "apgd-single:depth",
        "pgd-dgba",
        "apgd-total",
    ]
    cells = dict(found.lines)
    assert [(each.text, each.kind) for each in cells["pgd-dgba"]] == [("–", "none"), ("−50", "seq-5"), ("+3", "seq-0")]
    own = [(name, task) for name, line in found.lines for task, each in zip(found.tasks, line, strict=True) if each.own]
    assert own == [("apgd-single:segmentation", "segmentation"), ("apgd-single:depth", "depth")]


@pytest.mark.parametrize(
    ("change", "step"), [(0.5, 0), (0.0, 0), (-0.019, 0), (-0.02, 1), (-0.499, 4), (-0.5, 5), (-5.0, 8), (-1e9, 8)]
)
def test_steps_of_the_map(change: float, step: int) -> None:
    assert level_of(change) == step


def test_axes_are_straight_round_and_hold_their_values() -> None:
    axis = numeric("", [Interval(value=3.2, low=None, high=None), Interval(value=41.7, low=None, high=None)])
    assert [value for value, _ in axis.marks] == [0, 10, 20, 30, 40, 50] and axis.marks[1][1] == "10"
    assert axis.share(25) == pytest.approx(0.5)
    turned = numeric("", [around(0.2), around(0.31)], higher_is_better=False)
    assert 0 <= turned.share(0.341) < turned.share(0.2) < turned.share(0.18) <= 1 and turned.marks[0][1] == "0.15"
    for values in ([0.0], [7.0, 7.0], [-1e15, 1e15], [1e-300, 2e-300], [1.0, 1.0 + 1e-15], []):
        found: Axis = numeric("", [Interval(value=value, low=None, high=None) for value in values])
        assert all(0 <= found.share(value) <= 1 for value in values) and len(found.marks) >= 2
    names = steps("", ["clean", "1/255", "2/255"])
    assert [names.share(place) for place, _ in names.marks] == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    assert ends(Interval(value=1.0, low=float("-inf"), high=2.0)) == [1.0] and ends(UNDEFINED) == []


COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"(?:--|\.)([a-z0-9-]+)(?: { --series)?: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLESHEET.read_text()
    )
}


def test_every_colour_has_both_themes_and_is_used() -> None:
    names = {"surface", "ink", "muted", "grid", *(f"series-{i}" for i in range(1, 9)), *(f"seq-{i}" for i in range(9))}
    assert set(COLOURS) == names
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLESHEET.read_text()))
    assert used == {"surface", "ink", "muted", "grid", "series"}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough(theme: int) -> None:
    colours = {name: both[theme] for name, both in COLOURS.items()}
    surface = colours["surface"]
    for name in ("ink", "muted"):
        assert contrast(colours[name], surface) >= 4.5
    for i in range(1, 9):
        assert contrast(colours[f"series-{i}"], surface) >= 3
    for i in range(9):
        assert contrast(colours["ink" if i < 5 else "surface"], colours[f"seq-{i}"]) >= 4.5
    lightness = [116 * luminance(colours[f"seq-{i}"]) ** (1 / 3) for i in range(9)]
    gaps = [b - a for a, b in pairwise(lightness)]
    assert max(gaps) - min(gaps) < 1.5 and min(map(abs, gaps)) > 7


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_attacks_of_a_record_are_all_named() -> None:
    names = [each.text for each in parsed(attack_curves(record_with())).iter("span") if each.text in ATTACKS]
    assert sorted(names) == sorted(ATTACKS)
