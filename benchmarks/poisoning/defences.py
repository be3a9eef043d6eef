"""Damage against budget, with and without each defence, and how often the correlation alarm is false.

python benchmarks/poisoning/defences.py --from FOLDER

On landmine (classes) and sarcos (numbers): PATOM, direct and indirect, three splits, 30 iterations.
Cells lie in --out and go on where they were; `defences-<data>.json` and `.png` beside this script are what came of it.
"""

import argparse
import json
import shutil
from pathlib import Path

from mtlattack.files import write_json
from mtlattack.poisoning import Method
from mtlattack.poisoning.defences import FILTERS
from mtlattack.poisoning.experiment import ALARM, RESULT, Plan, digest_of, run_experiment
from mtlattack.poisoning.sources import read_tasks

HERE = Path(__file__).parent
DATA = ("landmine", "sarcos")
BUDGETS, SEEDS, ITERATIONS = [0.05, 0.2, 0.4], [1, 2, 3], 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder with the published files")
    parser.add_argument("--out", type=Path, default=Path("poisonings"))
    options = parser.parse_args()
    for name in DATA:
        tasks = read_tasks(name, options.source)
        plan = Plan(
            data=name, digest=digest_of(tasks), seeds=SEEDS, budgets=BUDGETS, iterations=ITERATIONS,
            methods=[Method.PATOM], defences=[*FILTERS.names(), ALARM],
        )  # fmt: skip
        folder = options.out / f"defences-{name}"
        run_experiment(plan, tasks, folder)
        stored = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        write_json(HERE / f"defences-{name}.json", {key: stored[key] for key in ("versions", "plan", "kind", "rows")})
        shutil.copyfile(folder / "budgets.png", HERE / f"defences-{name}.png")


if __name__ == "__main__":
    main()
