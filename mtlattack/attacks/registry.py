"""Attacks by name: `<step>-<aggregator>`, or `<step>-<aggregator>+<criterion>`."""

from collections.abc import Sequence
from typing import Any

from mtlattack.attacks.aggregators import aggregator_options, create_aggregator, list_aggregators
from mtlattack.attacks.attack import Attack
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.criteria import create_criterion, list_criteria
from mtlattack.attacks.steps import create_step, list_steps, step_options
from mtlattack.attacks.threat import Threat
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import match_names


def create_attack(
    name: str,
    *,
    eps: float,
    norm: str = "linf",
    seed: int = 0,
    **options: Any,
) -> Attack:
    """The attack called `name`, e.g. `create_attack("apgd-dgba", eps=8/255, steps=20)`.

    `eps` and the option `step_size` are in image units ([0, 1] for a pixel). Options go to the step rule or the
    aggregator that has a field of this name; None means the default: 20 steps, one start, a step size of the rule's
    own. UnknownNameError with the nearest name for an unknown one, InputError for a value out of range or an option
    that neither takes.
    """
    plain, plus, criterion = name.partition("+")
    kind, _, aggregator = plain.partition("-")
    task = plain.partition(":")[2]
    if kind not in list_steps() or aggregator not in list_aggregators(tasks=[task] if task else []):
        raise UnknownNameError("attack", name, list_attacks(tasks=[task] if task else None))
    given = {option: value for option, value in options.items() if value is not None}
    of_step, of_aggregator = step_options(kind), aggregator_options(aggregator.partition(":")[0])
    for option in given:
        if option not in (*of_step, *of_aggregator):
            known = ", ".join((*of_step, *of_aggregator)) or "none"
            raise InputError(f"{plain} takes no option {option!r}; it takes: {known}")
    return ComposedAttack(
        threat=Threat(norm, eps),
        seed=seed,
        aggregator=create_aggregator(aggregator, **{o: v for o, v in given.items() if o in of_aggregator}),
        step=create_step(kind, **{o: v for o, v in given.items() if o in of_step}),
        criterion=create_criterion(criterion) if plus else None,
    )


def list_attacks(pattern: str = "*", tasks: Sequence[str] | None = None) -> list[str]:
    """Names that match a glob, for a model with these tasks (all registered ones by default).

    Criteria are named only where the glob does: `apgd-*+cospgd`.
    """
    plain, plus, criterion = pattern.partition("+")
    names = [f"{step}-{aggregator}" for step in list_steps() for aggregator in list_aggregators(tasks=tasks)]
    found = match_names(names, plain)
    return [f"{name}+{kind}" for name in found for kind in list_criteria(criterion)] if plus else found
