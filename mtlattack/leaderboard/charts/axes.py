"""The frame of a panel: plotting area, grid, ticks, titles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mtlattack.leaderboard.charts.lettering import shorten, text_width
from mtlattack.leaderboard.charts.scales import Scale
from mtlattack.leaderboard.charts.svg import element, join, label, line

BOLD = 13.0


@dataclass(frozen=True)
class Box:
    """A plotting area."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def heading(title: str, below: str, width: float) -> Markup:
    """A panel's name and what it shows, in its upper left corner."""
    first = label(8, 16, shorten(title, width - 16, BOLD * 1.1), "heading", title)
    return join(first, label(8, 32, shorten(below, width - 16), "muted", below))


def value_ticks(box: Box, scale: Scale) -> Markup:
    """Horizontal grid lines with their values on the left."""
    return join(
        *(
            join(line(box.left, y, box.right, y, "grid"), label(box.left - 6, y + 4, text, "tick end"))
            for text, y in ((text, scale(tick)) for text, tick in zip(scale.labels(), scale.ticks, strict=True))
        )
    )


def foot_ticks(box: Box, places: Iterable[float], texts: Sequence[str]) -> Markup:
    """Vertical grid lines with their values below; a text that would touch the one before is left out."""
    parts, free = [], -1e9
    for x, text in zip(places, texts, strict=True):
        parts.append(line(x, box.top, x, box.bottom, "grid"))
        half = text_width(text) / 2
        if x - half >= free:
            parts.append(label(x, box.bottom + 16, text, "tick middle"))
            free = x + half + 5
    return join(*parts)


def foot_title(box: Box, text: str) -> Markup:
    """The name of the horizontal axis."""
    return label(box.middle[0], box.bottom + 33, text, "muted middle")


def side_title(box: Box, text: str) -> Markup:
    """The name of the vertical axis, upwards along it at the left edge."""
    y = box.middle[1]
    return element("text", {"x": 13.0, "y": y, "class": "muted middle", "transform": f"rotate(-90 13 {y:g})"}, text)


def empty(box: Box) -> Markup:
    """What stands in a panel that has nothing to show."""
    return label(*box.middle, "no values", "muted middle")
