"""What the parts of an attack can do and what they cost, as lists show it."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from mtlattack.attacks.aggregators import AGGREGATORS, Aggregator, create_aggregator
from mtlattack.attacks.balls import BALLS
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.steps import StepRule, create_step, step_options

_SENTENCE_END = re.compile(r"(?<!\bal)(?<!\beq)(?<!\balg)(?<!\be\.g)\.(?=\s|$)")


@dataclass(frozen=True)
class Capabilities:
    """Threat norms that a part is made for; whether it takes gradients; whether it can lead to a target; its
    forward and backward passes in words; and the first sentence of its docstring, most often with the paper.
    """

    norms: tuple[str, ...]
    gradients: bool
    targeted: bool
    passes: str
    summary: str


def step_capabilities(kind: str) -> Capabilities:
    """Of a step rule with its default options, `passes` in K steps: e.g. "K + 1 forward, K backward".

    UnknownNameError for a kind that there is not.
    """
    rule = create_step(kind)

    def cost(steps: int) -> Cost:
        return (create_step(kind, steps=steps) if "steps" in step_options(kind) else rule).cost(1)

    forward, backward = _line(lambda k: cost(k).forward, "K"), _line(lambda k: cost(k).backward, "K")
    return _capabilities(rule, rule.uses_gradients, True, f"{forward} forward, {backward} backward")


def aggregator_capabilities(kind: str) -> Capabilities:
    """Of a kind of aggregator, `passes` beside its step rule's forward passes, for T tasks: e.g. "T backward a step".

    UnknownNameError for a kind that there is not.
    """
    aggregator = create_aggregator(f"{kind}:task" if AGGREGATORS.get(kind).needs_task else kind)
    passes = f"{_line(aggregator.backward_passes, 'T')} backward a step"
    opening = aggregator.opening
    if opening.forward:
        passes += f", {opening.forward} forward{f' and {opening.backward} backward' if opening.backward else ''} a run"
    return _capabilities(aggregator, True, not aggregator.why_no_target(), passes)


def _capabilities(part: StepRule | Aggregator, gradients: bool, targeted: bool, passes: str) -> Capabilities:
    summary = _SENTENCE_END.split(" ".join((inspect.getdoc(part) or "").split()))[0]
    return Capabilities(part.norms or tuple(BALLS), gradients, targeted, passes, summary)


def _line(count: Callable[[int], int], symbol: str) -> str:
    """A count that is linear in something, as text: "2T + 1", "5T − 4"."""
    slope = count(2) - count(1)
    rest = count(1) - slope
    if not slope:
        return str(rest)
    term = symbol if slope == 1 else f"{slope}{symbol}"
    return term if not rest else f"{term} {'−' if rest < 0 else '+'} {abs(rest)}"
