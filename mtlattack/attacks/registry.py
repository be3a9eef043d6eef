"""Attacks by name: `<step>-<aggregator>`, `<step>-<aggregator>+<criterion>`, and those of `standalone`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtlattack.attacks import minimal, saga, standard, universal  # noqa: F401 (they register what they are)
from mtlattack.attacks.aggregators import AGGREGATORS, aggregator_options, create_aggregator, list_aggregators
from mtlattack.attacks.attack import Attack
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.criteria import create_criterion, list_criteria
from mtlattack.attacks.options import TargetError, check_known
from mtlattack.attacks.published import published_options
from mtlattack.attacks.standalone import ATTACKS, can_follow, follows_aggregator, standalone_options
from mtlattack.attacks.steps import STEPS, create_step, list_steps, step_options
from mtlattack.attacks.targets import Target
from mtlattack.attacks.threat import Threat
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.registry import match_names
from mtlattack.schemas import check_seed
from mtlattack.tasks import list_tasks


def create_attack(
    name: str,
    *,
    eps: float,
    norm: str = "linf",
    quantized: bool = False,
    seed: int = 0,
    target: Target | None = None,
    compat: str | None = None,
    **options: Any,
) -> Attack:
    """The attack called `name`, e.g. `create_attack("apgd-dgba", eps=8/255, steps=20)`.

    `eps` and the option `step_size` are in image units ([0, 1] for a pixel; see `Threat` for what `eps` counts in each
    `norm`); `quantized` keeps 8-bit images 8-bit. With a `target`, a text by task as `Task.goal` reads it
    (`target={"segmentation": "1->5", "depth": "x1.5"}`), the attack leads there and not merely away from the truth.
    `compat` names a paper whose released code's step sizes are the defaults (`published_options`): "dgba".
    Options go to the step rule or the aggregator that has a field of this name; None means the default: 20 steps, one
    start, a step size of the rule's own. UnknownNameError with the nearest name for an unknown one, InputError for a
    value out of range, an option that neither takes, or what leads to no target.
    """
    plain, plus, _ = name.partition("+")
    kind, aggregator, criterion = parts_of(name)
    if not _exists(kind, aggregator):
        task = aggregator.partition(":")[2]
        raise UnknownNameError("attack", name, list_attacks(tasks=[task] if task else None))
    own = standalone_options(kind) if kind in ATTACKS else step_options(kind)
    of_aggregator = aggregator_options(aggregator.partition(":")[0]) if aggregator else ()
    given = {option: value for option, value in options.items() if value is not None}
    check_known(plain, given, (*own, *of_aggregator))
    threat = Threat(norm, eps, quantized)
    if compat is not None:
        given = published_options(compat, kind, threat, given.get("steps")) | given
    mine = {option: value for option, value in given.items() if option in own}
    parts: dict[str, Any] = {"threat": threat, "seed": check_seed(seed)}
    if aggregator:
        parts["aggregator"] = create_aggregator(aggregator, **{o: v for o, v in given.items() if o in of_aggregator})
    if kind not in ATTACKS:
        changed = create_criterion(criterion) if plus else None
        return ComposedAttack(**parts, step=create_step(kind, **mine), criterion=changed, target=target)
    if target is not None:
        raise TargetError(f"{plain} is no step rule with an aggregator: it takes no target")
    if plus:
        raise InputError(f"{plain} is no step rule with an aggregator: it takes no criterion, {criterion!r} was given")
    return ATTACKS.get(kind)(**parts, **mine)


def list_attacks(pattern: str = "*", tasks: Sequence[str] | None = None) -> list[str]:
    """Names that match a glob, for a model with these tasks (all registered ones by default).

    Criteria are named only where the glob does: `apgd-*+cospgd`.
    """
    plain, plus, criterion = pattern.partition("+")
    aggregators = list_aggregators(tasks=tasks)
    composed = [f"{step}-{aggregator}" for step in list_steps() for aggregator in aggregators]
    if plus:
        changeable = [name for name in match_names(composed, plain) if _follows_losses(name)]
        return [f"{name}+{kind}" for name in changeable for kind in list_criteria(criterion)]
    with_aggregator = [
        f"{kind}-{name}"
        for kind in ATTACKS
        for name in aggregators
        if can_follow(kind, AGGREGATORS.get(name.partition(":")[0]))
    ]
    return match_names(
        [*composed, *with_aggregator, *(kind for kind in ATTACKS if not follows_aggregator(kind))], plain
    )


def parts_of(name: str) -> tuple[str, str, str]:
    """What an attack's name says: its step rule or the kind that it is, its aggregator, its criterion; "" for none."""
    plain, _, criterion = name.partition("+")
    kind, _, aggregator = (plain, "", "") if plain in ATTACKS else plain.partition("-")
    return kind, aggregator, criterion


def _exists(kind: str, aggregator: str) -> bool:
    """Whether there is an attack of these parts; asked without naming all that there are."""
    if kind in ATTACKS and not follows_aggregator(kind):
        return not aggregator
    plain, _, task = aggregator.partition(":")
    if aggregator not in list_aggregators(tasks=[task] if task else []):
        return False
    return kind in STEPS or kind in ATTACKS and can_follow(kind, AGGREGATORS.get(plain))


def _follows_losses(name: str) -> bool:
    """Whether a step rule with an aggregator, of this name, takes gradients of losses, which a criterion can change."""
    step, _, aggregator = name.partition("-")
    return STEPS.get(step).uses_gradients and AGGREGATORS.get(aggregator.partition(":")[0]).looks_at_tasks


def check_options(kind: str, options: Mapping[str, Any]) -> None:
    """InputError unless `kind`, a step rule, an aggregator's kind or an attack of its own, takes these options."""
    if kind in STEPS:
        create_step(kind, **options)
    elif kind in AGGREGATORS:
        needs_task = AGGREGATORS.get(kind).needs_task
        create_aggregator(f"{kind}:{list_tasks()[0]}" if needs_task else kind, **options)
    elif kind in ATTACKS:
        create_attack(f"{kind}-total" if follows_aggregator(kind) else kind, eps=0.1, **options)
    else:
        raise UnknownNameError("step rule, aggregator or attack", kind, [*STEPS, *AGGREGATORS, *ATTACKS])


def options_for(name: str, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of options by kind those of the attack called `name`: its step rule's or its own, and its aggregator's."""
    kind, aggregator, _ = parts_of(name)
    return {**options.get(kind, {}), **options.get(aggregator.partition(":")[0], {})}


def takes_steps(name: str) -> bool:
    """Whether the attack called `name` takes a number of steps; False for a name that there is not."""
    kind, _, _ = parts_of(name)
    return "steps" in (standalone_options(kind) if kind in ATTACKS else step_options(kind) if kind in STEPS else ())
