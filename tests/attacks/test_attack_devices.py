"""Attacks on another device than the CPU, without one: shapes alone are computed, and no operation may mix devices."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from attack_toys import ToyNet, few, toy_batch
from device_toys import META, MixedDevicesError, OneDevice
from torch import Tensor

from mtlattack.attacks import (
    ComposedAttack,
    FittedUniversal,
    Standard,
    Threat,
    UniversalAttack,
    create_aggregator,
    create_attack,
)
from mtlattack.attacks.aggregators import GramAggregator, list_aggregators
from mtlattack.attacks.aggregators.program import ProgramAggregator
from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.balls import BALLS, Ball
from mtlattack.attacks.criteria import list_criteria
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.standalone import ATTACKS, follows_aggregator
from mtlattack.attacks.steps import list_steps
from mtlattack.attacks.steps.pgd import PGD

EPS = {"linf": 0.1, "l2": 0.5, "l1": 1.5, "l0": 4, "patch": 0.2}
BATCH, SIZE = 3, 6


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks at the values of images before an attack starts: there are none."""
    monkeypatch.setattr("mtlattack.attacks.posing.check_images", lambda images: None)
    monkeypatch.setattr("mtlattack.attacks.threat.check_levels", lambda images: None)


def elsewhere() -> tuple[ToyNet, Tensor, dict[str, Tensor]]:
    """Model, images and targets on the device."""
    images, targets = toy_batch(BATCH, SIZE)
    return ToyNet().to(META), images.to(META), {name: target.to(META) for name, target in targets.items()}


def run(attack: Attack, search: bool = False) -> None:
    """All that it gives is on the device and of the right shape; nothing on the way was anywhere else."""
    model, images, targets = elsewhere()
    with OneDevice():
        result: Result = attack.run(model, images, targets, search=ToyNet().to(META) if search else None)
    assert (result.images.device, result.images.shape, result.images.dtype) == (META, images.shape, torch.float32)
    assert {(noted.device, tuple(noted.shape)) for noted in result.diagnostics.values()} <= {(META, (BATCH,))}


def made(name: str, norm: str = "linf", **options: Any) -> Attack:
    return create_attack(name, norm=norm, eps=EPS[norm], **options)


def some(names: Iterable[str], quick: Container[str]) -> list[Any]:
    """All of them; but for a few each takes a second, and is run apart."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("aggregator", some(["dgba", "signsum"], ["dgba"]))
@pytest.mark.parametrize("step", list_steps())
def test_every_step_rule(step: str, aggregator: str) -> None:
    name = f"{step}-{aggregator}"
    run(made(name, **few(name, steps=2, restarts=2)))


@pytest.mark.parametrize(
    "aggregator", some(list_aggregators(tasks=["depth"]), ["signsum", "mgda", "relative", "sparse"])
)
def test_every_aggregator(aggregator: str) -> None:
    """Under `apgd`, which asks one for directions and for scores."""
    # Shapes are computed in Python, and a program or a Gram matrix takes thousands of them a step.
    slow = isinstance(create_aggregator(aggregator), ProgramAggregator | GramAggregator) and aggregator != "ta-moo"
    name = f"apgd-{aggregator}"
    run(made(name, **few(name, steps=1 if slow else 2)))


@pytest.mark.parametrize("norm", sorted(BALLS))
@pytest.mark.parametrize(
    "name", some(["pgd-dgba", "apgd-dgba", "decay-signsum", "noise-dgba", "mim-dgba"], ["apgd-dgba"])
)
def test_every_norm(name: str, norm: str) -> None:
    options = {} if name.startswith("noise") else {"steps": 2}
    run(made(name, norm, **options))


def test_an_integer_program_for_a_number_of_pixels() -> None:
    run(made("pgd-sparse", "l0", steps=1))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("norm", sorted(BALLS))
def test_8_bit_images(norm: str) -> None:
    run(made("apgd-dgba", norm, steps=3, quantized=True))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("attack", ["pgd-dgba", "apgd-signsum", "dim-relative"])
@pytest.mark.parametrize("criterion", list_criteria())
def test_every_criterion(criterion: str, attack: str) -> None:
    run(made(f"{attack}+{criterion}", steps=2))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["pgd-dgba", "apgd-dgba", "apgd-minmax", "decay-relative", "pgd-feature", "dim-dgba"])
def test_a_search_model(name: str) -> None:
    run(made(name, steps=3), search=True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", ATTACKS.names("*"))
def test_every_attack_with_a_loop_of_its_own(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short = tuple(replace(member, options=dict(member.options) | {"steps": 2}) for member in Standard.composition)
    monkeypatch.setattr(Standard, "composition", short)
    names = [f"{kind}-{name}" for name in ("dgba", "signsum")] if follows_aggregator(kind) else [kind]
    for name in names:
        attack = made(name, **({"steps": 2} if kind in ("auto-saga", "minimal") else {}))
        run(fitted(attack) if isinstance(attack, UniversalAttack) else attack)


@pytest.mark.parametrize("name", ["universal-dgba", "universal-feature"])
def test_a_universal_perturbation_in_l2(name: str) -> None:
    attack = made(name, "l2", epochs=2)
    assert isinstance(attack, UniversalAttack)
    run(fitted(attack))


def fitted(attack: UniversalAttack) -> FittedUniversal:
    model, images, targets = elsewhere()
    with OneDevice():
        result = replace(attack, epochs=2).fit(model, [(images, targets), (images, targets)], search=ToyNet().to(META))
    assert result.delta.device == META
    return result


def test_targets_may_come_from_the_host() -> None:
    model, images, _ = elsewhere()
    targets: Mapping[str, Tensor] = toy_batch(BATCH, SIZE)[1]
    with OneDevice():
        assert made("apgd-dgba", steps=3)(model, images, targets).device == META


# --- that a fault is seen


@dataclass(frozen=True, kw_only=True)
class Faulty(PGD):
    """PGD that does something to every gradient."""

    kind: ClassVar[str] = "faulty"
    fault: Callable[[Tensor], Tensor] = staticmethod(lambda gradient: gradient)

    def velocity(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        return self.fault(gradient)


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda g: g + torch.zeros(3, 1, 1),
    "where": lambda g: torch.where(g > 0, g, torch.zeros(g.shape)),
    "convolution": lambda g: F.conv2d(g, torch.ones(3, 3, 1, 1)),
    "matrix product": lambda g: g @ torch.eye(SIZE),
    "gather": lambda g: g.gather(1, torch.zeros(g.shape, dtype=torch.long)),
    "scatter": lambda g: g.scatter(1, torch.zeros(g.shape, dtype=torch.long), g),
    "system": lambda g: torch.linalg.solve_ex(torch.eye(SIZE), g)[0],
    "stack": lambda g: torch.stack([g.sum(), torch.zeros(())]).sum() + g,
    "in place": lambda g: torch.zeros(g.shape).add_(g),
    "pick": lambda g: torch.zeros(g.shape)[g.argmax(1).clamp_max(0)].amax(1),
}
WITHOUT_FAULT: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda g: g,
    "a number on the host": lambda g: torch.where(g > 0, g * torch.ones(()), torch.zeros(())),
    "places given on the host": lambda g: g[:, [2, 1, 0]],
    "moved": lambda g: g + torch.zeros(3, 1, 1).to(g),
}


def faulty(fault: Callable[[Tensor], Tensor]) -> ComposedAttack:
    step = Faulty(steps=2, fault=fault)
    return ComposedAttack(threat=Threat("linf", 0.1), aggregator=create_aggregator("dgba"), step=step)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name: str) -> None:
    with pytest.raises(MixedDevicesError):
        run(faulty(FAULTS[name]))


@pytest.mark.parametrize("name", WITHOUT_FAULT)
def test_what_is_no_fault_is_none(name: str) -> None:
    run(faulty(WITHOUT_FAULT[name]))


def test_a_fault_in_a_backward_pass_is_seen() -> None:
    class Crooked(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return super().forward(_Crooked.apply(images))

    _, images, targets = elsewhere()
    with OneDevice(), pytest.raises(MixedDevicesError):
        made("fgsm-dgba")(Crooked().to(META), images, targets)


class _Crooked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * torch.ones(3, 1, 1)


def test_a_result_on_the_host_is_seen() -> None:
    class Leaving(PGD):
        def run(self, objective: Objective, ball: Ball, noise: Noise) -> Tensor:
            return torch.zeros(super().run(objective, ball, noise).shape)

    attack = ComposedAttack(threat=Threat("linf", 0.1), aggregator=create_aggregator("dgba"), step=Leaving(steps=1))
    with pytest.raises(AssertionError):
        run(attack)
