"""The numbers behind a suite's table, as a script: pages opened from disk may run a file, but not fetch one."""

import json
from collections.abc import Sequence
from typing import Any

from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, Column
from mtlattack.leaderboard.pages.formats import Figure
from mtlattack.leaderboard.pages.lines import FACTS, View, at, facts, views
from mtlattack.leaderboard.standings import Standing

# In a script, and in JSON within HTML, none of these may stand as itself; line separators are no ASCII.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}

_BETTER = {True: "high", False: "low"}


def numbers_script(
    key: str,
    standings: Sequence[Standing],
    levels: dict[float, str],
    headline: float,
    attacks: Sequence[str],
    tasks: Sequence[Column],
) -> str:
    """`mtlattackData = {…}`: names that people chose are values, never keys.

    `views` of a row are by ε, then the row under all attacks together, then under each in the order of `attacks`.
    """
    by_view = [[views(at(standings, eps, name), tasks) for name in (None, *attacks)] for eps in levels]
    document = {
        "suite": key,
        "levels": list(levels.values()),
        "headline": list(levels).index(headline),
        "attacks": list(attacks),
        "facts": FACTS,
        "quantities": [
            {
                "key": each.key,
                "title": f"{each.title} {each.unit}",
                "better": "high" if each.higher_is_better else "low",
            }
            for each in (*MAIN_COLUMNS, *tasks)
        ],
        "rows": [
            {
                "id": each.stored.id,
                "name": each.stored.row.model.name,
                "page": places.row_page(each.stored.id),
                "facts": facts(each),
                "views": [[_view(found.get(each.stored.id)) for found in level] for level in by_view],
            }
            for each in standings
        ],
    }
    return f"globalThis.mtlattackData = {embedded_json(document)};\n"


def embedded_json(document: Any) -> str:
    """JSON that may stand in a script and in HTML: ASCII, without `<`, `>`, `&` and single quotes."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.translate(_ESCAPES)


def _view(view: View | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {"rank": view.rank, "attack": _cell(view.attack)[:2], "cells": [_cell(each) for each in view.cells]}


def _cell(figure: Figure) -> list[Any]:
    return [figure.text, figure.interval, figure.value, figure.low, figure.high]
