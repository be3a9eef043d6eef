"""MTAN: masks over shared features, one set a task."""

import json

import pytest
import torch
from model_toys import TASKS, random_images, tiny_config, tiny_network
from safetensors.torch import load_file, save_file
from torch.optim import Adam

from mtlattack.errors import InputError
from mtlattack.models import NetworkConfig, create_network, load_checkpoint, read_description, save_checkpoint
from mtlattack.models.mtan import MTANetwork
from mtlattack.models.tree import TreeNetwork


@pytest.fixture
def network() -> MTANetwork:
    return tiny_network(sharing="mtan")


def test_masks_lie_between_0_and_1_and_differ_by_task_and_image(network):
    shared = network.backbone_features(torch.randn(2, 3, 32, 48))
    masks = network.train().masks(shared)
    assert list(masks) == list(TASKS)
    for own in masks.values():
        for mask, feature in zip(own, shared, strict=True):
            assert mask.shape == feature.shape and mask.min() >= 0 and mask.max() <= 1 and mask.std() > 0.01
            assert not torch.equal(mask[0], mask[1])
    assert not torch.equal(masks["depth"][0], masks["normals"][0])


def test_the_masks_follow_the_papers_formula(network):
    shared = network.backbone_features(random_images())
    masks = network.masks(shared)["depth"]
    first, second, *_ = network.attention["depth"]
    attended = first.mask(shared[0]) * shared[0]
    handed_on = network.hand_on[0].convolution(attended)
    assert shared[1].shape[-1] * 2 == handed_on.shape[-1]
    handed_on = torch.nn.functional.max_pool2d(handed_on, 2)
    assert torch.allclose(masks[1], second.mask(torch.cat([shared[1], handed_on], 1)), atol=1e-6)


def test_open_masks_make_it_the_shared_tree(network):
    for attention in network.attention.values():
        for module in attention:
            torch.nn.init.zeros_(module.mask[-2].weight)
            torch.nn.init.constant_(module.mask[-2].bias, 40.0)
    tree = tiny_network()
    own = network.state_dict()
    tree.load_state_dict({key: own[_without_copy(key)] for key in tree.state_dict()})
    for name, values in tree(random_images()).items():
        assert torch.equal(network(random_images())[name], values)


def _without_copy(key: str) -> str:
    """`stages.3.0.…` of a tree is `stages.3.…` here."""
    parts = key.split(".")
    return ".".join(parts[:2] + parts[3:]) if parts[0] == "stages" else key


def test_an_images_output_does_not_depend_on_its_batch(network):
    images = random_images(3)
    together = network(images)
    for i in range(3):
        for name, values in network(images[[i]]).items():
            assert torch.allclose(values[0], together[name][i], atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_loss_moves_its_own_attention_alone(network, task):
    network(random_images())[task].square().sum().backward()
    for kind in (network.attention, network.heads):
        for name, module in kind.items():
            moved = [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]
            assert (all(moved) if kind is network.attention else any(moved)) if name == task else not any(moved)
    for shared in (*network.stages, network.hand_on):
        assert any(p.grad is not None and p.grad.any() for p in shared.parameters())


def test_two_images_are_learnt(network):
    images = random_images()
    ramp = torch.linspace(1, 2, 48).expand(2, 32, 48)
    upward = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 32, 48)
    targets = {"segmentation": (ramp > 1.5).long(), "depth": ramp, "normals": upward}
    optimizer, losses = Adam(network.train().parameters(), 2e-2), []
    for _ in range(20):
        predictions = network(images)
        loss = sum(task.loss(predictions[name], targets[name]).mean() for name, task in TASKS.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("backbone", "options"),
    [
        ("hrnet_w18_small", {}),
        ("vit_tiny_patch16_224", {"embed_dim": 24, "depth": 3, "num_heads": 2}),
        ("convnext_atto", {}),
    ],
)
@pytest.mark.parametrize("head", ["light", "aspp"])
def test_any_backbone_and_head_will_do(backbone, options, head):
    config = tiny_config(sharing="mtan", backbone=backbone, backbone_options=options, output_stride=32, head=head)
    predictions = create_network(config).eval()(random_images(1, 64, 96))
    assert all(values.shape == (1, TASKS[name].channels, 64, 96) for name, values in predictions.items())


def test_a_layout_makes_no_sense_with_it():
    for layout in ("separate", "tree-3x5-7"):
        with pytest.raises(InputError, match=f"layout '{layout}' goes with sharing 'tree'; 'mtan' has one backbone"):
            create_network(tiny_config(layout, sharing="mtan"))
    with pytest.raises(InputError, match="sharing"):
        create_network(tiny_config(sharing="mtna"))


def test_it_comes_back_from_a_checkpoint(network, tmp_path):
    path = save_checkpoint(network, tmp_path, "soft")
    loaded = load_checkpoint(path)
    assert isinstance(loaded, MTANetwork) and loaded.config == network.config
    for name, values in loaded(random_images()).items():
        assert torch.equal(values, network(random_images())[name])


def test_a_header_from_before_there_was_a_choice_means_a_tree(tmp_path):
    path = save_checkpoint(tiny_network("tree-3x5-7"), tmp_path, "old")
    description = read_description(path)
    del description["network"]["sharing"]
    old = tmp_path / "header.safetensors"
    save_file(load_file(path), old, {"mtlattack": json.dumps(description)})
    loaded = load_checkpoint(old)
    assert isinstance(loaded, TreeNetwork) and loaded.config.sharing == "tree"
    assert NetworkConfig.model_validate(description["network"]) == loaded.config
