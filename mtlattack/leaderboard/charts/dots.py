"""All attacks at the one ε of a row: a line of text and a point with its interval each."""

from collections.abc import Mapping

from markupsafe import Markup

from mtlattack.leaderboard.charts.axes import Box, empty, foot_ticks, foot_title, heading
from mtlattack.leaderboard.charts.lettering import SIZE, shorten, text_width, with_interval
from mtlattack.leaderboard.charts.marks import SHAPES, Style, level, marker
from mtlattack.leaderboard.charts.panel import Panel
from mtlattack.leaderboard.charts.quantities import ends, eps_text
from mtlattack.leaderboard.charts.scales import by_direction
from mtlattack.leaderboard.charts.svg import element, label, line, picture
from mtlattack.leaderboard.rows.schema import Row

_WIDTH, _TOP, _STEP, _FOOT = 340.0, 46.0, 18.0, 42.0
_MOST_NAME = 168.0


def dots(panel: Panel, row: Row, drawn: Mapping[str, Style]) -> Markup:
    """A panel of `eps_curves` for a row with one ε; better is right, the clean value a vertical line."""
    room = min(_MOST_NAME, max(text_width(attack.name) for attack in row.attacks))
    box = Box(room + 14, _TOP, _WIDTH - 14, _TOP + _STEP * (len(row.attacks) + 1))
    values = [x for attack in row.attacks for x in ends(panel.under(attack))] + ends(panel.clean)
    x = by_direction(values, panel.higher_is_better, worse=box.left + 6, better=box.right - 6, most_ticks=4)
    marks = sorted(zip(map(x, x.ticks), x.labels(), strict=True))
    parts = [heading(panel.name, panel.below, _WIDTH)]
    parts.append(foot_ticks(box, [at for at, _ in marks], [text for _, text in marks]))
    parts.append(foot_title(box, f"ε {eps_text(row.attacks[0].eps, row.threat.norm)} ({row.threat.norm})"))
    if panel.clean.value is not None:
        at = x(panel.clean.value)
        parts.append(line(at, box.top, at, box.bottom, "reference"))
    lines = [("clean", panel.clean, Style("series clean", "", SHAPES[0]))]
    order = list(drawn)
    attacks = sorted(row.attacks, key=lambda attack: order.index(attack.name))
    lines += [(attack.name, panel.under(attack), drawn[attack.name]) for attack in attacks]
    for index, (name, found, style) in enumerate(lines):
        y = box.top + _STEP * (index + 0.5)
        parts.append(label(box.left - 6, y + 0.36 * SIZE, shorten(name, room), "tick end", name))
        inside = []
        if found.low is not None and found.high is not None:
            inside.append(level(y, (x(found.low), x(found.high))))
        if found.value is not None:
            inside.append(marker(x(found.value), y, style.shape, f"{name}: {with_interval(found, panel.unit)}"))
        parts.append(element("g", {"class": style.kind}, *inside))
    if not values:
        parts.append(empty(box))
    title = f"{panel.name}: {panel.title} by attack"
    return picture(_WIDTH, box.bottom + _FOOT, title, panel.said(row), *parts)
