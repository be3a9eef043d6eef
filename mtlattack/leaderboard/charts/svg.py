"""Elements of SVG and HTML as escaped markup: no styles, no scripts, equal input gives equal bytes."""

import hashlib
import re
from collections.abc import Mapping

from markupsafe import Markup, escape

Child = Markup | str
# Neither XML nor a page may hold the others.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(tag: str, attributes: Mapping[str, str | float], *children: Child) -> Markup:
    """`<tag …>children</tag>`; values and children that are not Markup are escaped, numbers are to 1/100."""
    # Tags and names are ours; `Markup.format`, which would escape them too, takes ten times as long.
    written = "".join(f' {name}="{escape(_value(value))}"' for name, value in attributes.items())
    return Markup(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """One after the other, escaped where they are not Markup."""
    return Markup("").join(child if isinstance(child, Markup) else clean(child) for child in children)


def clean(text: str) -> Markup:
    """Text from anywhere, escaped; characters that no page may hold become U+FFFD."""
    return escape(_UNWRITABLE.sub("\ufffd", text))


def number(value: float) -> str:
    """A coordinate, to 1/100 of a pixel."""
    return f"{round(value, 2) + 0:g}" if abs(value) < 1e4 else f"{value:.2f}"


def label(x: float, y: float, text: str, kind: str = "", title: str = "") -> Markup:
    """A line of text whose baseline is at `y`; `kind` are its classes, `title` what is shown on pointing at it."""
    inside = (element("title", {}, title), text) if title else (text,)
    return element("text", {"x": x, "y": y} | ({"class": kind} if kind else {}), *inside)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})


def picture(width: float, height: float, title: str, description: str, *children: Child, role: str = "img") -> Markup:
    """An `<svg>` of this natural size that says what it shows; `role` is "group" where it holds links."""
    inside = join(*children)
    # Two that share an identifier are the same picture.
    name = "chart-" + hashlib.sha256(f"{title}\0{description}\0{inside}".encode()).hexdigest()[:12]
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "chart",
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "width": width,
        "height": height,
        "role": role,
        "aria-labelledby": f"{name}-title {name}-text",
    }
    said = element("title", {"id": f"{name}-title"}, title), element("desc", {"id": f"{name}-text"}, description)
    return element("svg", attributes, *said, inside)


def panels(*pictures: Markup, kind: str = "panels") -> Markup:
    """Pictures beside each other, as many in a row as there is room for."""
    return element("div", {"class": kind}, *pictures)


def _value(value: str | float) -> Markup:
    return clean(value if isinstance(value, str) else number(value))
