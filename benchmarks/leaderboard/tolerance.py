"""How far honest runs are apart, and so what `mtlattack leaderboard verify` tolerates; see README.md beside it.

Each variation's evidence of each model goes to the folder --work; what is finished there is only read.
"""

import os
import sys
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from power import measure_power
from spread import draw_subsets, measure_spread, summary
from table import power_table, spread_table
from variations import VARIATIONS, evidence_of

from mtlattack.cli.script import run_script
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import measured_on
from mtlattack.evidence import parts_of
from mtlattack.files import write_json, write_section

_NAMES = [each.name for each in VARIATIONS]


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    models: Annotated[list[str], typer.Option(help="Zoo names; repeatable.")] = [  # noqa: B006
        "rooms-resnet10t.shared",
        "rooms-resnet10t.shared.at-dgba",
    ],
    suite: Annotated[str, typer.Option(help="Whose attacks and images.")] = "rooms-board",
    attacks: Annotated[list[str], typer.Option(help="Globs over them; repeatable.")] = ["*"],  # noqa: B006
    variations: Annotated[list[str], typer.Option(help="Globs over their names; repeatable.")] = ["*"],  # noqa: B006
    eps: Annotated[list[float], typer.Option(help="ε · 255; repeatable.")] = [4],  # noqa: B006
    images: Annotated[int, typer.Option(min=1, help="The first so many of the suite's images.")] = 16,
    picked: Annotated[int, typer.Option(min=1, help="So many of them a verifier looks at.")] = 8,
    subsets: Annotated[int, typer.Option(min=1, help="So many times.")] = 25,
    seed: Annotated[int, typer.Option(help="Of the subsets.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    readme: Annotated[Path | None, typer.Option(help="File whose marked sections get the tables.")] = None,
) -> None:
    """Run the same attacks in every way that a CPU offers, and compare each with each as `verify` does."""
    run_by = {**measured_on(torch.device("cpu")), "load_average": os.getloadavg()[0]}
    drawn = draw_subsets(images, picked, subsets, seed)
    chosen = [each for each in VARIATIONS if any(fnmatchcase(each.name, glob) for glob in variations)]
    if len(chosen) < 2:
        raise InputError(f"--variations {', '.join(variations)}, expected two or more of: {', '.join(_NAMES)}")
    sizes: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    by_attack, power, ran = [], [], []
    for model in models:
        for level in eps:
            print(f"{model}, ε {level:g}/255", file=sys.stderr)
            runs = [(each, evidence_of(each, model, suite, level, images, attacks, work)) for each in chosen]
            place = {"model": model, "eps": level}
            for arithmetic, found in measure_spread(runs, drawn).items():
                for attack, measures in found.items():
                    kind = "clean" if attack == "clean" else "single" if "-single:" in attack else "joint"
                    for measure, values in measures.items():
                        sizes[arithmetic, kind, measure] += values
                        row = {"arithmetic": arithmetic, "attack": attack, "measure": measure}
                        by_attack.append({**place, **row, **summary(values)})
            power += [{**place, **row} for row in measure_power(runs, drawn)]
            ran += [{**place, "variation": v.name, "environment": parts_of(e.environment, e.plan)[0]} for v, e in runs]
    spread: list[dict[str, Any]] = [
        {"arithmetic": arithmetic, "attacks": kind, "measure": measure, **summary(values)}
        for (arithmetic, kind, measure), values in sorted(sizes.items())
    ]
    print(spread_table(spread), power_table(power), sep="\n")
    if json_path:
        setting = {"suite": suite, "images": images, "picked": picked, "subsets": subsets, "seed": seed}
        document = {"benchmark": "leaderboard tolerance", "circumstances": run_by, "setting": setting}
        write_json(json_path, {**document, "runs": ran, "spread": spread, "power": power, "by_attack": by_attack})
    if readme:
        write_section(readme, "spread", "tolerance.py", spread_table(spread))
        write_section(readme, "power", "tolerance.py", power_table(power))


if __name__ == "__main__":
    run_script(main)
