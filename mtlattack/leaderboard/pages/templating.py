"""Where the pages' templates are, and what they may ask for beside the values that they are given."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from mtlattack.analysis.trust.meanings import FLAG_MEANINGS
from mtlattack.leaderboard import formats
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, SUMMARY_COLUMNS

TEMPLATES = Environment(
    loader=PackageLoader("mtlattack.leaderboard.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(
    main=MAIN_COLUMNS, summaries=SUMMARY_COLUMNS, formats=formats,
    meanings=places.MEANINGS, signs=places.SIGNS, flag_meanings=FLAG_MEANINGS,
)  # fmt: skip
