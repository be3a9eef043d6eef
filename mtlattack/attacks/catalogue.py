"""Attacks, aggregators and step rules as lists show them: one line each."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from mtlattack.attacks.aggregators import create_aggregator, list_aggregators
from mtlattack.attacks.attack import Attack
from mtlattack.attacks.balls import BALLS
from mtlattack.attacks.capabilities import Capabilities, aggregator_capabilities, step_capabilities
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.registry import create_attack, list_attacks, parts_of, takes_steps
from mtlattack.attacks.standalone import ATTACKS
from mtlattack.attacks.steps import list_steps, step_options
from mtlattack.errors import InputError


@dataclass(frozen=True)
class Entry:
    """What a name stands for, no field but the last with a space in it.

    `norms` are those it is made for, or `any`; `passes` are forward and backward, for K steps and T tasks: `K+1,KT`.
    """

    name: str
    norms: str
    gradients: str
    targeted: str
    passes: str
    summary: str


def describe_attacks(pattern: str = "*") -> list[Entry]:
    """Every attack that matches a glob; the summary is that of its aggregator, where it is a step rule with one.

    A combination that no threat allows is left out.
    """
    entries = []
    for name in list_attacks(pattern):
        kind, aggregator, _ = parts_of(name)
        alone = ATTACKS.get(kind) if kind in ATTACKS else None
        of_aggregator = aggregator_capabilities(aggregator.partition(":")[0]) if aggregator else None
        own = (alone.norms or tuple(BALLS)) if alone else step_capabilities(kind).norms
        norms = tuple(norm for norm in own if of_aggregator is None or norm in of_aggregator.norms)
        try:
            white_box = _example(name, norms).white_box
        except InputError:
            continue
        summary = of_aggregator.summary if of_aggregator and not alone else _first_line(ATTACKS.get(kind))
        targeted = alone is None and of_aggregator is not None and of_aggregator.targeted
        found = Capabilities(norms, white_box, targeted, _attack_passes(name, norms, takes_steps(name)), summary)
        entries.append(_entry(name, found, found.passes))
    return entries


def describe_aggregators(pattern: str = "*") -> list[Entry]:
    """Every aggregator that matches a glob, with the passes of a step: `1,T`; `1(+1),1` takes one more in the first."""
    entries = []
    for name in list_aggregators(pattern):
        opening = create_aggregator(name).opening
        first, more = (f"(+{n})" if n else "" for n in (opening.forward, opening.backward))
        backward = _per_step(lambda _, tasks, name=name: create_aggregator(name).backward_passes(tasks))  # type: ignore[misc]
        found = aggregator_capabilities(name.partition(":")[0])
        entries.append(_entry(name, found, f"1{first},{backward}{more}"))
    return entries


def describe_steps(pattern: str = "*") -> list[Entry]:
    """Every step rule that matches a glob, with its passes where a gradient takes one backward pass."""
    entries = []
    for kind in list_steps(pattern):
        found = step_capabilities(kind)
        entries.append(_entry(kind, found, _attack_passes(f"{kind}-total", found.norms, "steps" in step_options(kind))))
    return entries


def _entry(name: str, found: Capabilities, passes: str) -> Entry:
    norms = "any" if set(found.norms) == set(BALLS) else ",".join(found.norms)
    gradients, targeted = ("yes" if able else "no" for able in (found.gradients, found.targeted))
    return Entry(name, norms, gradients, targeted, passes, found.summary)


def _example(name: str, norms: tuple[str, ...], steps: int | None = None) -> Attack:
    """The attack in the first norm that it is made for; an ε of 1 is one in every norm. InputError if there is none."""
    if not norms:
        raise InputError(f"{name} is made for no norm")
    return create_attack(name, eps=1, norm=norms[0], steps=steps)


def _attack_passes(name: str, norms: tuple[str, ...], steps: bool) -> str:
    def cost(count: int, tasks: int) -> Cost:
        return _example(name, norms, count if steps else None).cost(tasks)

    forward = _per_step(lambda count, tasks: cost(count, tasks).forward)
    return f"{forward},{_per_step(lambda count, tasks: cost(count, tasks).backward)}"


def _per_step(passes: Callable[[int, int], int]) -> str:
    """A number of passes in K steps on T tasks, of the form a·KT + b·K + c·T + d, as text: `KT+1`."""
    one, more_steps, more_tasks, more = (passes(k, t) for k, t in ((1, 1), (2, 1), (1, 2), (2, 2)))
    both = more - more_steps - more_tasks + one
    steps, tasks = more_steps - one - both, more_tasks - one - both
    terms = ((both, "KT"), (steps, "K"), (tasks, "T"), (one - both - steps - tasks, ""))
    texts = [f"{n:+d}"[: 1 if symbol and abs(n) == 1 else None] + symbol for n, symbol in terms if n]
    return "".join(texts).removeprefix("+") or "0"


def _first_line(attack: type[Attack]) -> str:
    return (inspect.getdoc(attack) or "").partition("\n")[0]
