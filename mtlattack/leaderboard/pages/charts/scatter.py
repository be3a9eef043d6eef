"""Rows as linked points: robust skill against clean skill, and against the degree of sharing."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.leaderboard.pages.charts.axis import Axis, numeric
from mtlattack.leaderboard.pages.charts.plot import SHAPES, Point, Series, Style, exactly, legend, plot
from mtlattack.leaderboard.pages.formats import degree, with_interval
from mtlattack.leaderboard.records import threat_at
from mtlattack.leaderboard.standings import Standing

Href = Callable[[Standing], str]
_CLEAN, _TRAINED = SHAPES[0], SHAPES[3]
# The lowest steps of the ramp look hollow.
_FIRST_STEP, _LAST_STEP = 2, 8
# Rows of one degree stand beside each other, so many pixels apart and in all.
_APART, _SPREAD = 13.0, 52.0
_UNKNOWN = -0.3
_LEGEND = (
    (Style("seq-5", shape=_CLEAN), "clean training"),
    (Style("seq-5", shape=_TRAINED), "adversarial training"),
    (Style("seq-2"), "sharing degree 0"),
    (Style("seq-8"), "sharing degree 1"),
    (Style("hollow"), "sharing degree unknown"),
)
_NOTE = "numbers: # in the table; bars: 95 % intervals"


def skill_against_clean(standings: Sequence[Standing], ranks: Mapping[str, int], href: Href) -> Markup:
    """A point a row that has a rank, at its clean and its robust skill; better is up and right."""
    rows = _placed(standings, ranks)
    points = {each.stored.id: _point(each, ranks, href, _clean_skill(each), 0.0) for each in rows}
    x = numeric("clean skill, better →", [point.x for point in points.values()])
    return _plot("Robust against clean", f"what is left of it{_threat(rows)}", x, rows, points)


def skill_against_degree(standings: Sequence[Standing], ranks: Mapping[str, int], href: Href) -> Markup:
    """A point a row that has a rank, at its sharing degree and its robust skill; unknown degrees stand at the left."""
    rows = sorted(_placed(standings, ranks), key=_degree)
    points = {}
    for value, group in groupby(rows, key=_degree):
        beside = list(group)
        for place, each in enumerate(beside):
            shift = (place - (len(beside) - 1) / 2) * min(_APART, _SPREAD / len(beside))
            points[each.stored.id] = _point(each, ranks, href, exactly(value), shift)
    marks = [(x, degree(x)) for x in (0.0, 0.25, 0.5, 0.75, 1.0)]
    unknown = [(_UNKNOWN, "unknown")] if any(_degree(each) == _UNKNOWN for each in rows) else []
    x = Axis("sharing degree: 0 separate, 1 shared", -0.45 if unknown else -0.15, 1.15, unknown + marks)
    return _plot(
        "Robust skill and sharing", f"one backbone for all tasks, or one for each{_threat(rows)}", x, rows, points
    )


def scatter_legend() -> Markup:
    """What shapes and colours of both say."""
    return legend(_LEGEND, _NOTE, joined=False)


def _plot(title: str, below: str, x: Axis, rows: Sequence[Standing], points: Mapping[str, Point]) -> Markup:
    y = numeric("robust skill, better →", [point.y for point in points.values()])
    series = [Series(_style(each), [points[each.stored.id]], joined=False) for each in rows]
    return plot(title, below, x, y, series)


def _placed(standings: Sequence[Standing], ranks: Mapping[str, int]) -> list[Standing]:
    return [each for each in standings if each.robust is not None and each.stored.id in ranks]


def _point(standing: Standing, ranks: Mapping[str, int], href: Href, x: Interval, shift: float) -> Point:
    model, rank, robust = standing.stored.row.model, ranks[standing.stored.id], standing.robust
    assert robust is not None
    trained = model.adversarial_training
    said = (
        f"{rank}: {model.name}, sharing degree {degree(model.sharing_degree)}, "
        f"{'clean training' if trained is None else f'adversarial training ({trained})'}: "
        f"clean skill {with_interval(_clean_skill(standing))}, "
        f"robust skill {with_interval(robust.skill.mean)} under {robust.attack}"
    )
    return Point(x, robust.skill.mean, said, href(standing), str(rank), shift)


def _clean_skill(standing: Standing) -> Interval:
    skill = standing.stored.record.clean_skill
    assert skill is not None  # A row with robust skill has constants.
    return skill.mean


def _degree(standing: Standing) -> float:
    known = standing.stored.row.model.sharing_degree
    return _UNKNOWN if known is None else known


def _style(standing: Standing) -> Style:
    model = standing.stored.row.model
    step = _FIRST_STEP + round((model.sharing_degree or 0.0) * (_LAST_STEP - _FIRST_STEP))
    kind = "hollow" if model.sharing_degree is None else f"seq-{step}"
    return Style(kind, shape=_CLEAN if model.adversarial_training is None else _TRAINED)


def _threat(rows: Sequence[Standing]) -> str:
    """At which threat all of the rows are shown."""
    return f", {threat_at(rows[0].stored.record, rows[0].eps)}" if rows else ""
