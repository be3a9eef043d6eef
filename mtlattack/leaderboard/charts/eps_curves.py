"""How each task falls as ε grows: a panel a task, a line an attack; with one ε, a point an attack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.leaderboard.charts.axes import Box, empty, foot_ticks, foot_title, heading, value_ticks
from mtlattack.leaderboard.charts.dots import dots
from mtlattack.leaderboard.charts.lettering import with_interval
from mtlattack.leaderboard.charts.marks import Style, key, legend, marker, path, upright
from mtlattack.leaderboard.charts.panel import Panel, panel_of_log_ratio, panel_of_task, styles
from mtlattack.leaderboard.charts.quantities import ends, eps_mark, eps_text, eps_title, headline, quantity_of
from mtlattack.leaderboard.charts.scales import EpsScale, Scale, by_direction
from mtlattack.leaderboard.charts.svg import element, join, line, panels, picture
from mtlattack.leaderboard.rows.results import task_names
from mtlattack.leaderboard.rows.schema import AttackEntry, Row

_WIDTH, _HEIGHT = 340.0, 270.0
_BOX = Box(52, 46, 330, 226)
# Points at one ε stand beside each other, so that their whiskers can be told apart.
_APART, _SHARE_OF_GAP = 4.0, 0.62


def eps_curves(row: Row, metrics: Mapping[str, str] | None = None) -> Markup:
    """Small multiples: a panel a task, then the mean log loss ratio over tasks; better is up (with one ε: right).

    `metrics` names by task the metric to show, where it is not the task's headline. UnknownNameError for a task or a
    metric that the row does not have. A value that is null breaks its line.
    """
    chosen = [quantity_of(row, *pair) for pair in (metrics or {}).items()]
    by_task = {task: headline(row, task) for task in task_names(row)} | {each.task: each for each in chosen}
    shown = [panel_of_task(row, quantity) for quantity in by_task.values() if quantity is not None]
    shown.append(panel_of_log_ratio(row))
    levels = sorted({attack.eps for attack in row.attacks})
    drawn = styles(row)
    if len(levels) == 1:
        return panels(*(dots(panel, row, drawn) for panel in shown))
    note = "vertical bars: 95 % intervals over images; points at one ε stand beside each other"
    keys = [(key(style), name) for name, style in drawn.items()]
    return join(panels(*(_curves(panel, row, levels, drawn) for panel in shown)), legend(keys, note))


@dataclass(frozen=True)
class _Place:
    """Where the points of one series are."""

    x: EpsScale
    y: Scale
    shift: float

    def of(self, eps: float, value: float) -> tuple[float, float]:
        return self.x(eps) + self.shift, self.y(value)


def _curves(panel: Panel, row: Row, levels: list[float], drawn: Mapping[str, Style]) -> Markup:
    values = [x for attack in row.attacks for x in ends(panel.under(attack))] + ends(panel.clean)
    x = EpsScale(levels, _BOX.left + 22, _BOX.right - 26)
    y = by_direction(values, panel.higher_is_better, worse=_BOX.bottom, better=_BOX.top)
    norm = row.threat.norm
    parts = [heading(panel.name, panel.below, _WIDTH), value_ticks(_BOX, y)]
    parts.append(foot_ticks(_BOX, [x.clean, *map(x, levels)], ["clean", *(eps_mark(eps, norm) for eps in levels)]))
    parts.append(foot_title(_BOX, eps_title(norm)))
    if panel.clean.value is not None:
        at = y(panel.clean.value)
        parts.append(line(_BOX.left, at, _BOX.right, at, "reference"))
    step = min(_APART, _SHARE_OF_GAP * x.gap / max(1, len(drawn)))
    # The first on top.
    for index, (name, style) in reversed(list(enumerate(drawn.items()))):
        place = _Place(x, y, (index - (len(drawn) - 1) / 2) * step)
        parts.append(_series(panel, [attack for attack in row.attacks if attack.name == name], style, place, norm))
    if panel.clean.value is not None:
        parts.append(_clean_point(panel, x.clean, y))
    if not values:
        parts.append(empty(_BOX))
    return picture(_WIDTH, _HEIGHT, f"{panel.name}: {panel.title} against ε", panel.said(row), *parts)


def _series(panel: Panel, entries: list[AttackEntry], style: Style, place: _Place, norm: str) -> Markup:
    """A line, its whiskers, its points; the line begins at the clean value."""
    start = None if panel.clean.value is None else (place.x.clean, place.y(panel.clean.value))
    points, whiskers, markers = [start], [], []
    for entry in sorted(entries, key=lambda each: each.eps):
        found = panel.under(entry)
        point = None if found.value is None else place.of(entry.eps, found.value)
        points.append(point)
        if point is not None:
            title = f"{entry.name}, ε {eps_text(entry.eps, norm)}: {with_interval(found, panel.unit)}"
            markers.append(marker(*point, style.shape, title))
            whiskers += _whisker(found, point[0], place.y)
    return element("g", {"class": style.kind}, path(points, style), *whiskers, *markers)


def _clean_point(panel: Panel, x: float, y: Scale) -> Markup:
    assert panel.clean.value is not None
    title = f"clean: {with_interval(panel.clean, panel.unit)}"
    found = _whisker(panel.clean, x, y)
    dot = element(
        "circle", {"class": "marker", "cx": x, "cy": y(panel.clean.value), "r": 4}, element("title", {}, title)
    )
    return element("g", {"class": "series clean"}, *found, dot)


def _whisker(found: Interval, x: float, y: Callable[[float], float]) -> list[Markup]:
    if found.low is None or found.high is None:
        return []
    return [upright(x, (y(found.low), y(found.high)))]
