"""The measured spread as Markdown: beside each quantile the tolerance, and which forgeries are found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from variations import ARITHMETICS

# Measures of `spread.label` by the names of what is tolerated of them.
_CLEAN = {"clean loss": "clean_loss", "clean metrics": "clean_metrics"}
_ATTACKED = {"all tasks": "all_tasks", "task": "task", "image": "image", "metrics": "metrics"}


def tolerated(arithmetic: str, kind: str, measure: str) -> float | None:
    """What `verify` tolerates of a measure; None where it is no share of anything."""
    chosen = ARITHMETICS[arithmetic]
    if measure in _CLEAN:
        return float(getattr(chosen, _CLEAN[measure]))
    return float(getattr(getattr(chosen, kind), _ATTACKED[measure])) if measure in _ATTACKED else None


def spread_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line an arithmetic, kind of attack and measure."""
    titles = ["arithmetic", "attacks", "measure", "median", "95 %", "99 %", "max", "tolerance", "tolerance / max"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for row in rows:
        limit = tolerated(row["arithmetic"], row["attacks"], row["measure"])
        numbers = [f"{row[key]:.1e}" for key in ("median", "q95", "q99", "max")]
        ratio = "–" if limit is None or not row["max"] else f"{limit / row['max']:.1f}"
        cells = [row["arithmetic"], row["attacks"], row["measure"], *numbers, "0" if limit is None else f"{limit:g}"]
        lines.append("| " + " | ".join([*cells, ratio]) + " |")
    return "\n".join(lines) + "\n"


def power_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a forgery, one column a verifier's arithmetic and kind of attack."""
    columns = list(dict.fromkeys((row["verifier"], row["attacks"]) for row in rows))
    titles = ["log loss ratio smaller by", *(f"{verifier}, {kind}" for verifier, kind in columns)]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for forgery in sorted({row["forgery"] for row in rows}):
        shares = []
        for column in columns:
            cells = [r for r in rows if r["forgery"] == forgery and (r["verifier"], r["attacks"]) == column]
            shares.append(np.average([r["found"] for r in cells], weights=[r["count"] for r in cells]))
        name = f"{100 * forgery:g} %" if forgery else "0 (honest)"
        lines.append(f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    return "\n".join(lines) + "\n"
