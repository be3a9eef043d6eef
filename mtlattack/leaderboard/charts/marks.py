"""Lines, points and whiskers, told apart by colour, by dashes and by shape; the legend that explains them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.leaderboard.charts.svg import clean, element, join, line, number

Point = tuple[float, float]

COLOURS = 8
_DASHES = ("", "7 3", "2 2.5", "9 3 2 3", "4 2", "1.5 4", "12 3", "5 2 1 2")
# Around (0, 0), of about equal area.
SHAPES = (
    "M4 0A4 4 0 1 1 -4 0A4 4 0 1 1 4 0Z",  # circle
    "M-3.5 -3.5H3.5V3.5H-3.5Z",  # square
    "M0 -4.6L4.4 3.4H-4.4Z",  # triangle
    "M0 -5L5 0L0 5L-5 0Z",  # diamond
    "M0 4.6L4.4 -3.4H-4.4Z",  # triangle on its head
    "M-1.5 -4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",  # plus
    "M-4.5 -4.5H4.5L-4.5 4.5H4.5Z",  # hourglass
    "M0 -5L4.8 -1.5L3 4.2H-3L-4.8 -1.5Z",  # pentagon
)


@dataclass(frozen=True)
class Style:
    """How a series is drawn: classes, dashes, shape."""

    kind: str
    dashes: str
    shape: str


def series(index: int) -> Style:
    """The style of the `index`-th series: 8 colours, and 64 pairs of colour with dashes and shape."""
    other = (index + index // COLOURS) % COLOURS
    return Style(f"series series-{index % COLOURS + 1}", _DASHES[other], SHAPES[other])


def lighter(index: int) -> Style:
    """The style of the `index`-th series of those that stand back: grey and thin, told apart by shape."""
    return Style("series back", "2 3", SHAPES[index % len(SHAPES)])


def path(points: Sequence[Point | None], style: Style) -> Markup:
    """A line through the points, broken where there is none."""
    parts, lifted = [], True
    for point in points:
        if point is not None:
            parts.append(f"{'M' if lifted else 'L'}{number(point[0])} {number(point[1])}")
        lifted = point is None
    dashes = {"stroke-dasharray": style.dashes} if style.dashes else {}
    return element("path", {"class": "line", "d": "".join(parts)} | dashes)


def marker(x: float, y: float, shape: str, title: str, kind: str = "marker") -> Markup:
    """A shape at a point; `title` is what is shown on pointing at it."""
    attributes = {"class": kind, "transform": f"translate({number(x)} {number(y)})", "d": shape}
    return element("path", attributes, *([element("title", {}, title)] if title else []))


def upright(x: float, ends: Point) -> Markup:
    """A vertical whisker between two positions."""
    return line(x, ends[0], x, ends[1], "whisker")


def level(y: float, ends: Point) -> Markup:
    """A horizontal whisker between two positions."""
    return line(ends[0], y, ends[1], y, "whisker")


def key(style: Style) -> Markup:
    """A line with its marker, for the legend."""
    return _picture(
        36, element("g", {"class": style.kind}, path([(1, 8), (35, 8)], style), marker(18, 8, style.shape, ""))
    )


def swatch(kind: str, shape: str) -> Markup:
    """A lone marker, for the legend."""
    return _picture(16, marker(8, 8, shape, "", kind))


def ramp(steps: Iterable[int]) -> Markup:
    """Steps of the sequential colours beside each other, for the legend."""
    cells = [
        element("rect", {"x": 10 * i, "y": 3, "width": 10, "height": 10, "class": f"seq-{step}"})
        for i, step in enumerate(steps)
    ]
    return _picture(10 * len(cells), *cells)


def legend(entries: Iterable[tuple[Markup, str]], note: str = "") -> Markup:
    """A list of pictures with their names that flows into lines; `note` is its last entry."""
    items = [element("li", {}, drawn, element("span", {}, name)) for drawn, name in entries]
    if note:
        items.append(element("li", {"class": "note"}, clean(note)))
    return element("ul", {"class": "chart-legend"}, join(*items))


def _picture(width: int, *children: Markup) -> Markup:
    attributes: dict[str, str | float] = {"class": "key", "viewBox": f"0 0 {width} 16", "width": width, "height": 16}
    return element("svg", attributes | {"aria-hidden": "true"}, *children)
