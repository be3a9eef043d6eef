"""Charts of the leaderboard: pure functions from records and standings to inline SVG, coloured by `charts.css` alone.

A chart is a `<figure>`: its name, then an `<svg>` of numbers, lines and points that say themselves on pointing at them.
It holds no script, no style attribute and no address but those of rows' pages; equal records give equal bytes.
"""

from pathlib import Path

from mtlattack.leaderboard.pages.charts.curves import attack_curves, robust_curves
from mtlattack.leaderboard.pages.charts.scatter import skill_against_clean, skill_against_degree

# What the markup's classes look like, in both themes; a page that shows charts includes it.
STYLESHEET = Path(__file__).with_name("charts.css")

__all__ = ["STYLESHEET", "attack_curves", "robust_curves", "skill_against_clean", "skill_against_degree"]
