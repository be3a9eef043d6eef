"""Charts of the leaderboard: pure functions from rows to inline SVG, coloured by `charts.css` alone.

Every function returns `<div class="panels">` with one `<svg>` a panel, then (where it needs one) a legend; it holds no
script, no style attribute and no address but those that `href` gives. Text from rows is escaped. For equal rows the
markup is equal to the byte.
"""

from pathlib import Path

from mtlattack.leaderboard.charts.degree_plot import degree_plot
from mtlattack.leaderboard.charts.eps_curves import eps_curves
from mtlattack.leaderboard.charts.robustness import robustness_against_accuracy, robustness_by_task
from mtlattack.leaderboard.charts.transfer_map import transfer_map

# What the markup's classes look like, in both themes; a page that shows charts includes it.
STYLESHEET = Path(__file__).with_name("charts.css")

__all__ = [
    "STYLESHEET",
    "degree_plot",
    "eps_curves",
    "robustness_against_accuracy",
    "robustness_by_task",
    "transfer_map",
]
