"""Attacks by name: `<step>-<aggregator>`."""

from collections.abc import Sequence
from typing import Any

from mtlattack.attacks.aggregators import create_aggregator, list_aggregators
from mtlattack.attacks.attack import Attack
from mtlattack.attacks.steps import create_step, list_steps
from mtlattack.attacks.threat import Threat
from mtlattack.errors import UnknownNameError
from mtlattack.registry import match_names


def create_attack(
    name: str,
    *,
    eps: float,
    norm: str = "linf",
    seed: int = 0,
    steps: int | None = None,
    step_size: float | None = None,
    restarts: int | None = None,
    **options: Any,
) -> Attack:
    """The attack called `name`, e.g. `create_attack("apgd-dgba", eps=8/255, steps=20)`.

    `eps` and `step_size` are in image units ([0, 1] for a pixel). None means the step rule's default: 20 steps, one
    start, and its own step size. UnknownNameError with the nearest name for an unknown one, InputError for a value
    out of range or an option that the step rule does not take (fgsm takes none).
    """
    kind, _, aggregator = name.partition("-")
    task = name.partition(":")[2]
    if kind not in list_steps() or aggregator not in list_aggregators(tasks=[task] if task else []):
        raise UnknownNameError("attack", name, list_attacks(tasks=[task] if task else None))
    options |= {"steps": steps, "step_size": step_size, "restarts": restarts}
    given = {option: value for option, value in options.items() if value is not None}
    return Attack(Threat(norm, eps), create_aggregator(aggregator), create_step(kind, **given), seed)


def list_attacks(pattern: str = "*", tasks: Sequence[str] | None = None) -> list[str]:
    """Names that match a glob, for a model with these tasks (all registered ones by default)."""
    names = [f"{step}-{aggregator}" for step in list_steps() for aggregator in list_aggregators(tasks=tasks)]
    return match_names(names, pattern)
