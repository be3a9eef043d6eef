"""Whether `decay` is the better step rule for the suites than `apgd`: both on every shipped network; see README.md.

The same images and as many backward passes; each network's evidence goes to a file of its own under --work, and what is
there is read. Differences are paired over images, and their means over networks are of a hierarchical bootstrap.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from mtlattack.attacks import create_attack
from mtlattack.cli.script import run_script
from mtlattack.epsilon import in_image_units
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json
from mtlattack.models import list_models
from mtlattack.studies.nested import effect
from mtlattack.studies.networks import load
from mtlattack.studies.strength import MEASURES, attacked, stronger

NEW, OLD = "decay", "apgd"


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    models: Annotated[str, typer.Option(help="Glob over the zoo.")] = "*-resnet10t.*",
    images: Annotated[int, typer.Option(min=1, help="Of each network's test split, spread over it.")] = 8,
    passes: Annotated[list[int], typer.Option(help="Backward passes an image; repeatable.")] = [20, 100],  # noqa: B006
    aggregators: Annotated[list[str], typer.Option(help="What is climbed; repeatable.")] = ["dgba", "total"],  # noqa: B006
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """By how much `decay` is stronger than `apgd`, by every measure."""
    names = list_models(models)
    if not names:
        raise InputError(f"no shipped model matches {models!r}")
    measured = {name: _measure(name, images, passes, aggregators, eps, work) for name in names}
    rows: list[dict[str, Any]] = []
    for aggregator in aggregators:
        for count in passes:
            pair = [f"{rule}-{aggregator}-{count}" for rule in (NEW, OLD)]
            row: dict[str, Any] = {"aggregator": aggregator, "passes": count}
            for measure in MEASURES:
                by_model = [stronger(numbers, *pair, measure) for numbers in measured.values()]
                row[measure] = {
                    "mean": vars(effect(by_model)),
                    "by_model": {name: float(values[0]) for name, values in zip(measured, by_model, strict=True)},
                }
            rows.append(row)
            cells = [str(effect([stronger(numbers, *pair, m) for numbers in measured.values()])) for m in MEASURES]
            print(f"| `{aggregator}` | {count} | {' | '.join(cells)} |")
    if json_path:
        write_json(
            json_path,
            {
                "benchmark": "registry/rules",
                "circumstances": measured_on(torch.device("cpu")),
                "images": images,
                "eps_255": eps,
                "difference": f"{NEW} − {OLD}, positive is stronger",
                "rows": rows,
            },
        )


def _measure(name: str, images: int, passes: list[int], aggregators: list[str], eps: float, work: Path) -> Any:
    model, data = load(name, images)
    attacks = {
        f"{rule}-{aggregator}-{count}": create_attack(
            f"{rule}-{aggregator}", eps=in_image_units(eps, "linf"), steps=count
        )
        for aggregator in aggregators
        for count in passes
        for rule in (NEW, OLD)
    }
    print(name, flush=True)
    return attacked(model, data, attacks, work / "-".join(map(str, passes)) / name, name)


if __name__ == "__main__":
    run_script(main)
