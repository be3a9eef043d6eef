"""What each attack does to each task: a heat map of source against victim."""

from bisect import bisect_right
from collections.abc import Mapping

from markupsafe import Markup

from mtlattack.errors import InputError
from mtlattack.leaderboard.charts.axes import heading
from mtlattack.leaderboard.charts.lettering import SIZE, shorten, text_width, whole_percent
from mtlattack.leaderboard.charts.panel import source_of
from mtlattack.leaderboard.charts.quantities import eps_text
from mtlattack.leaderboard.charts.scales import drawable
from mtlattack.leaderboard.charts.svg import element, join, label, panels, picture
from mtlattack.leaderboard.rows.results import task_names
from mtlattack.leaderboard.rows.schema import AttackEntry, Row
from mtlattack.leaderboard.standings import attacks_at

# How far a task falls, as a share of its clean value; the same in every map, so that maps compare.
STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# From this step on, numbers are in the colour of the surface, see charts.css.
_STRONG = 5
_CELL, _ROW = 36.0, 24.0
_SWATCH = 36.0
_MOST_NAME, _MOST_TITLE = 168.0, 110.0
# Sine and cosine of the columns' titles, which lean by 60°.
_RISE, _LEAN = 0.867, 0.5
# Wider ones scroll, as their text would become too small on a phone.
_WIDEST = 400.0


def transfer_map(row: Row, eps: float) -> Markup:
    """By attack and task the mean relative change of the task's metrics in %, at one ε of the row (in image units).

    Attacks at a single task stand first, in the order of the tasks, each one's own task framed; below them the others.
    Null is `–`. InputError for another ε.
    """
    attacks = attacks_at(row, eps)
    if not attacks:
        known = ", ".join(eps_text(level, row.threat.norm) for level in sorted({each.eps for each in row.attacks}))
        raise InputError(f"eps {eps_text(eps, row.threat.norm)} is none of this row's: {known}")
    tasks = task_names(row)
    single = [attack for attack in attacks if source_of(attack.name) is not None]
    single.sort(key=lambda attack: _place(source_of(attack.name), tasks))
    groups = [group for group in (single, [attack for attack in attacks if attack not in single]) if group]
    room = min(_MOST_NAME, max(text_width(attack.name) for attack in attacks))
    titles = min(_MOST_TITLE, max((text_width(task) for task in tasks), default=0.0))
    left, top = room + 14, 46 + titles * _RISE
    # The last title leans over its column's end.
    width = max(left + _CELL * len(tasks) + max(8.0, titles * _LEAN - _CELL / 2 + 8), _legend_width())
    parts = [heading("relative change of the tasks, %", _below(row, eps), width), _columns(tasks, left, top, titles)]
    y = top + 6
    for group in groups:
        for attack in group:
            parts.append(label(left - 6, y + _ROW / 2 + 0.36 * SIZE, shorten(attack.name, room), "end", attack.name))
            parts += [_cell(attack, task, left + _CELL * i, y) for i, task in enumerate(tasks)]
            y += _ROW
        y += 8
    parts.append(_scale(y + 6))
    title = f"Relative change of each task under each attack at ε {eps_text(eps, row.threat.norm)}"
    drawn = picture(width, y + 58, title, _said(row, attacks), *parts)
    return panels(drawn, kind="panels one" if width <= _WIDEST else "panels scroll")


def _below(row: Row, eps: float) -> str:
    return f"ε {eps_text(eps, row.threat.norm)} ({row.threat.norm}), means over each task's metrics"


def _columns(tasks: list[str], left: float, top: float, room: float) -> Markup:
    parts = []
    for index, task in enumerate(tasks):
        x = left + _CELL * (index + 0.5) + 3
        attributes: Mapping[str, str | float] = {"x": x, "y": top, "transform": f"rotate(-60 {x:.2f} {top:.2f})"}
        parts.append(element("text", attributes, element("title", {}, task), shorten(task, room)))
    return join(*parts)


def _cell(attack: AttackEntry, task: str, x: float, y: float) -> Markup:
    change = attack.task_change.get(task)
    own = " own" if source_of(attack.name) == task else ""
    at = {"x": x + 1, "y": y + 1, "width": _CELL - 2, "height": _ROW - 2}
    if change is None or not drawable(change):
        kind, ink, text = "null", "middle", "–"
    else:
        step = level_of(change)
        kind, ink, text = f"seq-{step}", "middle on-strong" if step >= _STRONG else "middle", whole_percent(change)
    said = element("title", {}, f"{attack.name} on {task}: {text}{'' if text == '–' else ' %'}")
    number = label(x + _CELL / 2, y + _ROW / 2 + 0.36 * SIZE, text, ink)
    return element("g", {}, said, element("rect", at | {"class": f"cell {kind}{own}"}), number)


def level_of(change: float) -> int:
    """Which of the 9 colours stands for a relative change (negative is worse): 0 for less than 2 %, 8 from 500 % on."""
    return bisect_right(STEPS, -change)


def _scale(top: float) -> Markup:
    """The colours with the falls at which they begin."""
    parts = [label(8, top + 10, "falls by at least, %", "muted")]
    for step in range(len(STEPS) + 1):
        x = 8 + _SWATCH * step
        parts.append(
            element("rect", {"x": x, "y": top + 16, "width": _SWATCH, "height": 12, "class": f"cell seq-{step}"})
        )
        if step:
            parts.append(label(x, top + 41, f"{100 * STEPS[step - 1]:g}", "tick middle"))
    return join(*parts)


def _legend_width() -> float:
    return 16 + _SWATCH * (len(STEPS) + 1)


def _place(task: str | None, tasks: list[str]) -> int:
    return tasks.index(task) if task in tasks else len(tasks)


def _said(row: Row, attacks: list[AttackEntry]) -> str:
    found = [
        (change, attack.name, task)
        for attack in attacks
        for task, change in attack.task_change.items()
        if change is not None and drawable(change)
    ]
    start = f"{len(attacks)} attacks on the {len(row.tasks)} tasks of {row.model.name}"
    if not found:
        return f"{start}: no values."
    (low, *hardest), (high, *mildest) = min(found), max(found)
    return (
        f"{start}: from {whole_percent(low)} % ({hardest[1]} under {hardest[0]}) "
        f"to {whole_percent(high)} % ({mildest[1]} under {mildest[0]})."
    )
