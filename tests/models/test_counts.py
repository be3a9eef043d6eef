"""Parameters and FLOPs, against the network itself and sums done by hand."""

import tomllib
from pathlib import Path

import pytest
import torch
from model_toys import TASKS, tiny_config, tiny_network
from torch import nn

import mtlattack
from mtlattack.errors import InputError
from mtlattack.models import count_network, count_stages, create_network, layout_at, sketch_network

LAYOUTS = ["shared", "separate", "tree-3x5-19"]


@pytest.mark.parametrize("fields", [{"layout": name} for name in LAYOUTS] + [{"sharing": "mtan"}], ids=str)
def test_parameters_are_those_of_the_network(fields):
    counts, network = count_network(tiny_config(**fields), (32, 48)), tiny_network(**fields)
    assert counts.total_parameters == sum(p.numel() for p in network.parameters())
    assert list(counts.parameters) == list(counts.flops) == list(network.parts())
    assert {p for part in network.parts().values() for p in part.parameters()} == set(network.parameters())
    for name in TASKS:
        assert counts.parameters[f"head {name}"] == sum(p.numel() for p in network.heads[name].parameters())


@pytest.mark.parametrize("fields", [{"layout": name} for name in LAYOUTS] + [{"sharing": "mtan"}], ids=str)
def test_flops_of_convolutions_by_hand(fields):
    """Two for each weight of a convolution and place of its output: all there is in these networks."""
    network, total = tiny_network(**fields), 0

    def count(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += 2 * layer.weight.numel() * output.shape[-2] * output.shape[-1]

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 3, 40, 56))
    counts = count_network(tiny_config(**fields), (40, 56))
    assert counts.total_flops == total and min(counts.flops.values()) > 0


def test_a_stage_costs_as_many_times_as_it_has_copies():
    shared = count_network(tiny_config(), (32, 32))
    tree = count_network(tiny_config("tree-3x5-19"), (32, 32))
    copies = [len(partition) for partition in layout_at(19, list(TASKS), 5).partitions]
    assert copies == [1, 1, 2, 2, 3]
    for stage, number in enumerate(copies, 1):
        assert tree.flops[f"stage {stage}"] == number * shared.flops[f"stage {stage}"]
        assert tree.parameters[f"stage {stage}"] == number * shared.parameters[f"stage {stage}"]
    assert tree.flops["head depth"] == shared.flops["head depth"]


def test_attention_counts():
    """A block of width C over N tokens: 24 N C² of matrix products, 4 N² C of attention."""
    options = {"embed_dim": 24, "depth": 4, "num_heads": 2}
    config = tiny_config(backbone="vit_tiny_patch16_224", backbone_options=options, output_stride=32)
    assert count_network(config, (64, 96)).flops["stage 2"] == 24 * 24 * 24**2 + 4 * 24**2 * 24


def test_giants_are_counted_without_being_built():
    options = {"channels": [4096] * 4}
    config = tiny_config("separate", backbone_options=options)
    assert count_network(config, (32, 32)).total_parameters > 10**9
    assert all(value.is_meta for value in sketch_network(tiny_config()).state_dict().values())


def test_the_documented_deeplab_is_one():
    """ResNet34 has 21.28 M parameters without its classifier; a branch is one 3×3 and two 1×1 convolutions."""
    text = (Path(mtlattack.__file__).parent / "README.md").read_text()
    network = tomllib.loads(("[network]" + text.partition("```toml\n[network]")[2]).partition("```")[0])["network"]
    counts = count_network({**network, "tasks": tiny_config()["tasks"]}, (321, 321))
    body = sum(number for name, number in counts.parameters.items() if name.startswith("stage"))
    assert body == 21_284_672
    assert counts.parameters["head depth"] == 4 * (9 * 512 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 + 1)


def test_stages_are_counted():
    names = ("resnet34", "convnext_atto", "vit_tiny_patch16_224", "hrnet_w18_small")
    assert [count_stages(name) for name in names] == [5, 4, 5, 1]
    assert count_stages("resnet18", output_stride=8) == 5


def test_a_size_that_a_network_cannot_take_is_refused():
    config = tiny_config(backbone="hrnet_w18_small", backbone_options={}, output_stride=32)
    with pytest.raises(InputError, match="hrnet_w18_small takes no image of 33x47"):
        count_network(config, (33, 47))


@pytest.mark.parametrize("backbone", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto", "mobilenetv3_small_050"])
def test_a_sketch_has_the_tensors_of_the_network(backbone):
    fields = tiny_config(backbone=backbone, backbone_options={}, output_stride=32)
    sketch, network = sketch_network(fields), create_network(fields)
    for kind in ("named_parameters", "named_buffers"):
        drawn, made = (
            {n: (t.shape, t.dtype, t.requires_grad) for n, t in getattr(x, kind)()} for x in (sketch, network)
        )
        assert drawn == made and list(drawn) == list(made)
