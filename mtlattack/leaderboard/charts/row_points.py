"""Rows as linked points: what both charts of many rows share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.leaderboard.charts.lettering import SIZE, text_width
from mtlattack.leaderboard.charts.marks import Point, level, marker, ramp, swatch, upright
from mtlattack.leaderboard.charts.quantities import eps_text
from mtlattack.leaderboard.charts.scales import Scale, drawable
from mtlattack.leaderboard.charts.svg import element, label
from mtlattack.leaderboard.standings import Standing, ranked

NOTE = "numbers: # in the table; bars: 95 % intervals"
Href = Callable[[Standing], str]
# Left, top, right, bottom.
Area = tuple[float, float, float, float]

# Larger than the shapes of curves: their colour has to be read.
_CLEAN, _TRAINED = "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z", "M0 -6.3L6.3 0L0 6.3L-6.3 0Z"
# The lowest steps of the ramp look hollow.
_FIRST_STEP, _LAST_STEP = 2, 8
# Half the width of a point.
_REACH = 6.0


@dataclass(frozen=True)
class Spot:
    """A row at a place of a chart: its position, its whiskers' ends in pixels, and what is shown on pointing at it."""

    standing: Standing
    rank: int
    at: Point
    across: Point | None
    upright: Point | None
    title: str


def placed(standings: Sequence[Standing]) -> list[tuple[int, Standing]]:
    """The rows that have a place, with it."""
    places = ranked(standings)
    return [(places[each.stored.id], each) for each in standings if each.stored.id in places]


def ends_on(scale: Scale, interval: Interval) -> Point | None:
    """Where an interval begins and ends; None where it is not known."""
    return None if interval.low is None or interval.high is None else (scale(interval.low), scale(interval.high))


def name_of(rank: int, standing: Standing) -> str:
    """`3: rooms-resnet10t.shared, sharing degree 1, clean training, under apgd-dgba`."""
    model = standing.stored.row.model
    degree = "unknown" if model.sharing_degree is None else f"{model.sharing_degree:.3g}"
    trained = model.adversarial_training
    training = "clean training" if trained is None else f"adversarial training ({trained})"
    return f"{rank}: {model.name}, sharing degree {degree}, {training}, under {standing.strongest.name}"


def at_eps(places: Sequence[tuple[int, Standing]]) -> str:
    """` at ε 4/255`, where it is one for all rows."""
    levels = {(each.eps, each.stored.row.threat.norm) for _, each in places}
    return f" at ε {eps_text(*levels.pop())}" if len(levels) == 1 else ""


def draw(spots: Sequence[Spot], href: Href, area: Area) -> list[Markup]:
    """Whiskers, on them linked points, the first on top, and each one's place beside it, where `area` has room."""
    whiskers = []
    for spot in spots:
        if spot.across is not None:
            whiskers.append(level(spot.at[1], spot.across))
        if spot.upright is not None:
            whiskers.append(upright(spot.at[0], spot.upright))
    points = [_point(spot, href(spot.standing)) for spot in reversed(spots)]
    return [element("g", {"class": "spread"}, *whiskers), *points, *_ranks(spots, area)]


def _point(spot: Spot, address: str) -> Markup:
    model = spot.standing.stored.row.model
    shape = _CLEAN if model.adversarial_training is None else _TRAINED
    drawn = marker(*spot.at, shape, "", f"row-marker {colour_of(model.sharing_degree)}")
    return element("a", {"href": address, "aria-label": spot.title}, element("title", {}, spot.title), drawn)


def colour_of(degree: float | None) -> str:
    """The class of the colour for a sharing degree; hollow where it is not known."""
    return "hollow" if degree is None else f"seq-{_FIRST_STEP + round(degree * (_LAST_STEP - _FIRST_STEP))}"


def keys() -> list[tuple[Markup, str]]:
    """What the legend of such a chart explains: shapes, then colours."""
    return [
        (swatch("row-marker seq-5", _CLEAN), "clean training"),
        (swatch("row-marker seq-5", _TRAINED), "adversarial training"),
        (ramp(range(_FIRST_STEP, _LAST_STEP + 1)), "sharing degree from 0 to 1"),
        (swatch("row-marker hollow", _CLEAN), "unknown"),
    ]


def known(interval: Interval) -> bool:
    """Whether there is a value to draw."""
    return drawable(interval.value)


def _ranks(spots: Sequence[Spot], area: Area) -> list[Markup]:
    """Numbers beside the points, diagonally, as whiskers run straight; none where it would cover another."""
    left, top, right, bottom = area
    taken = [(x - _REACH, y - _REACH, x + _REACH, y + _REACH) for x, y in (spot.at for spot in spots)]
    drawn = []
    for spot in spots:
        text = str(spot.rank)
        width, (x, y) = text_width(text), spot.at
        for dx, dy in ((1, -1), (1, 1), (-1, -1), (-1, 1)):
            x0 = x + _REACH if dx > 0 else x - _REACH - width
            y0 = y - SIZE if dy < 0 else y
            box = (x0, y0, x0 + width, y0 + SIZE)
            inside = left <= box[0] and box[2] <= right and top <= box[1] and box[3] <= bottom
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                drawn.append(label(x0, y0 + 0.86 * SIZE, text, "rank"))
                break
    return drawn


def _overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
