"""SGM against a gradient that is written out, ghosts against theirs, and that neither is more than it says."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from evaluation_toys import tiny_network
from timm.models.resnet import BasicBlock
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models import GhostSource, SkipGradientSource, prepare_for_attack
from mtlattack.models.sources.drawing import uniform_by_content
from mtlattack.tasks import Depth, Segmentation

TASKS = {"segmentation": Segmentation(4), "depth": Depth()}


class TwoBlocks(nn.Module):
    """Depth by two residual blocks, the first with a shortcut that is a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"depth": Depth()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = BasicBlock(3, 6, downsample=nn.Conv2d(3, 6, 1))
            self.second = BasicBlock(6, 6)
        self.double().eval()

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return {"depth": self.second(self.first(images)).mean(1, keepdim=True)}


def by_hand(model: TwoBlocks, images: Tensor, gamma: float, scales: Tensor) -> Tensor:
    """The same function; a branch's gradient counts γ times, a shortcut λ times."""
    z = images
    for block, scale in zip((model.first, model.second), scales.T, strict=True):
        branch = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(z)))))
        shortcut = z if block.downsample is None else block.downsample(z)
        branch = gamma * branch + (1 - gamma) * branch.detach()
        z = F.relu(branch + scale[:, None, None, None] * shortcut)
    return z.mean(1, keepdim=True)


def gradient(values: Tensor, images: Tensor) -> Tensor:
    weights = torch.linspace(-1, 1, values.numel(), dtype=values.dtype).view_as(values)
    return torch.autograd.grad((weights * values).sum(), images, retain_graph=True)[0]


def points(batch: int = 3, size: int = 8) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_sgm_is_the_decay_of_each_branch(gamma: float) -> None:
    model, images = TwoBlocks(), points().double().requires_grad_()
    values = SkipGradientSource(model, gamma)(images)["depth"]
    expected = by_hand(model, images, gamma, torch.ones(3, 2))
    assert torch.equal(values, model(images)["depth"])
    torch.testing.assert_close(gradient(values, images), gradient(expected, images))


def test_gamma_1_and_no_spread_are_the_model_itself() -> None:
    model, images = tiny_network(TASKS), points(2, 32).requires_grad_()
    expected = model(images)
    for source in (SkipGradientSource(model, 1.0), GhostSource(model, 0.0)):
        found = source(images)
        for name in TASKS:
            assert torch.equal(found[name], expected[name])
            assert torch.equal(gradient(found[name], images), gradient(model(images)[name], images))


def test_a_ghost_scales_the_shortcuts_of_each_image_by_its_own() -> None:
    model, images = TwoBlocks().float(), points()
    scales = 1 + 0.4 * (2 * uniform_by_content(images, 2, 5) - 1)
    assert (scales[0] != scales[1]).all() and (scales - 1).abs().max() < 0.4
    found = GhostSource(model, 0.4, seed=5)
    torch.testing.assert_close(found(images)["depth"], by_hand(model, images, 1.0, scales))
    torch.testing.assert_close(found(images.flip(0))["depth"].flip(0), found(images)["depth"])
    torch.testing.assert_close(found(images[1:2])["depth"], found(images)["depth"][1:2])
    assert (found(images)["depth"] != GhostSource(model, 0.4)(images)["depth"]).any()


def test_draws_are_of_the_image_alone_and_even() -> None:
    images = points(4000, 2)
    draws = uniform_by_content(images, 4, 0)
    layout = images.contiguous(memory_format=torch.channels_last)
    order = torch.randperm(4000, generator=torch.Generator().manual_seed(2))
    assert torch.equal(uniform_by_content(layout[order], 4, 0), draws[order])
    assert ((draws >= 0) & (draws < 1)).all()
    close = torch.nextafter(images, torch.ones(()))
    pairs = [draws, uniform_by_content(images, 4, 1), uniform_by_content(close, 4, 0)]
    columns = torch.cat(pairs, 1)
    assert ((columns.mean(0) - 0.5).abs() < 0.02).all() and ((columns.var(0) - 1 / 12).abs() < 0.004).all()
    assert (torch.corrcoef(columns.T) - torch.eye(12)).abs().max() < 0.08
    for one, other in pairwise(pairs):
        assert (one != other).float().mean() > 0.99


@pytest.mark.parametrize("make", [SkipGradientSource, GhostSource])
def test_prepared_as_fast_as_the_model_which_stays_as_it_was(make: type) -> None:
    model, images = tiny_network(TASKS), points(2, 32)
    before = {name: type(part) for name, part in model.named_modules()}
    source = make(model)
    prepared = prepare_for_attack(source, images)
    assert prepared.folded == prepare_for_attack(model, images).folded
    assert before == {name: type(part) for name, part in model.named_modules()}
    image = images.requires_grad_()
    torch.testing.assert_close(
        gradient(prepared(image)["depth"], image), gradient(source(image)["depth"], image), rtol=1e-3, atol=1e-4
    )
    torch.testing.assert_close(prepared.shared_features(images), source.shared_features(images), rtol=1e-3, atol=1e-4)
    predictions, features = source.with_shared_features(images)
    assert torch.equal(features, source.shared_features(images))
    assert all(torch.equal(values, source(images)[name]) for name, values in predictions.items())
    (found,) = torch.autograd.grad(predictions["depth"].sum(), features)
    assert found.any()


def test_what_is_refused() -> None:
    plain = nn.Conv2d(3, 1, 1)
    with pytest.raises(InputError, match=r"sgm changes residual blocks, and Conv2d has none: expected a network with"):
        SkipGradientSource(plain)
    with pytest.raises(InputError, match=r"ghost changes residual blocks, and Conv2d has none"):
        GhostSource(plain)
    with pytest.raises(InputError, match=r"gamma 1.5 is outside \[0, 1\]"):
        SkipGradientSource(TwoBlocks(), 1.5)
    with pytest.raises(InputError, match=r"spread 1.0 is outside \[0, 1\)"):
        GhostSource(TwoBlocks(), 1.0)
