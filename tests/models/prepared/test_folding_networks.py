"""Every batch norm of our own networks folds: of each architecture that ships, of each head, of soft sharing."""

import pytest
import torch
from folding_toys import assert_folds, drawn, images, norms_left
from model_toys import TASKS, tiny_network
from torch import nn

from mtlattack.models import create_model, create_network, list_models, model_path, read_description
from mtlattack.models.heads import HEADS


def architectures() -> list[str]:
    """A shipped model of each architecture: they differ in their weights, tasks and layouts alone."""
    found: dict[str, str] = {}
    for name in list_models():
        network = read_description(model_path(name))["network"]
        fields = [network[field] for field in ("backbone", "backbone_options", "head", "sharing", "layout")]
        found.setdefault(repr(fields), name)
    return list(found.values())


def assert_folds_wholly(network: nn.Module, size: tuple[int, int] = (32, 48)) -> None:
    network = drawn(network)
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert norms_left(network) > 0
    assert_folds(network, x, folded=norms_left(network))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", architectures())
def test_every_architecture_of_the_zoo_folds_wholly(name: str) -> None:
    assert_folds_wholly(create_model(name))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("layout", ["shared", "separate"])
@pytest.mark.parametrize("head", list(HEADS))
def test_every_head_folds_wholly(head: str, layout: str) -> None:
    assert_folds_wholly(tiny_network(layout, head=head))


def test_mtan_folds_wholly() -> None:
    assert_folds_wholly(tiny_network(sharing="mtan"))


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv2_100"])
def test_other_backbones_fold_wholly(backbone: str) -> None:
    tasks = [task.config() for task in TASKS.values()]
    assert_folds_wholly(create_network({"tasks": tasks, "backbone": backbone, "layout": "shared", "head_width": 8}))


def test_a_backbone_without_batch_norm_is_left_alone() -> None:
    tasks = [task.config() for task in TASKS.values()]
    options = {"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 8]}
    network = create_network(
        {"tasks": tasks, "backbone": "convnext_atto", "backbone_options": options, "head": "atrous", "head_width": 8}
    )
    assert_folds(drawn(network), images()[..., :8, :8].repeat(1, 1, 4, 4), folded=0)
