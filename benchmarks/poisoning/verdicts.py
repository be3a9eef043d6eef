"""The tables of the README from `claims-*.json` and `evasion-*.json`.

python benchmarks/poisoning/verdicts.py
"""

import json
from pathlib import Path
from typing import Any

from mtlattack.files import write_section

HERE = Path(__file__).parent
ATTACKS = (
    "clean",
    "random direct",
    "flip direct",
    "patom direct",
    "random indirect",
    "flip indirect",
    "patom indirect",
)


def interval(found: dict[str, Any]) -> str:
    return f"{found['mean']:.3g} [{found['low']:.3g}, {found['high']:.3g}]"


def ruled(found: dict[str, Any]) -> str:
    return f"**{found['verdict']}** {interval(found)}"


def grid(titles: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def errors(results: list[dict[str, Any]]) -> list[str]:
    titles = [
        "targets' test error",
        *(f"{each['data']} ({each['tasks']} tasks, {each['points']:,} points)" for each in results),
    ]
    return grid(titles, [[attack, *(interval(each["errors"][attack]) for each in results)] for attack in ATTACKS])


def claims(results: list[dict[str, Any]]) -> list[str]:
    rows = []
    for mode in ("direct", "indirect"):
        rows.append([f"P1 {mode}: PATOM − random, test error", *(ruled(each["P1"][mode]) for each in results)])
    rows.append(["P2: ρ of clean \\|Ω\\| and the rise", *(ruled(each["P2"]["spearman |omega|"]) for each in results)])
    rows.append(
        [
            "P2 by clean \\|correlation\\|, not in the rule",
            *(ruled(each["P2"]["spearman |correlation|"]) for each in results),
        ]
    )
    rows.append(
        [
            "P2: largest rise at λ₂ = 0",
            *(
                f"**{each['P2']['decoupled']['verdict']}** {each['P2']['decoupled']['largest rise']:.1g}"
                for each in results
            ),
        ]
    )
    for mode in ("direct", "indirect"):
        rows.append(
            [
                f"P3 {mode}: \\|correlation\\| in the attacked group, PATOM − clean",
                *(f"**{each['P3'][mode]['verdict']}** {interval(each['P3'][mode]['minus clean'])}" for each in results),
            ]
        )
    for mode in ("direct", "indirect"):
        rows.append([f"P4 {mode}: utility, exact − frozen Ω", *(ruled(each["P4"][mode]) for each in results)])
    return grid(["claim", *(each["data"] for each in results)], rows)


def evasion(results: list[dict[str, Any]]) -> list[str]:
    rows = [[row, *(interval(each["rows"][row]) for each in results)] for row in results[0]["rows"]]
    return grid(["mean error of the targets (NMSE)", *(each["model"] for each in results)], rows)


def main() -> None:
    found = [json.loads(path.read_text()) for path in sorted(HERE.glob("claims-*.json"))]
    met = [json.loads(path.read_text()) for path in sorted(HERE.glob("evasion-*.json"))]
    for name, lines in (("errors", errors(found)), ("claims", claims(found)), ("evasion", evasion(met))):
        write_section(HERE / "README.md", name, "verdicts.py", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
