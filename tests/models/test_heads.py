"""Heads: what each computes, on features of every kind of backbone."""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from model_toys import TASKS, TINY, random_images, tiny_config
from torch import Tensor, nn

from mtlattack.models import create_network
from mtlattack.models.backbones import create_backbone
from mtlattack.models.heads import HEADS

VIT = {"embed_dim": 24, "depth": 4, "num_heads": 2}
# Options and output stride.
BACKBONES = {
    "resnet10t": (TINY, 8),
    "resnet18": ({}, 16),
    "resnet34": ({}, 8),
    "resnet50": ({}, 32),
    "mobilenetv2_100": ({}, 16),
    "convnext_atto": ({}, 32),
    "vit_tiny_patch16_224": (VIT, 32),
}
SIZE, ODD = (64, 96), (60, 80)
every_head = pytest.mark.parametrize("head", list(HEADS))


@cache
def features_of(name: str, size: tuple[int, int]) -> tuple[list[Tensor], list[int], list[int]]:
    """A backbone's features of two images, their channels and strides."""
    options, stride = BACKBONES[name]
    backbone = create_backbone(name, output_stride=stride, options=options)
    features, x = [], random_images(2, *size)
    with torch.no_grad():
        for stage in backbone.stages:
            features += stage.eval()(features[-1] if features else x)
    return features, backbone.channels, backbone.strides


def create_head(head: str, backbone: str = "resnet10t", size: tuple[int, int] = SIZE, outputs: int = 3):
    features, channels, strides = features_of(backbone, size)
    torch.manual_seed(0)
    return HEADS.get(head)(channels, strides, 16, outputs), features


def test_there_are_five_heads():
    assert HEADS.names() == ["aspp", "atrous", "deconv", "light", "pyramid"]


@pytest.mark.sampled(3)
@every_head
@pytest.mark.parametrize("size", [SIZE, ODD])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_head_works_on_every_backbone(head, backbone, size):
    module, features = create_head(head, backbone, size)
    inputs = [x.clone().requires_grad_() for x in features]
    prediction = module.eval()(inputs, size)
    assert prediction.shape == (2, 3, *size) and prediction.isfinite().all()
    prediction.square().mean().backward()
    assert inputs[-1].grad.isfinite().all() and inputs[-1].grad[0].any() and inputs[-1].grad[1].any()
    for name, parameter in module.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@every_head
def test_in_eval_mode_an_image_stands_alone(head):
    module, features = create_head(head)
    together = module.eval()(features, SIZE)
    for i in range(2):
        assert torch.allclose(module([x[[i]] for x in features], SIZE)[0], together[i], atol=1e-5)
        assert torch.equal(module([x[[i]] for x in features], SIZE), module([x[[i]] for x in features], SIZE))


@every_head
def test_a_batch_of_one_can_be_trained_on(head):
    module, features = create_head(head)
    module.train()([x[:1] for x in features], SIZE).sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())


@every_head
def test_a_network_takes_the_head_it_is_given(head):
    network = create_network(tiny_config(head=head)).eval()
    predictions = network(random_images(1, 33, 47))
    assert {name: x.shape for name, x in predictions.items()} == {
        name: (1, task.channels, 33, 47) for name, task in TASKS.items()
    }


def test_weights_of_the_light_head_keep_their_names():
    module, _ = create_head("light")
    assert [name for name, _ in module.named_parameters()] == [
        "reduce.weight", "reduce.bias", "lateral.weight", "lateral.bias",
        "mix.1.weight", "mix.2.weight", "mix.2.bias", "predict.0.weight", "predict.0.bias",
    ]  # fmt: skip


def test_the_atrous_head_sums_four_dilated_branches():
    module, features = create_head("atrous")
    expected = torch.zeros(2, 3, *features[-1].shape[-2:])
    for branch, rate in zip(module.eval().branches, (6, 12, 18, 24), strict=True):
        wide, mixed, out = (layer for layer in branch if isinstance(layer, nn.Conv2d))
        x = F.relu(F.conv2d(features[-1], wide.weight, wide.bias, padding=rate, dilation=rate))
        x = F.relu(F.conv2d(x, mixed.weight, mixed.bias))
        expected += F.conv2d(x, out.weight, out.bias)
    expected = F.interpolate(expected, SIZE, mode="bilinear", align_corners=False)
    assert torch.allclose(module(features, SIZE), expected, atol=1e-6)


def test_the_atrous_head_sees_exactly_its_rates():
    module = HEADS.get("atrous")([1], [1], 8, 1).eval()
    image = torch.zeros(1, 1, 61, 61, requires_grad=True)
    module([image], (61, 61))[0, 0, 30, 30].backward()
    rates = (0, 6, 12, 18, 24)
    seen = {(r * a, r * b) for r in rates for a in (-1, 0, 1) for b in (-1, 0, 1)}
    assert {(int(y) - 30, int(x) - 30) for y, x in image.grad[0, 0].nonzero()} == seen


@pytest.mark.parametrize(("stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [6, 12, 18])])
def test_the_pyramids_rates_follow_the_output_stride(stride, rates):
    module = HEADS.get("aspp")([4], [stride], 8, 3)
    dilations = [m.dilation[0] for m in module.branches.modules() if isinstance(m, nn.Conv2d)]
    assert dilations == [1, *rates]


def test_the_pyramid_sees_the_whole_image():
    module, features = create_head("aspp")
    x = [f.clone().requires_grad_() for f in features]
    module.eval()(x, SIZE)[0, :, 0, 0].square().sum().backward()
    assert x[-1].grad[0].any(0).all() and not x[-1].grad[1].any()


@pytest.mark.parametrize("backbone", ["resnet10t", "resnet50"])
def test_the_decoder_grows_to_the_image_by_itself(backbone):
    module, features = create_head("deconv", backbone)
    assert module.predict(module.grow(module.reduce(features[-1]))).shape[-2:] == SIZE
    steps = [m for m in module.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert 2 ** len(steps) == features_of(backbone, SIZE)[2][-1]


def test_pyramid_adds_features_from_the_top():
    """Kernels that copy one channel: the sum of all features of stride 4 and more, blown up."""
    module = HEADS.get("pyramid")([5, 1, 1, 1], [2, 4, 8, 16], 1, 1).eval()
    for lateral in module.laterals:
        nn.init.ones_(lateral.weight), nn.init.zeros_(lateral.bias)
    seen = []
    module.mix.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features = [torch.rand(1, c, *size) for c, size in ((5, (16, 16)), (1, (8, 8)), (1, (4, 4)), (1, (2, 2)))]
    with torch.no_grad():
        assert module(features, (32, 32)).shape == (1, 1, 32, 32)
    up = lambda x, n: F.interpolate(x, (n, n), mode="bilinear", align_corners=False)  # noqa: E731
    torch.testing.assert_close(seen[0], features[1] + up(features[2] + up(features[3], 4), 8))
