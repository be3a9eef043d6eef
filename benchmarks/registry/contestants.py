"""Who takes part: attacks that spend the same number of backward passes."""

from collections.abc import Iterator, Sequence
from typing import Any

from mtlattack.attacks import (
    ComposedAttack,
    create_attack,
    list_aggregators,
    list_steps,
    step_options,
)

MATRIX_STEPS = ("pgd", "apgd")
# Not meant to hurt every task: one task stands for all of them.
SPARING = ("smta", "protected")
# What every step rule is tried with, and the criteria beside it.
ALL_STEPS = ("dgba", "relative")
CRITERIA = ("segpgd", "cospgd", "dlr")


def matrix(tasks: Sequence[str], budget: int, eps: float, seed: int) -> Iterator[ComposedAttack]:
    """Every aggregator under PGD and APGD, in as many steps as `budget` backward passes allow."""
    for step in MATRIX_STEPS:
        for aggregator in list_aggregators(tasks=tasks):
            kind, _, task = aggregator.partition(":")
            if kind in SPARING and task != tasks[0]:
                continue
            yield affordable(f"{step}-{aggregator}", len(tasks), budget, eps, seed)


def steps(tasks: Sequence[str], budget: int, eps: float, seed: int) -> Iterator[ComposedAttack]:
    """Every step rule, and every criterion under APGD, with two aggregators; black boxes get forward passes instead."""
    for aggregator in ALL_STEPS:
        for step in list_steps():
            yield affordable(f"{step}-{aggregator}", len(tasks), budget, eps, seed)
        for criterion in CRITERIA:
            yield affordable(f"apgd-{aggregator}+{criterion}", len(tasks), budget, eps, seed)


def affordable(name: str, num_tasks: int, budget: int, eps: float, seed: int) -> ComposedAttack:
    """The attack of this name that spends `budget` backward passes, or as near below as whole steps allow.

    An attack without gradients gets as many forward passes as others get forward and backward passes together.
    """
    step = name.partition("-")[0]
    chosen = create_attack(name, eps=eps, seed=seed)
    assert isinstance(chosen, ComposedAttack)
    if not chosen.step.uses_gradients:
        return _made(name, eps, seed, {"steps" if "steps" in step_options(step) else "restarts": 2 * budget})
    if "steps" not in step_options(step):
        return chosen
    first, second = (_made(name, eps, seed, {"steps": steps}).cost(num_tasks).backward for steps in (1, 2))
    return _made(name, eps, seed, {"steps": max(1, 1 + (budget - first) // (second - first))})


def _made(name: str, eps: float, seed: int, options: dict[str, Any]) -> ComposedAttack:
    attack = create_attack(name, eps=eps, seed=seed, **options)
    assert isinstance(attack, ComposedAttack)
    return attack
