"""Robustness against accuracy: what a task is worth under attack, against what it is worth without."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.leaderboard.charts.axes import Box, empty, foot_ticks, foot_title, heading, side_title, value_ticks
from mtlattack.leaderboard.charts.lettering import with_interval
from mtlattack.leaderboard.charts.marks import legend
from mtlattack.leaderboard.charts.quantities import Quantity, ends, quantity_of, span_text
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

_Found = list[tuple[int, Standing, Interval, Interval]]


def robustness_against_accuracy(standings: Sequence[Standing], task: str, metric: str, href: Href) -> Markup:
    """A point a row, at its clean value and that under its strongest attack; better is up and right.

    Numbers beside points are places among the rows of `standings` that count; the others are left out, as are those
    without both values. `href` gives the address of a row's page. UnknownNameError for a task or a metric that the
    first row does not have.
    """
    return join(panels(_panel(standings, task, metric, href), kind="panels one"), legend(keys(), NOTE))


def robustness_by_task(standings: Sequence[Standing], metrics: Mapping[str, str], href: Href) -> Markup:
    """`robustness_against_accuracy` for several tasks, beside each other with one legend; `metrics` by task."""
    drawn = [_panel(standings, task, metric, href) for task, metric in metrics.items()]
    return join(panels(*drawn), legend(keys(), NOTE))


def _panel(standings: Sequence[Standing], task: str, metric: str, href: Href) -> Markup:
    places = placed(standings)
    quantity = quantity_of(places[0][1].stored.row, task, metric) if places else Quantity(task, metric, "", True)
    found = [
        (rank, each, clean, under)
        for rank, each in places
        if known(clean := quantity.clean(each.stored.row)) and known(under := quantity.under(each.strongest))
    ]
    x = _scale([clean for *_, clean, _ in found], quantity, _BOX.left, _BOX.right)
    y = _scale([under for *_, under in found], quantity, _BOX.bottom, _BOX.top)
    more = "more is better" if quantity.higher_is_better else "less is better, axes turned"
    marks = sorted(zip(map(x, x.ticks), x.labels(), strict=True))
    parts = [heading(task, f"{quantity.title} · {more}", _WIDTH), value_ticks(_BOX, y)]
    parts.append(foot_ticks(_BOX, [at for at, _ in marks], [text for _, text in marks]))
    parts += [foot_title(_BOX, "clean, better →"), side_title(_BOX, f"under attack{at_eps(places)}, better →")]
    spots = [_spot(*each, quantity, x, y) for each in found]
    parts += draw(spots, href, (_BOX.left, _BOX.top, _BOX.right, _BOX.bottom)) if spots else [empty(_BOX)]
    title = f"{task}: {quantity.title} under the strongest attack against {quantity.title} on clean images"
    return picture(_WIDTH, _HEIGHT, title, _said(found, quantity), *parts, role="group")


def _scale(found: list[Interval], quantity: Quantity, worse: float, better: float) -> Scale:
    return by_direction([value for each in found for value in ends(each)], quantity.higher_is_better, worse, better)


def _spot(
    rank: int, standing: Standing, clean: Interval, under: Interval, quantity: Quantity, x: Scale, y: Scale
) -> Spot:
    assert clean.value is not None and under.value is not None
    values = f"clean {with_interval(clean, quantity.unit)}, attacked {with_interval(under, quantity.unit)}"
    title = f"{name_of(rank, standing)}: {values}"
    return Spot(standing, rank, (x(clean.value), y(under.value)), ends_on(x, clean), ends_on(y, under), title)


def _said(found: _Found, quantity: Quantity) -> str:
    clean = [clean.value for *_, clean, _ in found if clean.value is not None]
    under = [under.value for *_, under in found if under.value is not None]
    unit = quantity.unit
    return f"{len(found)} rows: {span_text(clean, unit)} on clean images, {span_text(under, unit)} under attack."
