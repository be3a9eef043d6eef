"""The one plot that every chart is: points with their 95 % intervals in a frame, written by `templates/plot.html`."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.analysis import Interval
from mtlattack.leaderboard.pages.charts.axis import Axis, visible
from mtlattack.leaderboard.pages.templating import TEMPLATES

WIDTH, HEIGHT = 340, 270
LEFT, TOP, RIGHT, BOTTOM = 54, 10, 322, 226
# Labels that would stand closer than this to an earlier one are left out.
_ROOM_X, _ROOM_Y = 15, 10
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
    """How a series looks: its class in `charts.css`, the dashes of its line, the shape of its points."""

    kind: str
    dashes: str = ""
    shape: str = SHAPES[0]


@dataclass(frozen=True)
class Point:
    """Where a point stands, with an interval in either direction; what is shown on pointing at it; where it leads; the
    text beside it; how many pixels it is moved to the right, so that it covers no other."""

    x: Interval
    y: Interval
    title: str
    href: str = ""
    text: str = ""
    shift: float = 0.0


@dataclass(frozen=True)
class Series:
    """Points of one style, joined by a line or not; one whose value is undefined is not drawn, and breaks the line."""

    style: Style
    points: Sequence[Point]
    joined: bool = True


def style(index: int) -> Style:
    """The style of the `index`-th series: 8 colours, and 64 pairs of colour with dashes and shape."""
    other = (index + index // COLOURS) % COLOURS
    return Style(f"series-{index % COLOURS + 1}", _DASHES[other], SHAPES[other])


def plot(title: str, below: str, x: Axis, y: Axis, series: Sequence[Series]) -> Markup:
    """A `<figure>`: the title, below it what is shown, then the points; the first series lies on top."""
    labelled: list[tuple[float, float]] = []
    return _macro("plot", title, below, x, y, [_Drawn(each, x, y, labelled) for each in series][::-1])


def legend(entries: Sequence[tuple[Style, str]], note: str = "", joined: bool = True) -> Markup:
    """A list of styles with their names that flows into lines; `note` is its last entry."""
    return _macro("legend", entries, note, joined)


def panels(*figures: Markup) -> Markup:
    """Charts beside each other, as many in a line as there is room for."""
    return Markup('<div class="panels">{}</div>').format(Markup("").join(figures))


def beside(place: int, of: int, step: float, most: float) -> float:
    """How many pixels the `place`-th of so many points at one value is moved, `step` apart and within `most` in all."""
    return (place - (of - 1) / 2) * min(step, most / of)


def number(value: float) -> str:
    """A coordinate, to 1/100 of a pixel."""
    return f"{round(value, 2) + 0:g}"


class _Drawn:
    """A series in pixels; `labelled` are the points that have a text beside them."""

    def __init__(self, series: Series, x: Axis, y: Axis, labelled: list[tuple[float, float]]) -> None:
        self.style = series.style
        self.marks: list[dict[str, str]] = []
        line, pen = [], "M"
        for point in series.points:
            at_x, at_y = visible(point.x), visible(point.y)
            if at_x.value is None or at_y.value is None:
                pen = "M"
                continue
            left, top = across(x, at_x.value) + point.shift, upwards(y, at_y.value)
            whiskers = ""
            if at_y.low is not None and at_y.high is not None:
                whiskers += f"M{number(left)} {number(upwards(y, at_y.low))}V{number(upwards(y, at_y.high))}"
            if at_x.low is not None and at_x.high is not None:
                ends = [number(across(x, end) + point.shift) for end in (at_x.low, at_x.high)]
                whiskers += f"M{ends[0]} {number(top)}H{ends[1]}"
            free = all(abs(left - a) > _ROOM_X or abs(top - b) > _ROOM_Y for a, b in labelled)
            text = point.text if free else ""
            labelled += [(left, top)] if text else []
            self.marks.append(
                {"x": number(left), "y": number(top), "whiskers": whiskers, "title": point.title, "href": point.href,
                 "text": text, "text_x": number(left + 7), "text_y": number(top - 5)}
            )  # fmt: skip
            line.append(f"{pen}{number(left)} {number(top)}")
            pen = "L"
        self.line = "".join(line) if series.joined else ""


def across(axis: Axis, value: float) -> float:
    """Where a value of the lower axis stands, in pixels."""
    return LEFT + axis.share(value) * (RIGHT - LEFT)


def upwards(axis: Axis, value: float) -> float:
    """Where a value of the left axis stands, in pixels."""
    return BOTTOM - axis.share(value) * (BOTTOM - TOP)


_TEMPLATE = TEMPLATES.get_template("plot.html", globals={
    "across": lambda axis, value: number(across(axis, value)),
    "upwards": lambda axis, value: number(upwards(axis, value)),
    "width": WIDTH, "height": HEIGHT, "left": LEFT, "top": TOP, "right": RIGHT, "bottom": BOTTOM,
})  # fmt: skip


def _macro(name: str, *values: object) -> Markup:
    return Markup(getattr(_TEMPLATE.module, name)(*values))
