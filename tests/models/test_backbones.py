"""timm families: cut where they can be, whole where not, the same features as timm's own."""

import pytest
import timm
import torch
from model_toys import TASKS, TINY, random_images, tiny_config
from torch import nn

from mtlattack.errors import InputError
from mtlattack.models import create_network
from mtlattack.models.backbones import Backbone, create_backbone

SWIN = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "img_size": 64, "window_size": 2}
# Options and number of stages.
FAMILIES = {
    "resnet10t": (TINY, 5),
    "resnet18": ({}, 5),
    "resnet34": ({}, 5),
    "resnet50": ({}, 5),
    "mobilenetv2_100": ({}, 5),
    "mobilenetv3_small_050": ({}, 5),
    "convnext_atto": ({}, 4),
    "regnety_002": ({}, 5),
    "swin_tiny_patch4_window7_224": (SWIN, 4),
    "hrnet_w18_small": ({}, 1),
}


def features_of(backbone: Backbone, images: torch.Tensor) -> list[torch.Tensor]:
    """The features of a backbone, stage after stage."""
    x, features = images, []
    for stage in backbone.stages:
        taps = stage.eval()(x)
        features += taps
        x = taps[-1]
    return features


HEAVY = {"resnet34", "resnet50"}
every_family = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in FAMILIES]
)


@pytest.mark.sampled(3)
@every_family
@torch.no_grad()
def test_stages_give_the_features_of_timms_own_network(name):
    options, stages = FAMILIES[name]
    torch.manual_seed(0)
    backbone, images = create_backbone(name, options=options), random_images(1, 64, 64)
    assert len(backbone.stages) == stages
    reference = timm.create_model(name, features_only=True, pretrained=False, **options).eval()
    weights = [value for stage in backbone.stages for value in stage.state_dict().values()]
    own = reference.state_dict()
    reference.load_state_dict(dict(zip(own, weights, strict=True)))
    channels_first = getattr(reference, "output_fmt", None) != timm.layers.Format.NHWC
    expected = [x if channels_first else x.permute(0, 3, 1, 2) for x in reference(images)]
    found = features_of(backbone, images)
    assert [x.shape[1] for x in found] == backbone.channels
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv2_100", "convnext_atto"])
@torch.no_grad()
def test_output_stride_is_honoured(name, stride):
    backbone = create_backbone(name, output_stride=stride, options=FAMILIES[name][0])
    features = features_of(backbone, random_images(1, 64, 96))
    assert [64 // x.shape[-2] for x in features] == backbone.strides == [96 // x.shape[-1] for x in features]
    assert backbone.strides[-1] == stride


@pytest.mark.sampled(3)
@pytest.mark.parametrize("layout", ["shared", "separate"])
@every_family
def test_families_run_forward_and_backward(name, layout):
    options = FAMILIES[name][0]
    tasks = [TASKS[task].config() for task in ("segmentation", "depth")]
    config = tiny_config(layout, tasks=tasks, backbone=name, backbone_options=options, output_stride=32)
    network, images = create_network(config), random_images(2, 64, 64).requires_grad_()
    assert [len(copies) for copies in network.stages] == [1 if layout == "shared" else 2] * FAMILIES[name][1]
    predictions = network(images)
    for task, values in predictions.items():
        assert values.shape == (2, TASKS[task].channels, 64, 64) and values.isfinite().all()
    sum(values.square().mean() for values in predictions.values()).backward()
    assert images.grad.isfinite().all() and images.grad[0].any() and images.grad[1].any()
    for copies in network.stages:
        assert all(any(p.grad is not None and p.grad.any() for p in copy.parameters()) for copy in copies)


@pytest.mark.parametrize("name", ["mobilenetv2_100", "convnext_atto", "swin_tiny_patch4_window7_224"])
def test_families_that_are_cut_can_be_shared_in_part(name):
    stages = FAMILIES[name][1]
    layout = "/".join(["segmentation+depth+normals"] * (stages - 1) + ["depth|segmentation+normals"])
    config = tiny_config(layout, backbone=name, backbone_options=FAMILIES[name][0], output_stride=32)
    network = create_network(config).eval()
    assert [len(copies) for copies in network.stages] == [1] * (stages - 1) + [2]
    assert network(random_images(1, 64, 64))["depth"].shape == (1, 1, 64, 64)


def test_an_uncut_network_has_no_middle_to_branch_at():
    layout = "segmentation+depth+normals/" * 4 + "segmentation|depth|normals"
    config = tiny_config(layout, backbone="hrnet_w18_small", backbone_options={}, output_stride=32)
    with pytest.raises(InputError, match="has 5 stages, the backbone has 1"):
        create_network(config)


def test_a_resnet34_of_output_stride_8_is_deeplabs():
    """Strides 1, 2, 1, 1 and dilations 1, 1, 2, 4 after the stem, as in the DGBA authors' network."""
    backbone = create_backbone("resnet34", output_stride=8)
    assert backbone.strides == [2, 4, 8, 8, 8] and backbone.channels == [64, 64, 128, 256, 512]
    for stage, dilation, blocks in zip(backbone.stages[1:], (1, 1, 2, 4), (3, 4, 6, 3), strict=True):
        convolutions = [m for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert len(convolutions) == 2 * blocks
        # timm lets the first one of a stage, which sees the stage before, keep that one's dilation.
        assert [m.dilation[0] for m in convolutions[1:]] == [dilation] * (2 * blocks - 1)


def test_an_output_stride_that_a_network_cannot_have_is_refused():
    with pytest.raises(InputError, match="vit_tiny_patch16_224.*output_stride"):
        create_backbone("vit_tiny_patch16_224", output_stride=8)
