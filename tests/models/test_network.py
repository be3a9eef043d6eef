"""The network: what is shared is what the layout says, and what it promises to attacks."""

import pytest
import torch
from model_toys import TASKS, TINY, random_images, tiny_config, tiny_network

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import NetworkConfig, create_network
from mtlattack.models.backbones import create_backbone
from mtlattack.models.heads import HEADS

ALL = "segmentation+depth+normals"
LAYOUTS = [
    "shared",
    "separate",
    f"{ALL}/{ALL}/segmentation|depth+normals/segmentation|depth+normals/segmentation|depth|normals",
    f"{ALL}/{ALL}/{ALL}/{ALL}/normals|segmentation+depth",
    "depth|normals+segmentation/" * 4 + "normals|depth|segmentation",
]
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


@every_layout
def test_there_is_one_copy_of_a_stage_per_group(layout):
    network = tiny_network(layout)
    copies = {"shared": [1] * 5, "separate": [3] * 5}.get(layout) or [len(x.split("|")) for x in layout.split("/")]
    assert [len(stage) for stage in network.stages] == copies
    assert len({id(p) for p in network.parameters()}) == len(list(network.parameters()))


@every_layout
def test_copies_start_from_different_weights(layout):
    for copies in tiny_network(layout).stages:
        for a, b in [(i, j) for i in range(len(copies)) for j in range(i)]:
            for (name, p), q in zip(copies[a].named_parameters(), copies[b].parameters(), strict=True):
                assert p.data_ptr() != q.data_ptr()
                assert p.ndim == 1 or not torch.equal(p, q), name


@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "convnext_atto", "vit_tiny_patch16_224"])
def test_copies_are_drawn_from_the_same_distribution_as_the_first(backbone):
    network = create_network(tiny_config("separate", backbone=backbone, backbone_options={}, output_stride=32))
    for copies in network.stages:
        for name, first in copies[0].state_dict().items():
            second = copies[1].state_dict()[name]
            assert first.ndim < 2 or not torch.equal(first, second), name
            if first.ndim > 1 and first.numel() > 500:
                assert float(second.std()) == pytest.approx(float(first.std()), rel=0.25), name


@every_layout
@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_loss_moves_exactly_the_stages_and_the_head_it_uses(layout, task):
    network = tiny_network(layout)
    network.zero_grad()
    network(random_images())[task].square().sum().backward()
    for stage, partition in enumerate(network.layout.partitions):
        for group, copy in zip(partition, network.stages[stage], strict=True):
            moved = [p.grad is not None and bool(p.grad.any()) for p in copy.parameters()]
            assert any(moved) if task in group else not any(moved), (stage, group)
    for name, head in network.heads.items():
        moved = [p.grad is not None and bool(p.grad.any()) for p in head.parameters()]
        assert any(moved) if name == task else not any(moved), name


def test_shared_and_separate_differ_by_copies_of_the_backbone_alone():
    shared, separate = (sum(p.numel() for p in tiny_network(x).parameters()) for x in ("shared", "separate"))
    heads = sum(p.numel() for p in tiny_network().heads.parameters())
    assert separate - heads == 3 * (shared - heads)


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_an_images_output_does_not_depend_on_its_batch(layout):
    network, images = tiny_network(layout), random_images(5)
    with torch.no_grad():
        together = network(images)
        alone = [network(images[[i]]) for i in range(5)]
    for name, values in together.items():
        assert torch.allclose(torch.cat([p[name] for p in alone]), values, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (48, 31), (65, 64), (120, 160), (7, 5)])
def test_any_size_of_image_gives_predictions_of_that_size(size):
    for stride in (8, 16, 32):
        predictions = tiny_network(output_stride=stride)(random_images(1, *size))
        assert list(predictions) == list(TASKS)
        for name, task in TASKS.items():
            assert predictions[name].shape == (1, task.channels, *size)
            assert predictions[name].isfinite().all()


def test_normalisation_happens_inside():
    mean, std = (0.1, 0.5, 0.7), (0.2, 0.3, 2.0)
    network = tiny_network(mean=mean, std=std)
    body = tiny_network(mean=(0, 0, 0), std=(1, 1, 1))
    body.load_state_dict(network.state_dict())
    images = random_images()
    normalised = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    for name, values in body(normalised).items():
        assert torch.allclose(network(images)[name], values, atol=1e-5)
    assert not torch.allclose(body(images)["depth"], body(normalised)["depth"], atol=1e-3)
    assert not any(key in network.state_dict() for key in ("mean", "std"))


@pytest.mark.parametrize(("layout", "runs"), [("shared", [1] * 5), (LAYOUTS[2], [1, 1, 2, 2, 3])])
def test_a_shared_stage_runs_once_a_pass(layout, runs):
    network, calls = tiny_network(layout), [0] * 5

    def count(stage: int) -> None:
        calls[stage] += 1

    for stage, copies in enumerate(network.stages):
        for copy in copies:
            copy.register_forward_hook(lambda *_, stage=stage: count(stage))
    network(random_images())
    assert calls == runs


def test_the_same_seed_gives_the_same_network():
    a, b, c = (tiny_network("separate", seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["heads.depth.reduce.weight"], c["heads.depth.reduce.weight"])


@pytest.mark.parametrize("layout", [*LAYOUTS, "tree-3x5-19"])
def test_weights_are_drawn_backbone_by_backbone_then_head_by_head(layout):
    """The order is part of every recipe: a seed stands for the same first weights for ever."""
    network = tiny_network(layout, seed=5)
    torch.manual_seed(5)
    copies = max(map(len, network.layout.partitions))
    backbones = [create_backbone("resnet10t", output_stride=8, options=TINY) for _ in range(copies)]
    drawn = {
        f"stages.{s}.{i}.{name}": value
        for s, partition in enumerate(network.layout.partitions)
        for i in range(len(partition))
        for name, value in backbones[i].stages[s].state_dict().items()
    }
    for task in TASKS.values():
        head = HEADS.get("light")(backbones[0].channels, backbones[0].strides, 8, task.channels)
        drawn |= {f"heads.{task.name}.{name}": value for name, value in head.state_dict().items()}
    weights = network.state_dict()
    assert list(weights) == list(drawn)
    assert all(torch.equal(value, drawn[key]) for key, value in weights.items())


HOSTILE = [
    ({"backbone_options": {"checkpoint_path": "/etc/passwd"}}, "checkpoint_path"),
    ({"backbone_options": {"pretrained_cfg": {"url": "http://x"}}}, "pretrained_cfg"),
    ({"backbone_options": {"pretrained": True}}, "pretrained"),
    ({"backbone_options": {"features_only": False}}, "features_only"),
    ({"backbone_options": {"output_stride": 32}}, "output_stride"),
    ({"backbone_options": {"in_chans": 1}}, "in_chans"),
    ({"backbone_options": {"chanels": [8, 8, 8, 8]}}, "resnet10t.*chanels"),
    ({"backbone_options": {"channels": [10**9] * 4}}, "channels=.*expected a number from 0 to"),
    ({"backbone_options": {"channels": [-8] * 4}}, "channels"),
    ({"backbone_options": {"stem_width": -1}}, "stem_width"),
    ({"backbone_options": {"stem_width": float("nan")}}, "stem_width"),
    ({"backbone_options": {"channels": [["x"]]}}, "channels"),
    ({"backbone": "resnet10"}, "unknown backbone 'resnet10'; did you mean 'resnet1"),
    ({"backbone": "../weights"}, "unknown backbone"),
    ({"backbone": 3}, "backbone"),
    ({"layout": "sharde"}, "sharde"),
    ({"head": "lihgt"}, "unknown head 'lihgt'; did you mean 'light'"),
    ({"head_width": 0}, "head_width"),
    ({"head_width": -5}, "head_width"),
    ({"head_width": 10**12}, "head_width"),
    ({"output_stride": 7}, "output_stride"),
    ({"std": [0, 1, 1]}, "std"),
    ({"std": [-1, 1, 1]}, "std"),
    ({"mean": [float("nan"), 0, 0]}, "mean"),
    ({"mean": [0.5]}, "mean"),
    ({"code": "import os"}, "code"),
    ({"tasks": []}, "tasks"),
    ({"tasks": ["depth"]}, "tasks"),
    ({"tasks": [{"kind": "detph"}]}, "unknown task 'detph'; did you mean 'depth'"),
    ({"tasks": [{"classes": 4}]}, "no 'kind'"),
    ({"tasks": [{"kind": "depth"}, {"kind": "depth"}]}, "each task once, got depth, depth"),
    ({"tasks": [{"kind": "segmentation", "classes": 10**9}]}, "classes 1000000000, expected 2 to"),
]


@pytest.mark.parametrize(("fields", "message"), HOSTILE, ids=[str(fields)[:60] for fields, _ in HOSTILE])
def test_hostile_descriptions_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        create_network(tiny_config() | fields)


def test_errors_are_of_the_kind_that_offers_names():
    with pytest.raises(UnknownNameError):
        create_network(tiny_config(backbone="resnet10"))


def test_a_description_comes_back_from_the_network():
    config = NetworkConfig.model_validate(tiny_config())
    assert create_network(config).config == config
    assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
