"""No step waits for the device: what an attack reads back is the range of its images, once."""

from typing import Any

import pytest
import torch
from attack_toys import ToyNet, few, toy_batch
from sync_toys import Waits

from mtlattack.attacks import create_aggregator, create_attack, create_step
from mtlattack.attacks.aggregators import list_aggregators
from mtlattack.attacks.steps import list_steps, step_options

MODEL = ToyNet()
# Smallest and largest pixel, read together: by these images out of range are refused.
CHECKS = 1


def waits(name: str, norm: str, search: ToyNet | None = None, eps: float = 0.1, **options: Any) -> int:
    images, targets = toy_batch(3)
    attack = create_attack(name, norm=norm, eps=eps, **options)
    with Waits() as waits:
        attack(MODEL, images, targets, search=search)
    return waits.count


# Every step rule thoroughly with two aggregators. Every aggregator with as many steps as show whether it waits: what
# some of them solve takes thousands of operations a step.
BY_STEPS = [(f"{step}-{aggregator}", norm) for step in list_steps() for aggregator in ("dgba", "signsum")
            for norm in ("linf", "l2") if norm in (create_step(step).norms or [norm])]  # fmt: skip
BY_AGGREGATORS = [(name, norm) for name in list_aggregators(tasks=["depth"]) for norm in ("linf", "l2")
                  if norm in (create_aggregator(name).norms or ["linf"])]  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("name", "norm"), BY_STEPS)
def test_a_step_rule_waits_for_its_images_range_alone(name: str, norm: str) -> None:
    for counts in ({"steps": 1, "restarts": 2}, {"steps": 4, "restarts": 1}):
        assert waits(name, norm, **few(name, **counts)) == CHECKS


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("aggregator", "norm"), BY_AGGREGATORS)
def test_an_aggregator_waits_for_its_images_range_alone(aggregator: str, norm: str) -> None:
    # Two gradients each: of two steps from one start, and of one step from two starts that keeps the best.
    for name, counts in ((f"pgd-{aggregator}", {"steps": 2}), (f"apgd-{aggregator}", {"steps": 1, "restarts": 2})):
        assert waits(name, norm, **few(name, **counts)) == CHECKS


@pytest.mark.parametrize(("norm", "eps"), [("l1", 1.5), ("l0", 4), ("patch", 0.2)])
@pytest.mark.parametrize("name", ["pgd-dgba", "apgd-dgba"])
def test_other_norms_wait_no_more(name: str, norm: str, eps: float) -> None:
    assert waits(name, norm, eps=eps, steps=3, restarts=2) == CHECKS


def test_8_bit_images_are_checked_once_more() -> None:
    assert waits("pgd-dgba", "linf", steps=1, quantized=True) == waits("pgd-dgba", "linf", steps=9, quantized=True)


@pytest.mark.parametrize("name", ["pgd-dgba", "apgd-dgba", "apgd-signsum", "dim-dgba+segpgd", "decay-dgba+cospgd"])
def test_a_search_model_adds_none(name: str) -> None:
    restarts = 2 if "restarts" in step_options(name.partition("-")[0]) else None
    assert waits(name, "linf", ToyNet(), steps=4, restarts=restarts) == CHECKS


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
        lambda x: x.masked_select(x > 0),
        lambda x: torch.where(x > 0),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: torch.equal(x, x),
        lambda x: range(3)[x.long()[0]],
        lambda x: "yes" if x[0] > 0 else "no",
    ],
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_the_counter_sees_what_waits(mode: Any, wait: Any) -> None:
    with Waits() as waits, mode():
        wait(torch.ones(3))
    assert waits.count == 1


def test_the_counter_does_not_see_what_needs_not_wait() -> None:
    with Waits() as waits:
        x = torch.ones(3, 2)
        y = torch.where(x > 0, x, 0.0).sum(1).clamp_min(1)[1:].to(torch.float64).to(x)
        y.argmax(), len(y), y.shape, x[torch.tensor([0, 1])], x[..., ::2]
    assert waits.count == 0
