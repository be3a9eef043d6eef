"""What the pages' templates may ask for beside the values that they are given."""

from mtlattack.analysis.trust.meanings import FLAG_MEANINGS
from mtlattack.html import templates_of
from mtlattack.leaderboard import formats
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, SUMMARY_COLUMNS
from mtlattack.wording import counted

TEMPLATES = templates_of("mtlattack.leaderboard.pages")
TEMPLATES.globals.update(
    main=MAIN_COLUMNS, summaries=SUMMARY_COLUMNS, formats=formats,
    counted=counted, meanings=places.MEANINGS, signs=places.SIGNS, flag_meanings=FLAG_MEANINGS,
)  # fmt: skip
