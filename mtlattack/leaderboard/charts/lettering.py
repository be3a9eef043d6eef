"""How numbers are written, and how long text is."""

import unicodedata
from math import floor, log10

from mtlattack.analysis import Interval

SIZE = 11.0
_MINUS = "\u2212"
# Widths in em of a wide sans-serif face (those of DejaVu Sans, rounded up), so that other faces need less.
_NARROW, _WIDE, _OTHER, _SQUARE = 0.42, 0.98, 0.64, 1.1


def significant(value: float | None) -> str:
    """Three significant digits, as the pages write them: `0.0389`, `43.2`, `1,230`, `−3.00`; `–` for null."""
    if value is None:
        return "–"
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if not 1e-4 <= abs(rounded) < 1e7:
        return f"{rounded:.3g}".replace("-", _MINUS)
    digits = max(0, 2 - floor(log10(abs(rounded))))
    return f"{rounded:,.{digits}f}".replace("-", _MINUS)


def with_unit(value: float | None, unit: str) -> str:
    """`43.2 %`, `12.0°`, `–`."""
    text = significant(value)
    return text if value is None or not unit else text + unit if unit == "°" else f"{text} {unit}"


def with_interval(interval: Interval, unit: str) -> str:
    """`43.2 % [41.0, 45.1]`."""
    text = with_unit(interval.value, unit)
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{significant(interval.low)}, {significant(interval.high)}]"


def whole_percent(share: float) -> str:
    """`−152`, `+3`, `0`, `−1.2k`, `−12k`: per cent, where room is for five characters."""
    size = 100 * abs(share)
    if size < 999.5:
        text = f"{size:.0f}"
    elif size < 999_500:
        text = f"{size / 1000:.1f}k" if size < 9950 else f"{size / 1000:.0f}k"
    else:
        text = f"{size:.0e}".replace("e+", "e").replace("e0", "e")
    return text if text == "0" else ("+" if share > 0 else _MINUS) + text


def text_width(text: str, size: float = SIZE) -> float:
    """Pixels that a line takes at most in common sans-serif faces."""
    return size * sum(map(_width, text))


def shorten(text: str, room: float, size: float = SIZE) -> str:
    """The text, or as much of its beginning as fits into `room` pixels, with an ellipsis."""
    if text_width(text, size) <= room:
        return text
    kept, used = "", text_width("…", size)
    for character in text:
        used += size * _width(character)
        if used > room:
            break
        kept += character
    return kept + "…"


def _width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if not character.isascii():
        return _SQUARE if ord(character) > 0x2E7F else 0.9
    return _NARROW if character in " !'(),-./:;I[]fijlrt|" else _WIDE if character in "%@MWmw" else _OTHER
