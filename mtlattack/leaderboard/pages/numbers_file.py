"""The numbers behind a suite's table, as a script: pages opened from disk may run a file, but not fetch one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mtlattack.leaderboard.formats import Figure
from mtlattack.leaderboard.ledger import Event
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.columns import MAIN_COLUMNS, Column, cells_of
from mtlattack.leaderboard.showing.facts import compared_facts
from mtlattack.leaderboard.standings import Standing, stand

# In a script, and in JSON within HTML, none of these may stand as itself; line separators are no ASCII.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


def numbers_script(
    key: str,
    standings: Sequence[Standing],
    last: Mapping[str, Event],
    levels: Mapping[float, str],
    attacks: Sequence[str],
    tasks: Sequence[Column],
) -> str:
    """`mtlattackData = {…}`: names that people chose are values, never keys.

    `views` of a row are by ε, then the row under all attacks together, then under each in the order of `attacks`.
    """
    stored = [each.stored for each in standings]
    found = [
        [{each.stored.id: each for each in stand(stored, last, eps, name)} for name in (None, *attacks)]
        for eps in levels
    ]
    quantities = [
        {"key": each.key, "title": f"{each.title} {each.unit}", "better": "high" if each.higher_is_better else "low"}
        for each in (*MAIN_COLUMNS, *tasks)
    ]
    facts = [dict(compared_facts(each)) for each in standings]
    rows = [
        {
            "id": each.stored.id,
            "name": each.stored.row.model.name,
            "page": places.row_page(each.stored.id),
            "facts": list(said.values()),
            "views": [[_view(view.get(each.stored.id), tasks) for view in level] for level in found],
        }
        for each, said in zip(standings, facts, strict=True)
    ]
    document = {
        "suite": key, "levels": list(levels.values()), "headline": list(levels).index(standings[0].eps),
        "attacks": attacks, "facts": list(facts[0]), "quantities": quantities, "rows": rows,
    }  # fmt: skip
    return f"globalThis.mtlattackData = {embedded_json(document)};\n"


def embedded_json(document: Any) -> str:
    """JSON that may stand in a script and in HTML: ASCII, without `<`, `>`, `&` and single quotes."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.translate(_ESCAPES)


def _view(standing: Standing | None, tasks: Sequence[Column]) -> dict[str, Any] | None:
    if standing is None:
        return None
    attack, *cells = map(_cell, cells_of(standing, tasks))
    return {"rank": standing.rank, "attack": attack[:2], "cells": cells}


def _cell(figure: Figure) -> list[Any]:
    return [figure.text, figure.interval, figure.value, figure.low, figure.high]
