"""Vision Transformers as stages: timm's own numbers, any size of image, shared in part."""

import pytest
import timm
import torch
from model_toys import TASKS, random_images, tiny_config

from mtlattack.models import create_network
from mtlattack.models.backbones import Backbone, create_backbone
from mtlattack.models.vit import AS_MAPS

NAME = "vit_tiny_patch16_224"
SMALL = {"embed_dim": 24, "depth": 6, "num_heads": 2, "img_size": 64}


def features_of(backbone: Backbone, images: torch.Tensor) -> list[torch.Tensor]:
    features: list[torch.Tensor] = []
    for stage in backbone.stages:
        features += stage.eval()(features[-1] if features else images)
    return features


@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
@torch.no_grad()
def test_runs_of_blocks_give_the_features_of_timms_network(size):
    backbone, images = create_backbone(NAME, options=SMALL), random_images(2, *size)
    reference = timm.create_model(NAME, features_only=True, out_indices=[0, 2, 3, 5], **AS_MAPS, **SMALL).eval()
    weights = [value for stage in backbone.stages for value in _timms_order(stage.state_dict())]
    reference.load_state_dict(dict(zip(reference.state_dict(), weights, strict=True)))
    found = features_of(backbone, images)
    assert backbone.channels == [24] * 5 and backbone.strides == [16] * 5
    for a, b in zip(found[1:], reference(images), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def _timms_order(weights: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Positions before patches."""
    return [weights[name] for name in sorted(weights, key=lambda name: name != "pos_embed")]


@pytest.mark.parametrize("options", [{}, {"img_size": [96, 128]}])
@pytest.mark.parametrize("size", [(96, 128), (120, 160), (33, 47), (16, 7)])
def test_images_of_any_size(size, options):
    network = create_network(tiny_config(backbone=NAME, backbone_options=SMALL | options, output_stride=32)).eval()
    images = random_images(1, *size).requires_grad_()
    predictions = network(images)
    assert all(x.shape == (1, TASKS[name].channels, *size) for name, x in predictions.items())
    sum(x.square().mean() for x in predictions.values()).backward()
    assert images.grad.isfinite().all() and images.grad.abs().amax((0, 1)).gt(0).all()


def test_a_stretched_image_has_a_grid_that_spans_it():
    backbone = create_backbone(NAME, options=SMALL)
    odd = random_images(1, 120, 160)
    stretched = torch.nn.functional.interpolate(odd, (128, 160), mode="bilinear", align_corners=False)
    assert torch.equal(features_of(backbone, odd)[-1], features_of(backbone, stretched)[-1])


@pytest.mark.parametrize(("depth", "lengths"), [(3, [1, 1, 1]), (4, [1] * 4), (6, [1, 2, 1, 2]), (12, [3] * 4)])
def test_blocks_come_in_runs(depth, lengths):
    stages = create_backbone(NAME, options=SMALL | {"depth": depth}).stages
    assert [len(stage.blocks) for stage in stages[1:]] == lengths


def test_tasks_share_the_first_runs_alone():
    network = create_network(tiny_config("tree-3x5-19", backbone=NAME, backbone_options=SMALL, output_stride=32))
    assert [len(copies) for copies in network.stages] == [1, 1, 2, 2, 3]
    network(random_images(2, 64, 64))["depth"].square().sum().backward()
    for partition, copies in zip(network.layout.partitions, network.stages, strict=True):
        for group, stage in zip(partition, copies, strict=True):
            assert any(p.grad is not None and p.grad.any() for p in stage.parameters()) == ("depth" in group)


@pytest.mark.parametrize("options", [{"class_token": True}, {"reg_tokens": 4}, {"patch_drop_rate": 0.5}])
def test_tokens_without_a_place_keep_the_network_whole(options):
    backbone = create_backbone(NAME, options=SMALL | options)
    assert len(backbone.stages) == 1
    assert [x.shape for x in features_of(backbone, random_images(1, 64, 64))] == [(1, 24, 4, 4)] * 3


@pytest.mark.parametrize("name", ["deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224"])
def test_kin_that_go_other_ways_stay_whole(name):
    with torch.device("meta"):
        assert len(create_backbone(name).stages) == 1
