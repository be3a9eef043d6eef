"""The numbers behind a suite's table, as a script: pages opened from disk may run a file, but not fetch one."""

import json
from collections.abc import Sequence
from typing import Any

from mtlattack.leaderboard.charts.quantities import eps_text
from mtlattack.leaderboard.pages import places
from mtlattack.leaderboard.pages.formats import Figure
from mtlattack.leaderboard.pages.lines import FACTS, attack_named, cells, facts, make_line, rank
from mtlattack.leaderboard.pages.quantities import Quantity, TaskMetric
from mtlattack.leaderboard.standings import Standing

# In a script, and in JSON within HTML, none of these may stand as itself; line separators are no ASCII.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


def numbers_script(
    key: str,
    standings: Sequence[Standing],
    levels: Sequence[float],
    attacks: Sequence[str],
    quantities: Sequence[Quantity],
    metrics: Sequence[TaskMetric],
) -> str:
    """`mtlattackData = {…}`: names that people chose are values, never keys."""
    rows = [standing.stored.row for standing in standings]
    first = rows[0]
    document = {
        "suite": key,
        "levels": [eps_text(eps, first.threat.norm) for eps in levels],
        "headline": list(levels).index(standings[0].eps),
        "attacks": list(attacks),
        "facts": FACTS,
        "quantities": [
            {"key": each.key, "title": each.title, "unit": each.unit, "better": each.better} for each in quantities
        ],
        "ranks": [[_ranks(standings, eps, name) for name in (None, *attacks)] for eps in levels],
        "rows": [_row(standing, levels, attacks, metrics) for standing in standings],
    }
    return f"globalThis.mtlattackData = {embedded_json(document)};\n"


def embedded_json(document: Any) -> str:
    """JSON that may stand in a script and in HTML: ASCII, without `<`, `>`, `&` and single quotes."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.translate(_ESCAPES)


def _ranks(standings: Sequence[Standing], eps: float, name: str | None) -> list[int | None]:
    found = rank(standings, eps, name)
    return [found.get(standing.stored.id) for standing in standings]


def _row(
    standing: Standing, levels: Sequence[float], attacks: Sequence[str], metrics: Sequence[TaskMetric]
) -> dict[str, Any]:
    line, row = make_line(standing), standing.stored.row
    strongest = []
    numbers: list[list[list[Any] | None]] = []
    for eps in levels:
        best = attack_named(row, eps, None)
        strongest.append(None if best is None else attacks.index(best.name))
        entries = [attack_named(row, eps, name) for name in attacks]
        numbers.append(
            [None if entry is None else [_cell(each) for each in cells(row, entry, metrics)] for entry in entries]
        )
    return {
        "id": line.id,
        "name": line.name,
        "page": places.row_page(line.id),
        "facts": facts(standing),
        "strongest": strongest,
        "numbers": numbers,
    }


def _cell(figure: Figure) -> list[Any]:
    return [figure.text, figure.interval, figure.value, figure.low, figure.high]
