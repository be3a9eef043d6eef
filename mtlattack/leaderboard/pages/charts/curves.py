"""How much is left as ε grows: a line an attack on one model, or a line a model."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mtlattack.analysis import Interval, Record
from mtlattack.analysis.summaries import UNDEFINED, mean_of
from mtlattack.leaderboard.formats import hundredfold, with_interval
from mtlattack.leaderboard.pages.charts.axis import Axis, exactly, numeric, steps
from mtlattack.leaderboard.pages.charts.plot import SHAPES, Point, Series, Style, beside, legend, panels, plot, style
from mtlattack.leaderboard.pages.columns import SUMMARY_COLUMNS, Column, headlines
from mtlattack.leaderboard.records import threat_texts
from mtlattack.leaderboard.standings import Standing

# The ε of the clean images.
_CLEAN = 0.0
# Points at one ε stand beside each other, so that their whiskers can be told apart: pixels, and at most in all.
_APART, _SPREAD = 4.0, 24.0
_NOTE = "bars: 95 % intervals over images; equal steps of ε, points at one ε stand beside each other"


def attack_curves(record: Record) -> Markup:
    """A panel a summary and a panel a task, with a line an attack; better is up.

    Attacks on a single task stand back in grey. A value that is undefined breaks its line.
    """
    names = list(dict.fromkeys(result.name for result in record.attacks))
    single = [name for name in names if "-single:" in name]
    joint = [name for name in names if name not in single]
    styles = {name: style(i) for i, name in enumerate(joint)}
    styles |= {name: Style("back", "2 3", SHAPES[i % len(SHAPES)]) for i, name in enumerate(single)}
    columns = [*SUMMARY_COLUMNS, *headlines(record)]
    figures = [_panel(column, record, styles) for column in columns]
    return panels(*figures) + legend([(each, name) for name, each in styles.items()], _NOTE)


def robust_curves(standings: Sequence[Standing]) -> Markup:
    """A chart of robust skill with its legend: a line a row that counts, in the order of `standings`; those without
    skill are left out."""
    rows = [each for each in standings if each.counts and each.robust is not None]
    levels = {_CLEAN: "clean"} | threat_texts(result for each in rows for result in each.stored.record.attacks)
    series = []
    for place, standing in enumerate(rows):
        record = standing.stored.record
        left = {robust.eps: robust.skill.mean for robust in record.robust_skill} | {_CLEAN: mean_of(record.clean_skill)}
        series.append(Series(style(place), _points(standing.stored.row.model.name, left, levels, place, len(rows))))
    y = numeric("robust skill, better →", [point.y for each in series for point in each.points])
    figure = plot("Robust skill", "what the attack leaves that leaves least", _axis(levels), y, series)
    return figure + legend([(style(i), each.stored.row.model.name) for i, each in enumerate(rows)], _NOTE)


def _panel(column: Column, record: Record, styles: dict[str, Style]) -> Markup:
    levels, series = {_CLEAN: "clean"} | threat_texts(record.attacks), []
    clean = exactly(column.clean(record).value)
    for place, (name, drawn) in enumerate(styles.items()):
        found = {each.eps: column.under(each) for each in record.attacks if each.name == name} | {_CLEAN: clean}
        if column.percent:
            found = {eps: hundredfold(interval) for eps, interval in found.items()}
        series.append(Series(drawn, _points(name, found, levels, place, len(styles))))
    y = numeric("better →", [point.y for each in series for point in each.points], column.higher_is_better)
    return plot(column.title, column.unit, _axis(levels), y, series)


def _axis(levels: Mapping[float, str]) -> Axis:
    """In equal steps; the norm stands below them, once."""
    norms = dict.fromkeys(text.partition(" ")[0] for eps, text in levels.items() if eps != _CLEAN)
    return steps(f"ε, {', '.join(norms)}", [text.partition(" ")[2] or text for text in levels.values()])


def _points(
    name: str, found: Mapping[float, Interval], levels: Mapping[float, str], place: int, of: int
) -> list[Point]:
    """One an ε, beside those of the other series; an ε without a value has an undefined one."""
    shift = beside(place, of, _APART, _SPREAD)
    points = []
    for at, (eps, level) in enumerate(levels.items()):
        y = found.get(eps, UNDEFINED)
        said = f"{name}, {level}: {with_interval(y)}"
        points.append(Point(exactly(at), y, said, shift=0.0 if eps == _CLEAN else shift))
    return points
