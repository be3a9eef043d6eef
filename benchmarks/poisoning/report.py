"""The tables of the README from the study's folder and the JSON files beside this script.

python benchmarks/poisoning/report.py
"""

import json
from pathlib import Path
from typing import Any

from mtlattack.files import write_section

HERE = Path(__file__).parent


def interval(found: dict[str, Any], digits: int = 3) -> str:
    return f"{found['mean']:.{digits}g} [{found['low']:.{digits}g}, {found['high']:.{digits}g}]"


def grid(titles: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def claims(study: dict[str, Any]) -> list[str]:
    """Verdicts; then P1, P3 and P4 by table and mode, and P2 by table; bold: a corrected p value below .05."""
    found = {claim["name"]: claim for claim in study["claims"]}
    lines = grid(
        ["claim", "verdict"],
        [[f"{name}: {each['sentence']}".replace("|", "\\|"), f"**{each['verdict']}**"] for name, each in found.items()],
    )
    p1, p2, p3, p4 = (found[name]["numbers"] for name in ("P1", "P2", "P3", "P4"))
    rows = [
        [name, shown(p1[name]), shown(p3[f"{name} - clean"]), shown(p3[f"{name} - random"]), shown(p4[name])]
        for name in p1
    ]
    titles = ["", "P1: error, PATOM − random", "P3: \\|correlation\\|, PATOM − clean", "PATOM − random points"]
    lines += ["", *grid([*titles, "P4: utility, exact − frozen Ω"], rows)]
    rows = [
        [name, shown(each["omega"]), interval(each["correlation"]), f"{each['decoupled']:.1g}"]
        for name, each in p2.items()
    ]
    titles = [
        "",
        "P2: ρ of clean \\|Ω\\| and rise",
        "of clean \\|correlation\\|, not in the rule",
        "largest rise at λ₂ = 0",
    ]
    return [*lines, "", *grid(titles, rows)]


def shown(found: dict[str, Any]) -> str:
    """An interval, bold where zero is refused."""
    return f"**{interval(found)}**" if found["p"] < 0.05 else interval(found)


def evasion(results: list[dict[str, Any]]) -> list[str]:
    rows = [[row, *(interval(each["rows"][row]) for each in results)] for row in results[0]["rows"]]
    return grid(["mean error of the targets (NMSE)", *(each["model"] for each in results)], rows)


def pilot(result: dict[str, Any]) -> list[str]:
    titles = ["points a task, λ₂, box", *result["grid"][0]["rows"]]
    rows = [["pilot, sizes unknown", *(f"{result['pilot'].get(name, float('nan')):.3f}" for name in titles[1:])]]
    for place in result["grid"]:
        shown = []
        for row in place["rows"].values():
            mark = "" if row["inside"] is None else " ✓" if row["inside"] else " ✗"
            shown.append(f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]{mark}")
        box = "of all points" if place["half_box"] is None else f"±{place['half_box']:g}"
        rows.append([f"{place['points']}, {place['relation']:g}, {box}", *shown])
    return grid(titles, [[cell.replace("nan", "–") for cell in row] for row in rows])


def cost(result: dict[str, Any]) -> list[str]:
    rows = []
    for name, of in result["goals"].items():
        what = f"{name}: {of['tasks']} tasks, {of['points']:,} points, {of['injected']:,} injected"
        learned = f"{of['fit']:.2f} ({of['fit_wall']:.2f})"
        rows.append([what, learned, f"{of['attack']:.1f} ({of['attack_wall']:.1f})", f"{of['peak_mb']:.0f}"])
    lines = grid(["processor seconds (wall)", "learning, to 1e-10", "attack, 100 iterations, exact", "peak MB"], rows)
    rows = []
    for kind, sweep in result["sweeps"].items():
        peak = max(each["peak_mb"] for axis in ("injected", "rows") for each in sweep[axis])
        slopes = [f"{sweep[key]:.2f}" for key in ("slope_injected", "slope_rows", "slope_fit")]
        rows.append([kind, *slopes, f"{peak:.0f}"])
    titles = ["log-log slope of seconds", "attack, injected 1,000 … 64,000", "attack, rows 2,500 … 20,000"]
    return [*lines, "", *grid([*titles, "learning, rows", "largest peak MB"], rows)]


def defences(result: dict[str, Any]) -> list[str]:
    """A row an attack and budget: the damage as it is, with each filter, and how often the alarm rang."""
    filters = list(result["rows"][0]["defended"])
    rows = []
    for row in result["rows"]:
        name = "clean" if row["method"] is None else f"{row['method']} {row['mode']}, {row['budget']:.0%}"
        shown = [interval(row["damage"], 2), *(interval(row["defended"][each]["damage"], 2) for each in filters)]
        rows.append([name, *shown, f"{row['alarm']['mean']:.0%}"])
    return grid([result["plan"]["data"], "no defence", *filters, "alarm rang"], rows)


def main() -> None:
    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((HERE / name).read_text(encoding="utf-8"))
        return found

    met = [read(path.name) for path in sorted(HERE.glob("evasion-*.json"))]
    defended = [read(path.name) for path in sorted(HERE.glob("defences-*.json"))]
    sections = {
        "claims": claims(read("study/study.json")),
        "evasion": evasion(met),
        "pilot": pilot(read("pilot.json")),
        "cost": cost(read("cost.json")),
        "defences": [line for each in defended for line in ["", *defences(each)]][1:],
    }
    for name, lines in sections.items():
        write_section(HERE / "README.md", name, "report.py", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
