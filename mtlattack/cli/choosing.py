"""What the commands that attack have in common: their options, and what these mean."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlattack import evaluation
from mtlattack.cli.index import check_attacks
from mtlattack.cli.lists import listed
from mtlattack.epsilon import doubt, parse_epsilons
from mtlattack.errors import InputError
from mtlattack.printing import complain

if TYPE_CHECKING:
    from mtlattack.evaluation import Chosen

SuiteName = Annotated[str, typer.Argument(help="Suite by name, or a TOML file.")]
ModelName = Annotated[str | None, typer.Option(help="Zoo name, .safetensors file, or module:factory.")]
Checkpoint = Annotated[Path | None, typer.Option(help="Weights for module:factory.")]
DataName = Annotated[str | None, typer.Option(help="Data set by name, or a prepared .h5 file.")]
Attacks = Annotated[str | None, typer.Option(help="Names or globs, comma-separated; none: clean only.")]
Eps = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated; l_inf in levels of 255, others as they are. Default: the suite's, or the norm's."
    ),
]
Norm = Annotated[str | None, typer.Option(help="Of the threat: linf, l2, l1, l0 or patch.")]
Quantize = Annotated[bool, typer.Option("--quantize", help="8-bit images stay 8-bit under attack.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="TASK:GOAL, once a task: segmentation:1to5, depth:x1.5, normals:y30, TASK:keep."),
]
Every = Annotated[int | None, typer.Option(help="Only every so many-th image.")]
Limit = Annotated[int | None, typer.Option(help="Only the first so many images, of these.")]
BatchSize = Annotated[str | None, typer.Option(help="Images at a time; auto: as many as the memory at hand holds.")]
SearchPrecision = Annotated[str, typer.Option(help="Of the gradients: float32, bfloat16 or auto.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the best there is.")]
Seed = Annotated[int | None, typer.Option(help="Of the random starts.")]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Start anew; what an earlier run left in the folder is kept in its before-1, before-2 …"
    ),
]


def choose(
    suite: str,
    model: str | None,
    checkpoint: Path | None,
    data: str | None,
    *,
    attacks: str | None,
    eps: str | None,
    norm: str | None,
    quantize: bool,
    target: list[str] | None = None,
    every: int | None,
    limit: int | None,
    batch_size: int | None,
    seed: int | None,
) -> "Chosen":
    """What the options of a command mean; InputError for one that means nothing."""
    names = None if attacks is None else _names(attacks)
    check_attacks(names or [])
    changes: dict[str, Any] = {
        "attacks": names,
        "eps": None if eps is None else parse_epsilons(eps),
        "norm": norm,
        "quantize": quantize or None,
        "every": every,
        "limit": limit,
        "batch_size": batch_size,
        "seed": seed,
        "target": _target(target or []) or None,
    }
    chosen = evaluation.choose(suite, model, checkpoint, data, changes)
    say_doubts(chosen.suite.eps, chosen.suite.norm)
    return chosen


def say_doubts(written: Iterable[float], norm: str) -> None:
    """A line on standard error for each written ε that may be meant otherwise."""
    for eps in written:
        if said := doubt(eps, norm):
            complain("note:", said, "yellow")


def whole(batch_size: str | None) -> int | None:
    """The batch size that an option names, None for auto or none; InputError for what is neither."""
    if batch_size is None or batch_size == "auto":
        return None
    try:
        return int(batch_size)
    except ValueError:
        raise InputError(f"--batch-size {batch_size!r}, expected a whole number or auto") from None


def size_of(batch_size: str | None, chosen: int) -> Any:
    """What `evaluate` is to take: auto, or what was chosen."""
    return "auto" if batch_size == "auto" else chosen


def _target(texts: list[str]) -> dict[str, str]:
    """Goals by task from `segmentation:1->5`, …; InputError for what is written otherwise."""
    goals: dict[str, str] = {}
    for text in texts:
        task, colon, goal = text.partition(":")
        if not (task and colon and goal):
            raise InputError(f"--target {text!r}, expected TASK:GOAL as in segmentation:1to5 or depth:x1.5")
        if task in goals:
            raise InputError(f"--target names {task} twice: {goals[task]!r} and {goal!r}")
        goals[task] = goal
    return goals


def _names(text: str) -> list[str]:
    return [] if text == "none" else listed(text, "--attacks", "none for clean only, or names")
