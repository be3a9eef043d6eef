"""`mtlattack run`: attack a model, print what each task lost, keep record and evidence."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mtlattack.analysis.tables import render, width_for
from mtlattack.attacks import Attack, UniversalAttack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.epsilon import parse_epsilons
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import Suite, evaluate, load_suite
from mtlattack.files import write_whole
from mtlattack.models import resolve_model
from mtlattack.schemas import validate
from mtlattack.tasks import TaskMap

# Universal perturbations are fitted on so many.
_FITTING_IMAGES = 256


def run(
    suite: Annotated[str, typer.Argument(help="Suite by name, or a TOML file.")] = "quick",
    model: Annotated[str | None, typer.Option(help="Zoo name, .safetensors file, or module:factory.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights for module:factory.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set by name, or a prepared .h5 file.")] = None,
    attacks: Annotated[str | None, typer.Option(help="Names or globs, comma-separated; none: clean only.")] = None,
    eps: Annotated[
        str | None, typer.Option(help="Comma-separated; l_inf in levels of 255, others as they are.")
    ] = None,
    norm: Annotated[str | None, typer.Option(help="Of the threat: linf, l2, l1, l0 or patch.")] = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="8-bit images stay 8-bit under attack.")] = False,
    every: Annotated[int | None, typer.Option(help="Only every so many-th image.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images, of these.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images at a time.")] = None,
    precision: Annotated[str, typer.Option(help="Of the gradients: float32, bfloat16 or auto.")] = "float32",
    cuda_graphs: Annotated[
        bool, typer.Option("--cuda-graphs", help="Replay passes as CUDA graphs where that is faster.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the random starts.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/<suite>-<model>.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop what an earlier run left in the folder.")] = False,
) -> None:
    """Attack a model and print how much each task lost. A run that was stopped goes on where it was."""
    changes: dict[str, Any] = {
        "attacks": None if attacks is None else _names(attacks),
        "eps": None if eps is None else parse_epsilons(eps),
        "norm": norm,
        "quantize": quantize or None,
        "every": every,
        "limit": limit,
        "batch_size": batch_size,
        "seed": seed,
    }
    chosen, overrides = override(load_suite(suite), changes)
    reference = model or (str(checkpoint) if checkpoint else chosen.model)
    if reference is None:
        raise InputError(f"suite {chosen.name!r} names no model; give one with --model")
    network, name = resolve_model(reference, checkpoint if model else None)
    images = load_dataset(
        data or chosen.data,
        chosen.split,
        tasks=network.tasks,  # type: ignore[arg-type]
        limit=chosen.limit,
        every=chosen.every,
    )
    folder = out or Path("runs") / re.sub(r"[^\w.-]+", "_", f"{chosen.name}-{name}")
    attack_list = chosen.create_attacks(network.tasks)  # type: ignore[arg-type]
    evidence = evaluate(
        network,  # type: ignore[arg-type]
        images,
        attack_list,
        fit_data=_images_to_fit_on(attack_list, data or chosen.data, network.tasks),  # type: ignore[arg-type]
        path=folder / "evidence.h5",
        name=name,
        suite={"name": chosen.name, "version": chosen.version, "sha256": chosen.sha256, "overrides": overrides},
        precision=precision,  # type: ignore[arg-type]
        cuda_graphs=cuda_graphs,
        batch_size=chosen.batch_size,
        device=device,
        seed=chosen.seed,
        fresh=fresh,
    )
    report = evidence.report()
    write_whole(folder / "record.json", report.record.model_dump_json(indent=1) + "\n")
    width = None if Console().is_terminal else max(width_for(report.record), Console().width)
    console = Console(width=width, highlight=False)
    console.print(render(report.record))
    console.print(f"{folder}/record.json, {folder}/evidence.h5", soft_wrap=True)


def _images_to_fit_on(attacks: list[Attack], data: str, tasks: TaskMap) -> PreparedDataset | None:
    """The first images of the `train` split, if an attack has to be fitted and there is this split."""
    if not any(isinstance(attack, UniversalAttack) for attack in attacks):
        return None
    try:
        return load_dataset(data, "train", tasks=tasks, limit=_FITTING_IMAGES)
    except UnknownNameError:
        return None


def override(suite: Suite, changes: dict[str, Any]) -> tuple[Suite, dict[str, Any]]:
    """The suite with what the user asked for otherwise, and these changes alone; InputError for a wrong value."""
    wanted = {key: value for key, value in changes.items() if value is not None and value != getattr(suite, key)}
    return validate(Suite, suite.model_dump() | wanted), wanted


def _names(text: str) -> list[str]:
    return [] if text == "none" else [part.strip() for part in text.split(",") if part.strip()]
