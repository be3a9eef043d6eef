"""Robustness against the degree of sharing: does one backbone for all tasks fall harder than one for each?"""

from collections.abc import Sequence

from markupsafe import Markup

from mtlattack.leaderboard.charts.axes import Box, empty, foot_ticks, foot_title, heading, side_title, value_ticks
from mtlattack.leaderboard.charts.lettering import with_interval
from mtlattack.leaderboard.charts.marks import legend
from mtlattack.leaderboard.charts.quantities import ends, span_text, visible
from mtlattack.leaderboard.charts.row_points import (
    NOTE,
    Href,
    Spot,
    at_eps,
    draw,
    ends_on,
    keys,
    known,
    name_of,
    placed,
)
from mtlattack.leaderboard.charts.scales import Scale, by_direction
from mtlattack.leaderboard.charts.svg import join, panels, picture
from mtlattack.leaderboard.standings import Standing

_WIDTH, _HEIGHT = 360.0, 344.0
_BOX = Box(64, 46, 336, 292)
# Where degree 0 stands, with and without rows of unknown degree to its left.
_ZERO, _ZERO_BESIDE_UNKNOWN, _ONE = 88.0, 146.0, 312.0
_UNKNOWN = 94.0
# Rows of one degree that would cover each other stand beside each other, as long as there is room.
_APART, _HALF = 13.0, 7.0
_SHIFTS = (0.0, -_APART, _APART)


def degree_plot(standings: Sequence[Standing], href: Href) -> Markup:
    """A point a row: sharing degree, and the mean log loss ratio under its strongest attack; robust is up.

    Rows of one degree that would cover each other stand beside each other; those of unknown degree at the left.
    Numbers, rows that are left out and `href` are as in `robustness_against_accuracy`.
    """
    places = [(rank, each) for rank, each in placed(standings) if known(visible(each.strongest.log_ratio))]
    values = [value for _, each in places for value in ends(visible(each.strongest.log_ratio))]
    y = by_direction(values, False, worse=_BOX.bottom, better=_BOX.top)
    apart = any(each.stored.row.model.sharing_degree is None for _, each in places)
    x = Scale(0, 1, _ZERO_BESIDE_UNKNOWN if apart else _ZERO, _ONE, (0.0, 0.25, 0.5, 0.75, 1.0))
    parts = [heading("all tasks", "mean log loss ratio · less is better, axis turned", _WIDTH), value_ticks(_BOX, y)]
    unknown = [(_UNKNOWN, "unknown")] if apart else []
    marks = unknown + [(x(tick), f"{tick:g}") for tick in x.ticks]
    parts.append(foot_ticks(_BOX, [at for at, _ in marks], [text for _, text in marks]))
    parts += [foot_title(_BOX, "sharing degree: 0 separate, 1 shared")]
    parts.append(side_title(_BOX, f"under attack{at_eps(places)}, better →"))
    spots = _spots(places, x, y)
    parts += draw(spots, href, (_BOX.left, _BOX.top, _BOX.right, _BOX.bottom)) if spots else [empty(_BOX)]
    title = "Mean log loss ratio under the strongest attack against the degree of sharing"
    drawn = picture(_WIDTH, _HEIGHT, title, _said(places), *parts, role="group")
    return join(panels(drawn, kind="panels one"), legend(keys(), NOTE))


def _spots(places: Sequence[tuple[int, Standing]], x: Scale, y: Scale) -> list[Spot]:
    taken: list[tuple[float, float, float]] = []
    spots = []
    for rank, standing in places:
        degree, found = standing.stored.row.model.sharing_degree, visible(standing.strongest.log_ratio)
        assert found.value is not None
        at, whisker = y(found.value), ends_on(y, found)
        reach = [at - _HALF, at + _HALF, *(whisker or ())]
        column = _free(_UNKNOWN if degree is None else x(degree), min(reach), max(reach), taken)
        taken.append((column, min(reach), max(reach)))
        title = f"{name_of(rank, standing)}: mean log loss ratio {with_interval(found, '')}"
        spots.append(Spot(standing, rank, (column, at), None, whisker, title))
    return spots


def _free(centre: float, top: float, bottom: float, taken: Sequence[tuple[float, float, float]]) -> float:
    """The nearest column at or beside `centre` where nothing reaches into `top` to `bottom`, `centre` if none is."""
    for shift in _SHIFTS:
        near = [each for each in taken if abs(each[0] - centre - shift) < _APART - 1e-6]
        if all(bottom <= each[1] or each[2] <= top for each in near):
            return centre + shift
    return centre


def _said(places: Sequence[tuple[int, Standing]]) -> str:
    ratios = [each.strongest.log_ratio.value for _, each in places if each.strongest.log_ratio.value is not None]
    degrees = [d for _, each in places if (d := each.stored.row.model.sharing_degree) is not None]
    return f"{len(places)} rows: mean log loss ratio {span_text(ratios, '')}; sharing degree {span_text(degrees, '')}."
