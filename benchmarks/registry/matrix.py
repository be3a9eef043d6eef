"""Every attack of the registry at equal backward passes; see README.md beside it.

Each attack's evidence goes to a file of its own under --work: what is there is read, what is not is made. Several
processes may share the folder if their --attacks are disjoint; a last one over all makes the JSON.
"""

import fnmatch
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import contestants
import typer
from strength import REFERENCE, strengths

from mtlattack.attacks import Attack, ComposedAttack
from mtlattack.cli.script import run_script
from mtlattack.data import load_dataset
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import measured_on
from mtlattack.evidence import Evidence
from mtlattack.files import write_json
from mtlattack.models import create_model

Choose = Callable[[Sequence[str], int, float, int], Iterator[ComposedAttack]]
SETS: dict[str, Choose] = {"matrix": contestants.matrix, "steps": contestants.steps}


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    model: Annotated[str, typer.Option(help="Zoo model.")],
    data: Annotated[str, typer.Option(help="Data set by name, or a prepared file.")] = "rooms",
    split: Annotated[str, typer.Option(help="Split of the data.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many images.")] = 64,
    which: Annotated[str, typer.Option(help="matrix or steps.")] = "matrix",
    only: Annotated[list[str], typer.Option(help="Globs over attack names; repeatable.")] = ["*"],  # noqa: B006
    skip: Annotated[list[str], typer.Option(help="Globs over attack names; repeatable.")] = [],  # noqa: B006
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    budget: Annotated[int, typer.Option(min=1, help="Backward passes an image.")] = 60,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of the attacks.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Attack one model with everything there is."""
    if which not in SETS:
        raise InputError(f"--which {which!r}, expected one of: {', '.join(SETS)}")
    network = create_model(model)
    images = load_dataset(data, split, tasks=network.tasks, limit=limit)
    attacks = {
        attack.name: attack
        for attack in SETS[which](list(network.tasks), budget, eps / 255, seed)
        if any(fnmatch.fnmatch(attack.name, glob) for glob in only)
        and not any(fnmatch.fnmatch(attack.name, glob) for glob in skip)
    }
    folder = work / f"{model}-{split}-eps{eps:g}-budget{budget}"

    def evidence_of(attack: Attack) -> Evidence:
        path = folder / f"{attack.name.replace(':', '_')}.h5"
        return evaluate(network, images, [attack], path=path, name=model, batch_size=batch_size, seed=seed)  # type: ignore[arg-type]

    evidence = {}
    for name, attack in attacks.items():
        evidence[name] = evidence_of(attack)
        print(model, name, f"{evidence[name].attacked[0].seconds.sum():.1f} s", file=sys.stderr, flush=True)
    if json_path and evidence:
        first = next(iter(evidence.values()))
        document = {
            "benchmark": f"registry/{which}",
            "circumstances": {**measured_on(choose_device()), "load": os.getloadavg()[0]},
            "model": first.plan["model"],
            "data": first.plan["data"],
            "eps_255": eps,
            "backward_passes": budget,
            "seed": seed,
            "reference": REFERENCE,
            "attacks": strengths(evidence),
        }
        write_json(json_path, document)


if __name__ == "__main__":
    run_script(main)
