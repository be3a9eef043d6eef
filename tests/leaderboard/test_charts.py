"""Charts: they are well formed for any row, their marks are where the numbers are, their colours can be told apart."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from chart_toys import ATTACKS, EPS, TASKS, changed, nothing, row_with, standing_of
from markupsafe import Markup

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.leaderboard.charts import (
    STYLESHEET,
    degree_plot,
    eps_curves,
    robustness_against_accuracy,
    robustness_by_task,
    transfer_map,
)
from mtlattack.leaderboard.charts.lettering import shorten, significant, text_width, whole_percent
from mtlattack.leaderboard.charts.marks import series
from mtlattack.leaderboard.charts.scales import EpsScale, by_direction, linear
from mtlattack.leaderboard.charts.transfer_map import level_of
from mtlattack.leaderboard.rows.schema import Row
from mtlattack.leaderboard.standings import Standing

HOSTILE = "</text><script>alert(1)</script>\"' onload=x 🦊 𝔘 \uffff &amp; ]]>"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<root>{markup}</root>")


def href(standing: Standing) -> str:
    return f"rows/{standing.stored.id}.html?a=1&b=2"


def all_charts(row: Row) -> list[Markup]:
    standings = [standing_of(row), standing_of(row, "b" * 16)]
    task = next(iter(row.tasks))
    metric = next(iter(row.tasks[task].metrics), None)
    scatter = [robustness_against_accuracy(standings, task, metric, href)] if metric else []
    maps = [transfer_map(row, eps) for eps in sorted({attack.eps for attack in row.attacks})]
    return [eps_curves(row), *maps, *scatter, degree_plot(standings, href)]


def without_values(row: Row) -> Row:
    attacks = [
        attack.model_copy(
            update={
                "metrics": {task: dict.fromkeys(found, nothing()) for task, found in attack.metrics.items()},
                "log_ratio": nothing(),
                "task_change": dict.fromkeys(attack.task_change),
            }
        )
        for attack in row.attacks
    ]
    clean = {task: dict.fromkeys(found, nothing()) for task, found in row.clean.items()}
    return changed(row, attacks=attacks, clean=clean)


def with_interval_of(value: float) -> Row:
    """Every number of the row is this one."""
    row = row_with()
    same = nothing().model_copy(update={"value": value, "low": -value, "high": value})
    attacks = [
        attack.model_copy(
            update={
                "metrics": {task: dict.fromkeys(found, same) for task, found in attack.metrics.items()},
                "log_ratio": same,
                "task_change": dict.fromkeys(attack.task_change, value),
            }
        )
        for attack in row.attacks
    ]
    return changed(row, attacks=attacks, clean={task: dict.fromkeys(m, same) for task, m in row.clean.items()})


def renamed(row: Row, task: str) -> Row:
    """The row with a first task of another name, which a row that was read cannot have."""

    def with_name(found: dict[str, object]) -> dict[str, object]:
        return {task if name == "segmentation" else name: value for name, value in found.items()}

    attacks = [
        attack.model_copy(update={"metrics": with_name(attack.metrics), "task_change": with_name(attack.task_change)})
        for attack in row.attacks
    ]
    return changed(row, tasks=with_name(row.tasks), clean=with_name(row.clean), attacks=attacks)


ODD_ROWS = {
    "as usual": row_with(),
    "one ε": row_with(eps=EPS[:1]),
    "one task": row_with(tasks={"depth": TASKS["depth"]}),
    "one attack": row_with(attacks=["apgd-dgba"]),
    "one number": row_with(attacks=["apgd-dgba"], eps=EPS[:1], tasks={"depth": TASKS["depth"]}),
    "many tasks": row_with(tasks={f"task_number_{i}": TASKS["depth"] for i in range(14)}),
    "many attacks": row_with(attacks=[f"apgd-{i}" for i in range(70)]),
    "close ε": row_with(eps=[7 / 255, 7.01 / 255, 7.02 / 255, 1.0]),
    "extreme ε": row_with(eps=[5e-324, 1e-300, 1e300]),
    "hostile attacks": row_with(attacks=[HOSTILE.replace("\uffff", ""), f"apgd-single:{HOSTILE}", "<b>"]),
    "hostile task": renamed(row_with(attacks=[*ATTACKS, f"apgd-single:{HOSTILE}"]), HOSTILE),
    "hostile training": row_with(adversarial_training=HOSTILE, sharing_degree=0.5),
    "long names": row_with(attacks=["apgd-" + "w" * 190, "🦊" * 100]),
    "no values": without_values(row_with()),
    "no values, one ε": without_values(row_with(eps=EPS[:1])),
    "huge values": with_interval_of(1e308),
    "large values": with_interval_of(9e14),
    "tiny values": with_interval_of(5e-324),
    "zeros": with_interval_of(0.0),
    "unknown kind": changed(row_with(), tasks={
        name: card.model_copy(update={"config": {"kind": ["x"]}}) for name, card in row_with().tasks.items()
    }),
    "no metrics": changed(row_with(), tasks={
        name: card.model_copy(update={"metrics": {}}) for name, card in row_with().tasks.items()
    }, clean={}),
}  # fmt: skip


@pytest.mark.parametrize("row", ODD_ROWS.values(), ids=ODD_ROWS)
def test_charts_are_well_formed_inert_and_repeatable(row: Row) -> None:
    charts = all_charts(row)
    assert charts == all_charts(row)
    for chart in charts:
        assert isinstance(chart, Markup) and "nan" not in chart.lower() and "inf " not in chart
        for each in parsed(chart).iter():
            assert each.tag.removeprefix(SVG) in {
                "root", "div", "svg", "title", "desc", "g", "a", "path", "line", "rect", "circle", "text", "ul", "li",
                "span",
            }  # fmt: skip
            assert not any(name == "style" or name.startswith("on") for name in each.attrib)
            assert "href" not in each.attrib or each.attrib["href"].startswith("rows/")
    for svg in (svg for chart in charts for svg in parsed(chart).iter(SVG + "svg")):
        width, height = map(float, svg.attrib["viewBox"].split()[2:])
        assert (float(svg.attrib["width"]), float(svg.attrib["height"])) == (width, height)
        named = {each.attrib["id"] for each in svg.iter() if "id" in each.attrib}
        assert named == set(svg.attrib["aria-labelledby"].split()) and len(named) == 2
        for x, y in marks_of(svg):
            assert 0 <= x <= width and 0 <= y <= height
        for each in svg.iter(SVG + "text"):
            extent = text_width("".join(each.itertext()).removeprefix(title_of(each)))
            x = float(each.attrib["x"])
            kinds = each.attrib.get("class", "").split()
            start = x - extent if "end" in kinds else x - extent / 2 if "middle" in kinds else x
            if "transform" not in each.attrib:
                # The estimate is generous: bold text and long sentences may pass the edge in it.
                assert start >= -3 and (start + extent <= 1.02 * width or "heading" in kinds)


def title_of(each: ElementTree.Element) -> str:
    found = each.find(SVG + "title")
    return "" if found is None else found.text or ""


def marks_of(svg: ElementTree.Element) -> list[tuple[float, float]]:
    """Where points and the ends of whiskers are."""
    found = [position(each) for each in svg.iter(SVG + "path") if "transform" in each.attrib]
    for each in svg.iter(SVG + "line"):
        if each.attrib["class"] == "whisker":
            found += [(float(each.attrib[f"x{i}"]), float(each.attrib[f"y{i}"])) for i in (1, 2)]
    return found


def position(each: ElementTree.Element) -> tuple[float, float]:
    x, y = re.fullmatch(r"translate\((\S+) (\S+)\)", each.attrib["transform"]).groups()
    return float(x), float(y)


def pictures(markup: Markup) -> dict[str, ElementTree.Element]:
    return {title_of(svg): svg for svg in parsed(markup).iter(SVG + "svg") if svg.attrib["class"] == "chart"}


def points_by_title(svg: ElementTree.Element) -> dict[str, tuple[float, float]]:
    return {title_of(each): position(each) for each in svg.iter(SVG + "path") if title_of(each)}


def ticks(svg: ElementTree.Element, kind: str) -> dict[float, float]:
    """Values and positions of one axis' labels."""
    along = "y" if kind == "end" else "x"
    found = [each for each in svg.iter(SVG + "text") if each.attrib.get("class") == f"tick {kind}"]
    return {
        float(each.text.replace("−", "-")): float(each.attrib[along])
        for each in found
        if re.fullmatch(r"[−\d.]+", each.text or "")
    }


def at(marked: dict[float, float], value: float) -> float:
    """Where a value falls between two labelled ones."""
    (a, x), *_, (b, y) = marked.items()
    return x + (value - a) / (b - a) * (y - x)


@pytest.mark.parametrize(
    ("task", "metric", "factor"),
    [("segmentation", "miou", 100), ("depth", "abs_error", 1), ("normals", "angle_mean", 57.29577951308232)],
)
def test_curves_are_where_the_numbers_are(task: str, metric: str, factor: float) -> None:
    row = row_with()
    svg = next(
        svg for title, svg in pictures(eps_curves(row, {"depth": "abs_error"})).items() if title.startswith(task)
    )
    marked, points = ticks(svg, "end"), points_by_title(svg)
    for attack in row.attacks:
        found = attack.metrics[task][metric]
        name = f"{attack.name}, ε {attack.eps * 255:g}/255: {significant(factor * found.value)}"
        ((_, y),) = [place for title, place in points.items() if title.startswith(name)]
        assert y + 4 == pytest.approx(at(marked, factor * found.value), abs=0.02)
        ends = [at(marked, factor * end) - 4 for end in (found.low, found.high)]
        assert any(each == pytest.approx(ends, abs=0.02) for each in whiskers_of(svg))


def whiskers_of(svg: ElementTree.Element) -> list[list[float]]:
    return [
        [float(each.attrib["y1"]), float(each.attrib["y2"])]
        for each in svg.iter(SVG + "line")
        if each.attrib["class"] == "whisker"
    ]


def test_on_every_panel_of_curves_worse_is_below() -> None:
    row = row_with(attacks=["apgd-dgba"])
    for svg in pictures(eps_curves(row)).values():
        heights = [y for _, y in points_by_title(svg).values()]
        assert len(heights) == len(EPS) and all(a < b for a, b in pairwise(heights))
        clean = next(svg.iter(SVG + "circle"))
        assert float(clean.attrib["cy"]) < heights[0]


def test_curves_name_every_attack_and_break_where_a_value_is_null() -> None:
    row = row_with(attacks=["apgd-dgba"])
    broken = row.attacks[1].model_copy(update={"metrics": {task: {} for task in row.tasks}})
    markup = eps_curves(changed(row, attacks=[row.attacks[0], broken, *row.attacks[2:]]))
    svg = next(iter(pictures(markup).values()))
    (line,) = [each.attrib["d"] for each in svg.iter(SVG + "path") if each.attrib["class"] == "line"]
    assert re.sub(r"[^ML]", "", line) == "MLML" and len(points_by_title(svg)) == 3
    names = [each.text for each in parsed(eps_curves(row_with())).iter("span")]
    assert sorted(names) == sorted(ATTACKS)


def test_series_differ_without_colour() -> None:
    row = row_with(attacks=[f"apgd-{i}" for i in range(8)])
    svg = next(iter(pictures(eps_curves(row)).values()))
    drawn = [group for group in svg.iter(SVG + "g") if "series-" in group.attrib["class"]]
    lines = [(group[0].attrib.get("stroke-dasharray"), group[-1].attrib["d"]) for group in drawn]
    assert len(lines) == len(set(lines)) == 8
    assert len({series(index) for index in range(64)}) == 64


def test_with_one_eps_every_attack_has_its_line_and_better_is_right() -> None:
    row = row_with(eps=EPS[:1])
    for title, svg in pictures(eps_curves(row)).items():
        names = [each.findtext(SVG + "title") for each in svg.iter(SVG + "text") if each.attrib["class"] == "tick end"]
        assert names == ["clean", *ATTACKS]
        points = points_by_title(svg)
        places = [x for x, _ in points.values()]
        # Attacks harm the more the later they stand.
        assert places == sorted(places, reverse=True) and len(set(places)) == 5, title
        value = row.attacks[0].metrics["depth"]["rel_error"].value
        if title.startswith("depth"):
            assert list(points.values())[1][0] == pytest.approx(at(ticks(svg, "middle"), value), abs=0.02)


def test_a_metric_may_be_chosen_and_must_be_there() -> None:
    assert "pixel_accuracy" in eps_curves(row_with(), {"segmentation": "pixel_accuracy"})
    assert "pixel_accuracy" not in eps_curves(row_with())
    with pytest.raises(UnknownNameError, match="metric of depth 'rel_eror'.*rel_error"):
        eps_curves(row_with(), {"depth": "rel_eror"})
    with pytest.raises(UnknownNameError, match="task 'depht'"):
        eps_curves(row_with(), {"depht": "rel_error"})


def test_map_has_a_cell_for_each_attack_and_task() -> None:
    row = row_with()
    first = row.attacks[0].model_copy(update={"task_change": {"segmentation": None, "depth": -0.5, "normals": 0.031}})
    (svg,) = pictures(transfer_map(changed(row, attacks=[first, *row.attacks[1:]]), EPS[0])).values()
    cells = {title_of(group): group for group in svg.iter(SVG + "g")}
    assert len(cells) == len(ATTACKS) * len(TASKS)
    expected = {"segmentation: –": "null", "depth: −50 %": "seq-5", "normals: +3 %": "seq-0"}
    for said, kind in expected.items():
        rect = cells[f"pgd-dgba on {said}"].find(SVG + "rect")
        assert rect.attrib["class"] == f"cell {kind}"
    own = [title for title, group in cells.items() if "own" in group.find(SVG + "rect").attrib["class"]]
    assert {title.partition(":")[2].partition(" on ")[0] for title in own} == {"segmentation", "depth"}
    # Single-task attacks first, in the order of the tasks.
    rows = [each.findtext(SVG + "title") for each in svg.iter(SVG + "text") if each.attrib.get("class") == "end"]
    assert rows == ["apgd-single:segmentation", "apgd-single:depth", "pgd-dgba", "apgd-total"]
    with pytest.raises(InputError, match="eps 3/255 is none of this row's: 1/255, 2/255, 4/255, 8/255"):
        transfer_map(row, 3 / 255)


@pytest.mark.parametrize(
    ("change", "step"), [(0.5, 0), (0.0, 0), (-0.019, 0), (-0.02, 1), (-0.499, 4), (-0.5, 5), (-5.0, 8), (-1e9, 8)]
)
def test_steps_of_the_map(change: float, step: int) -> None:
    assert level_of(change) == step


@pytest.mark.parametrize(("task", "metric", "factor"), [("segmentation", "miou", 100), ("depth", "rel_error", 1)])
def test_robust_and_accurate_rows_stand_up_and_right(task: str, metric: str, factor: float) -> None:
    rows = [row_with(strength=strength, sharing_degree=strength / 4) for strength in (1.0, 2.0, 4.0)]
    better = 1.25 if task == "segmentation" else 0.8
    clean = {**rows[2].clean, task: {metric: rows[2].clean[task][metric].model_copy(update={
        "value": better * rows[2].clean[task][metric].value, "low": None, "high": None})}}  # fmt: skip
    rows[2] = changed(rows[2], clean=clean)
    standings = [standing_of(row, f"{i:016x}") for i, row in enumerate(rows)]
    (svg,) = pictures(robustness_against_accuracy(standings, task, metric, href)).values()
    links = {each.attrib["href"]: each.find(SVG + "path") for each in svg.iter(SVG + "a")}
    places = [position(links[href(standing)]) for standing in standings]
    assert places[0][0] == places[1][0] < places[2][0]
    assert places[0][1] < places[1][1] < places[2][1]
    for (x, y), standing in zip(places, standings, strict=True):
        row = standing.stored.row
        assert x == pytest.approx(at(ticks(svg, "middle"), factor * row.clean[task][metric].value), abs=0.02)
        attacked = factor * standing.strongest.metrics[task][metric].value
        assert y + 4 == pytest.approx(at(ticks(svg, "end"), attacked), abs=0.02)
    assert svg.attrib["role"] == "group"
    assert [each.text for each in svg.iter(SVG + "text") if each.attrib["class"] == "rank"] == ["1", "2", "3"]


def test_rows_that_no_longer_count_or_have_no_value_are_left_out() -> None:
    standings = [
        standing_of(row_with(), "a" * 16, "retracted"),
        standing_of(without_values(row_with()), "b" * 16),
        standing_of(row_with(adversarial_training="pgd"), "c" * 16, "verified"),
    ]
    for chart in (robustness_against_accuracy(standings, "depth", "rel_error", href), degree_plot(standings, href)):
        (link,) = parsed(chart).iter(SVG + "a")
        assert link.attrib["href"] == href(standings[2])
        assert title_of(link).startswith("1: toy") and "adversarial training (pgd)" in title_of(link)
    for empty in (robustness_against_accuracy([], "depth", "rel_error", href), degree_plot([], href)):
        assert "no values" in empty and not list(parsed(empty).iter(SVG + "a"))
    with pytest.raises(UnknownNameError, match="metric of depth 'miou'"):
        robustness_against_accuracy(standings, "depth", "miou", href)


def test_tasks_share_one_legend() -> None:
    standings = [standing_of(row_with())]
    both = robustness_by_task(standings, {"depth": "rel_error", "normals": "angle_mean"}, href)
    assert len(pictures(both)) == 2 and len(list(parsed(both).iter("ul"))) == 1


def test_degrees_stand_in_their_order_and_robust_rows_above() -> None:
    degrees = [0.0, 0.32, 0.5, 1.0, None]
    rows = [row_with(strength=1 + i, sharing_degree=degree) for i, degree in enumerate(degrees)]
    standings = [standing_of(row, f"{i:016x}") for i, row in enumerate(rows)]
    (svg,) = pictures(degree_plot(standings, href)).values()
    links = {each.attrib["href"]: each.find(SVG + "path") for each in svg.iter(SVG + "a")}
    places = [position(links[href(standing)]) for standing in standings]
    for degree, (x, _) in zip(degrees[:4], places, strict=False):
        assert x == pytest.approx(at(ticks(svg, "middle"), degree), abs=0.02)
    assert places[4][0] < places[0][0] - 20
    assert all(a[1] < b[1] for a, b in pairwise(places))
    kinds = [links[href(standing)].attrib["class"] for standing in standings]
    assert kinds[0].endswith("seq-2") and kinds[3].endswith("seq-8") and kinds[4].endswith("hollow")


def test_equal_degrees_do_not_cover_each_other() -> None:
    standings = [standing_of(row_with(sharing_degree=1.0), f"{i:016x}") for i in range(3)]
    (svg,) = pictures(degree_plot(standings, href)).values()
    columns = sorted(position(each.find(SVG + "path"))[0] for each in svg.iter(SVG + "a"))
    assert all(b - a >= 12 for a, b in pairwise(columns))


def test_scales_are_straight_round_and_hold_their_values() -> None:
    scale = linear([3.2, 41.7], 200, 20)
    assert (scale.low, scale.high, scale.ticks) == (0, 50, (0, 10, 20, 30, 40, 50))
    assert scale(25) == pytest.approx(110) and scale.labels()[1] == "10"
    turned = by_direction([0.1, 0.34], False, worse=200, better=20)
    assert turned(0.1) < turned(0.2) < turned(0.34) and turned.labels()[0] == "0.10"
    for values in ([0.0], [7.0, 7.0], [-1e15, 1e15], [1e-300, 2e-300], [1.0, 1.0 + 1e-15], []):
        found = linear(values, 0, 100)
        assert all(0 <= found(value) <= 100 for value in values) and len(found.ticks) >= 2


def test_eps_stands_by_its_logarithm() -> None:
    scale = EpsScale([1 / 255, 2 / 255, 4 / 255, 8 / 255], 20, 100)
    assert [scale.clean, *map(scale, scale.levels)] == pytest.approx([20, 40, 60, 80, 100])
    assert scale.gap == pytest.approx(20)


@pytest.mark.parametrize(
    ("share", "text"),
    [(-1.52, "−152"), (0.031, "+3"), (0.0, "0"), (-0.001, "0"), (-12.0, "−1.2k"), (-123.0, "−12k"), (-1e12, "−1e14")],
)
def test_per_cent_in_cells(share: float, text: str) -> None:
    assert whole_percent(share) == text


def test_long_text_is_shortened_to_its_room() -> None:
    assert shorten("apgd-dgba", 100) == "apgd-dgba"
    short = shorten("apgd-" + "w" * 50, 100)
    assert short.endswith("…") and 80 < text_width(short) <= 100


THEMES = re.findall(r"(:root[^{]*)\{([^}]*)\}", STYLESHEET.read_text())
COLOURS = [dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", body)) for _, body in THEMES]


def test_both_themes_define_all_colours_and_the_dark_one_twice_alike() -> None:
    light, dark, chosen_light, chosen_dark = COLOURS
    names = {"surface", "ink", "muted", "grid", *(f"series-{i}" for i in range(1, 9)), *(f"seq-{i}" for i in range(9))}
    assert set(light) == set(dark) == names and chosen_dark == dark and not chosen_light
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLESHEET.read_text()))
    assert names <= used | {"grid"} and used <= names | {"series"}


@pytest.mark.parametrize("colours", [COLOURS[0], COLOURS[1]], ids=["light", "dark"])
def test_contrast_is_enough(colours: dict[str, str]) -> None:
    surface = colours["surface"]
    for name in ("ink", "muted"):
        assert contrast(colours[name], surface) >= 4.5
    for i in range(1, 9):
        assert contrast(colours[f"series-{i}"], surface) >= 3
    for i in range(9):
        assert contrast(colours["ink" if i < 5 else "surface"], colours[f"seq-{i}"]) >= 4.5
    steps = [luminance(colours[f"seq-{i}"]) for i in range(9)]
    lightness = [116 * step ** (1 / 3) for step in steps]
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


def test_a_standing_at_another_eps_says_which() -> None:
    row = row_with()
    standing = replace(standing_of(row), eps=EPS[3])
    assert "under attack at ε 8/255" in degree_plot([standing], href)
    assert "under attack, better" in degree_plot([standing, standing_of(row)], href)
