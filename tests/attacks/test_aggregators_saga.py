"""SAGA against its formula, written out in numpy for one image."""

import numpy as np
import pytest
import torch
from aggregator_toys import gradients_of, some_gradients, unit
from torch import Tensor

from mtlattack.attacks import create_aggregator


def climb(gradients: list[Tensor], losses: list[Tensor], **options: float) -> list[Tensor]:
    """Its directions over several steps of one climb, `[B, N]` each."""
    aggregator, memory = create_aggregator("saga", **options), {}
    return [
        aggregator.direction(gradients_of(g, loss, memory)).flatten(1)
        for g, loss in zip(gradients, losses, strict=True)
    ]


def three_steps(tasks: int = 3) -> tuple[list[Tensor], list[Tensor]]:
    gradients = [
        some_gradients(tasks, size=size).flatten(2)[:, :, :48].reshape(6, tasks, 3, 4, 4) for size in (4, 5, 6)
    ]
    return gradients, [torch.full((6, tasks), value) for value in (1.0, 2.0, 0.5)]


@pytest.mark.parametrize(("rate", "sharpness"), [(0.1, 1.0), (2.0, 0.3), (0.5, 50.0)])
def test_against_the_formula(rate, sharpness):
    gradients, losses = three_steps()
    found = climb(gradients, losses, rate=rate, sharpness=sharpness)
    for i in range(6):
        attention = np.ones((3, 48))
        before = u = None
        for step in range(3):
            g = gradients[step][i].flatten(1).double().numpy() / losses[step][i].double().numpy()[:, None]
            g = g / np.abs(g).mean()
            if before is not None:
                attention += rate * g.sum(0) * before / np.cosh(np.minimum(sharpness * np.abs(u), 300)) ** 2
            before, u = g, (attention * g).sum(0)
            assert np.allclose(found[step][i].numpy(), u, rtol=1e-4, atol=1e-5)


def test_without_attention_it_follows_the_relative_gradients():
    gradients, losses = three_steps()
    for step, direction in enumerate(climb(gradients, losses, rate=0.0)):
        expected = (gradients[step] / losses[step][:, :, None, None, None]).sum(1).flatten(1)
        assert torch.allclose(unit(direction), unit(expected), atol=1e-5)


def test_attention_changes_the_direction():
    gradients, losses = three_steps()
    first, second, _ = climb(gradients, losses)
    plain = climb(gradients, losses, rate=0.0)
    assert torch.equal(first, plain[0]) and not torch.allclose(unit(second), unit(plain[1]), atol=0.01)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e8, 1e34])
def test_the_scale_of_all_losses_is_not_felt(scale):
    gradients, losses = three_steps()
    scaled = climb([scale * g for g in gradients], [max(scale, 1e-6) * loss for loss in losses])
    for found, expected in zip(scaled, climb(gradients, losses), strict=True):
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_zeros_stay_zeros():
    gradients, losses = three_steps()
    assert all((direction == 0).all() for direction in climb([0 * g for g in gradients], losses))
    gradients = [torch.cat([g[:, :2], 0 * g[:, 2:]], 1) for g in gradients]
    without = climb([g[:, :2] for g in gradients], [loss[:, :2] for loss in losses])
    found = climb(gradients, losses)
    assert all(direction.isfinite().all() for direction in found)
    assert torch.allclose(unit(found[0]), unit(without[0]), atol=1e-6)


def test_a_direction_does_not_feel_its_batch():
    gradients, losses = three_steps(5)
    together = climb(gradients, losses)
    for i in range(6):
        alone = climb([g[[i]] for g in gradients], [loss[[i]] for loss in losses])
        assert all(torch.equal(one, many[[i]]) for one, many in zip(alone, together, strict=True))
