"""The passes that an attack spends on a network that ships: exactly K forwards and K backwards, images alone."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any, Self
from unittest.mock import patch

import pytest
import torch
from dispatch_toys import Watching
from torch import Tensor, nn

from mtlattack.attacks import create_attack
from mtlattack.attacks.aggregators import LinearAggregator, create_aggregator, list_aggregators
from mtlattack.models import MultiTaskNetwork, create_model, lower_precision, prepare_for_attack
from mtlattack.tasks import Segmentation

K, T = 3, 5
LINEAR, OTHERS = [], []
# No pass of `feature` and `fia` is a call of the model: see their own tests.
for _name in sorted(set(list_aggregators(tasks=["depth", "normals"])) - {"feature", "fia"}):
    (LINEAR if isinstance(create_aggregator(_name), LinearAggregator) else OTHERS).append(_name)


@cache
def network() -> MultiTaskNetwork:
    return create_model("rooms-resnet10t.shared")


@cache
def batch() -> tuple[Tensor, dict[str, Tensor]]:
    """Two images of noise, with targets of noise for the network's five tasks."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 32, 32, generator=generator)
    targets = {}
    for name, task in network().tasks.items():
        shape = (2, *task.target_channels, 32, 32)
        is_segmentation = isinstance(task, Segmentation)
        targets[name] = (
            torch.randint(0, task.channels, shape, generator=generator)
            if is_segmentation
            else 0.1 + torch.rand(shape, generator=generator)
        )
    return images, targets


@cache
def prepared() -> tuple[nn.Module, nn.Module]:
    """The network's copy that is attacked and the one that searches, made once: attacks leave them as they were."""
    model = prepare_for_attack(network(), batch()[0])
    return model, lower_precision(model)


class Counter:
    """Inside, counts passes through a module; its parameters must need no gradient while it runs, nor be given one."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.forwards, self.backwards, self.made = model, 0, 0, 0

    def __enter__(self) -> Self:
        self.hooks = [self.model.register_forward_pre_hook(self._before)]
        self.hooks += [p.register_hook(self._count_made) for p in self.model.parameters() if p.requires_grad]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _before(self, model: nn.Module, taken: tuple[Tensor]) -> None:
        self.forwards += 1
        assert not model.training and not any(p.requires_grad for p in model.parameters())
        if taken[0].requires_grad:
            taken[0].register_hook(self._count_backward)

    def _count_backward(self, gradient: Tensor) -> None:
        self.backwards += 1

    def _count_made(self, gradient: Tensor) -> None:
        self.made += 1


class Masks:
    """Which gradients each convolution's backward pass computes: those of its (input, weight, bias).

    Watches while torch goes backwards and no longer: what an aggregator solves takes a hundred thousand operations.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[bool, ...]] = []

    def __enter__(self) -> Self:
        self._patches = ExitStack()
        for way in ("grad", "backward"):
            self._patches.enter_context(patch.object(torch.autograd, way, self._watched(getattr(torch.autograd, way))))
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def _watched(self, go: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            with _Convolutions(self.seen):
                return go(*args, **kwargs)

        return watched


class _Convolutions(Watching):
    def __init__(self, seen: list[tuple[bool, ...]]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.seen.append(tuple(args[-1]))
        return func(*args, **(kwargs or {}))


def spend(attack: str, *models: nn.Module, **options: int) -> tuple[list[tuple[int, int]], int]:
    """Forward and backward passes of the model that is attacked and, if there is one, of the one that searches; and the
    backward passes through single convolutions, none of which gives a weight its gradient."""
    images, targets = batch()
    flags = [[p.requires_grad for p in model.parameters()] for model in models]
    with ExitStack() as stack:
        counters = [stack.enter_context(Counter(model)) for model in models]
        masks = stack.enter_context(Masks())
        search = models[1] if len(models) > 1 else None
        create_attack(attack, eps=8 / 255, steps=K, **options)(models[0], images, targets, search=search)
    assert [[p.requires_grad for p in model.parameters()] for model in models] == flags
    for model, counter in zip(models, counters, strict=True):
        assert counter.made == 0 and all(p.grad is None for p in model.parameters())
    assert set(masks.seen) == {(True, False, False)}
    return [(counter.forwards, counter.backwards) for counter in counters], len(masks.seen)


def convolutions(module: nn.Module) -> int:
    return sum(isinstance(part, nn.Conv2d) for part in module.modules())


def test_the_registry_has_aggregators_of_both_kinds() -> None:
    assert {"total", "dgba", "single:depth"} <= set(LINEAR) and "signsum" in OTHERS


def test_the_counters_see_what_they_are_to_see() -> None:
    """A plain backward pass gives every parameter of the network a gradient."""
    model, (images, _) = create_model("rooms-resnet10t.shared"), batch()
    made = []
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: made.append(1))
    with Masks() as masks:
        sum(value.mean() for value in model(images).values()).backward()
    assert len(made) == len(list(model.parameters())) and all(mask[1] for mask in masks.seen)
    assert len(masks.seen) == convolutions(model) and len(model.tasks) == T


@pytest.mark.sampled(3)
@pytest.mark.parametrize("aggregator", LINEAR)
def test_linear_aggregators_spend_k_forwards_and_k_backwards(aggregator: str) -> None:
    heads = network().heads
    followed = create_aggregator(aggregator).tasks(list(heads))
    more = create_aggregator(aggregator).relative_to_clean  # one pass for the clean losses
    touched = convolutions(network()) - sum(convolutions(heads[name]) for name in heads if name not in followed)
    assert spend(f"pgd-{aggregator}", network()) == ([(K + more, K)], K * touched)
    assert spend(f"apgd-{aggregator}", network()) == ([(K + 1 + more, K)], K * touched)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("aggregator", OTHERS)
def test_other_aggregators_spend_t_backwards_a_step(aggregator: str) -> None:
    more = create_aggregator(aggregator).relative_to_clean
    assert spend(f"pgd-{aggregator}", network())[0] == [(K + more, K * T)]
    assert spend(f"apgd-{aggregator}", network())[0] == [(K + 1 + more, K * T)]


@pytest.mark.parametrize(
    ("step", "closing"), [("bim", 0), ("mim", 0), ("nim", 0), ("tim", 0), ("dim", 0), ("decay", 1), ("adam", 1)]
)
def test_other_step_rules_spend_k_forwards_and_k_backwards(step: str, closing: int) -> None:
    assert spend(f"{step}-dgba", network()) == ([(K + closing, K)], K * convolutions(network()))


@pytest.mark.parametrize(
    ("step", "options", "passes"),
    [("sim", {"copies": 2}, 2 * K), ("bsr", {"copies": 2}, 2 * K), ("vmi", {"neighbours": 2}, 3 * K - 2)],
)
def test_step_rules_of_several_looks_spend_a_pass_each(step: str, options: dict[str, int], passes: int) -> None:
    assert spend(f"{step}-dgba", network(), **options) == ([(passes, passes)], passes * convolutions(network()))


@pytest.mark.parametrize(("name", "options"), [("square", {"steps": K}), ("noise", {"restarts": K + 1})])
def test_black_boxes_spend_forwards_alone(name: str, options: dict[str, int]) -> None:
    images, targets = batch()
    with Counter(network()) as counter, Masks() as masks:
        create_attack(f"{name}-dgba", eps=8 / 255, **options)(network(), images, targets)
    assert (counter.forwards, counter.backwards, masks.seen) == (K + 1, 0, [])


@pytest.mark.parametrize("aggregator", [*LINEAR, *OTHERS])
@pytest.mark.slow
def test_prepared_copies_spend_the_same(aggregator: str) -> None:
    (model, search), backwards = prepared(), K * (1 if aggregator in LINEAR else T)
    more = create_aggregator(aggregator).relative_to_clean
    assert spend(f"apgd-{aggregator}", model)[0] == [(K + 1 + more, backwards)]
    assert spend(f"apgd-{aggregator}", model, search)[0] == [(2 + more, 0), (K, backwards)]
    assert spend(f"pgd-{aggregator}", model, search)[0] == [(more, 0), (K, backwards)]
