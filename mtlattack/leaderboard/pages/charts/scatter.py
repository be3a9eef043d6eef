"""Rows as linked points: robust skill against clean skill, and against the degree of sharing."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.analysis.summaries import mean_of
from mtlattack.leaderboard.formats import degree, with_interval
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.charts.axis import Axis, exactly, numeric
from mtlattack.leaderboard.pages.charts.plot import SHAPES, Point, Series, Style, beside, legend, plot
from mtlattack.leaderboard.records import threat_at
from mtlattack.leaderboard.standings import Standing

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


def skill_against_clean(standings: Iterable[Standing], root: str = "../") -> Markup:
    """A point a row that has a rank, at its clean and its robust skill, linked to its page; better is up and right.

    `root` is the address of the pages' folder as seen from the page that shows the chart.
    """
    rows = [each for each in standings if each.rank is not None]
    points = [_point(each, mean_of(each.stored.record.clean_skill), root) for each in rows]
    x = numeric("clean skill, better →", [point.x for point in points])
    return _plot("Robust against clean", "what is left of it", x, rows, points)


def skill_against_degree(standings: Iterable[Standing]) -> Markup:
    """The same, at its sharing degree and its robust skill; unknown degrees stand at the left."""
    rows = sorted((each for each in standings if each.rank is not None), key=_degree)
    points = []
    for value, group in groupby(rows, key=_degree):
        found = list(group)
        shifts = [beside(place, len(found), _APART, _SPREAD) for place in range(len(found))]
        points += [_point(each, exactly(value), "../", shift) for each, shift in zip(found, shifts, strict=True)]
    marks = [(x, degree(x)) for x in (0.0, 0.25, 0.5, 0.75, 1.0)]
    unknown = [(_UNKNOWN, "unknown")] if any(_degree(each) == _UNKNOWN for each in rows) else []
    x = Axis("sharing degree: 0 separate, 1 shared", -0.45 if unknown else -0.15, 1.15, unknown + marks)
    return _plot("Robust skill and sharing", "one backbone for all tasks, or one for each", x, rows, points)


def _plot(title: str, below: str, x: Axis, rows: Sequence[Standing], points: Sequence[Point]) -> Markup:
    """Either chart, with the threat at which all of the rows are shown, and what shapes and colours say."""
    threat = f", {threat_at(rows[0].stored.record, rows[0].eps)}" if rows else ""
    y = numeric("robust skill, better →", [point.y for point in points])
    series = [Series(_style(each), [point], joined=False) for each, point in zip(rows, points, strict=True)]
    return plot(title, f"{below}{threat}", x, y, series) + legend(_LEGEND, _NOTE, joined=False)


def _point(standing: Standing, x: Interval, root: str, shift: float = 0.0) -> Point:
    model, robust = standing.stored.row.model, standing.robust
    assert robust is not None  # Without skill there is no rank.
    trained = model.adversarial_training
    said = (
        f"{standing.rank}: {model.name}, sharing degree {degree(model.sharing_degree)}, "
        f"{'clean training' if trained is None else f'adversarial training ({trained})'}: "
        f"clean skill {with_interval(mean_of(standing.stored.record.clean_skill))}, "
        f"robust skill {with_interval(robust.skill.mean)} under {robust.attack}"
    )
    href = f"{root}{places.row_page(standing.stored.id)}"
    return Point(x, robust.skill.mean, said, href, str(standing.rank), shift)


def _degree(standing: Standing) -> float:
    known = standing.stored.row.model.sharing_degree
    return _UNKNOWN if known is None else known


def _style(standing: Standing) -> Style:
    model = standing.stored.row.model
    step = _FIRST_STEP + round((model.sharing_degree or 0.0) * (_LAST_STEP - _FIRST_STEP))
    kind = "hollow" if model.sharing_degree is None else f"seq-{step}"
    return Style(kind, shape=_CLEAN if model.adversarial_training is None else _TRAINED)
