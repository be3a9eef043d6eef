"""Checkpoints: what is written comes back, and nothing else is believed."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from model_toys import random_images, tiny_config, tiny_network
from safetensors.torch import load_file, save_file

from mtlattack.errors import InputError
from mtlattack.models import (
    MultiTaskNetwork,
    checkpoints,
    file_hash,
    load_checkpoint,
    read_description,
    save_checkpoint,
    sketch_network,
)
from mtlattack.models.checkpoint_files import checkpoint_name

LAYOUTS = ["shared", "separate"]


@pytest.fixture
def network() -> MultiTaskNetwork:
    result = tiny_network()
    for value in result.state_dict().values():  # Not what a new network would have anyway.
        if value.is_floating_point():
            value.add_(0.01 * torch.rand_like(value))
    return result


@pytest.fixture
def saved(network, tmp_path) -> Path:
    return save_checkpoint(network, tmp_path / "zoo", "toy-net.shared", provenance={"seed": 3})


def renamed(path: Path) -> Path:
    """The same content under a name without a hash."""
    return path.rename(path.with_name("renamed.safetensors"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_float32_comes_back_exactly(layout, tmp_path):
    network = tiny_network(layout)
    loaded = load_checkpoint(str(save_checkpoint(network, tmp_path, "net")))
    assert not loaded.training and loaded.config == network.config
    weights = network.state_dict()
    assert list(loaded.state_dict()) == list(weights)
    assert all(torch.equal(value, weights[key]) for key, value in loaded.state_dict().items())
    images = random_images()
    assert all(torch.equal(a, b) for a, b in zip(loaded(images).values(), network(images).values(), strict=True))


def test_float16_comes_back_rounded_and_as_float32(network, tmp_path):
    path = save_checkpoint(network, tmp_path, "net", dtype=torch.float16)
    assert {value.dtype for value in load_file(path).values()} == {torch.float16, torch.int64}
    weights = network.state_dict()
    for key, value in load_checkpoint(path).state_dict().items():
        assert value.dtype == weights[key].dtype
        expected = weights[key].half().float() if value.is_floating_point() else weights[key]
        assert torch.equal(value, expected)
    assert path.stat().st_size < 0.65 * save_checkpoint(network, tmp_path, "net").stat().st_size


def test_the_name_holds_the_hash_and_the_header_the_description(network, saved):
    assert saved.name == f"toy-net.shared-{file_hash(saved)[:8]}.safetensors"
    assert checkpoint_name(saved) == "toy-net.shared"
    description = read_description(saved)
    assert description["format_version"] == 1 and description["provenance"] == {"seed": 3}
    assert description["network"]["backbone"] == "resnet10t"
    assert save_checkpoint(network, saved.parent, "toy-net.shared", provenance={"seed": 3}) == saved


@pytest.mark.parametrize("position", [200, -1])
def test_a_changed_byte_is_found_by_the_hash(saved, position):
    data = bytearray(saved.read_bytes())
    data[position] ^= 1
    saved.write_bytes(data)
    with pytest.raises(InputError, match="was changed") as error:
        load_checkpoint(saved)
    assert str(saved) in str(error.value) and saved.stem[-8:] in str(error.value)


def test_a_name_without_hash_is_fine_and_one_with_another_hash_is_not(saved):
    copy = shutil.copy(saved, saved.with_name("toy-net.shared-0000000a.safetensors"))
    with pytest.raises(InputError, match="its name 0000000a"):
        load_checkpoint(copy)
    assert checkpoint_name(renamed(saved)) == "renamed"
    load_checkpoint(saved.with_name("renamed.safetensors"))


@pytest.mark.parametrize("kept", [0, 4, 300, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved, kept):
    path = renamed(saved)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(InputError, match="truncated or no safetensors file") as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "no mtlattack description"),
        ("{garbage", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "holds no network"),
        ("3", "holds no network"),
        (json.dumps({"format_version": 1}), "holds no network"),
        (json.dumps({"format_version": 1, "network": "resnet"}), "holds no network"),
        (json.dumps({"format_version": 9, "network": tiny_config()}), "format 9, expected 1"),
        (json.dumps({"format_version": 1, "network": tiny_config(backbone="resnet10")}), "did you mean 'resnet1"),
        (json.dumps({"format_version": 1, "network": tiny_config(extra=1)}), "extra"),
        (
            json.dumps({"format_version": 1, "network": tiny_config(backbone_options={"checkpoint_path": "x.pth"})}),
            "checkpoint_path",
        ),
        (json.dumps({"format_version": 1, "network": tiny_config("separate")}), "weights do not fit"),
        (json.dumps({"format_version": 1, "network": tiny_config(head_width=9)}), "weights do not fit"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_foreign_and_hostile_headers_are_refused(saved, header, message):
    path = saved.with_name("foreign.safetensors")
    save_file(load_file(saved), path, None if header is None else {"mtlattack": header})
    with pytest.raises(InputError, match=message) as error:
        load_checkpoint(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_and_surplus_weights_are_refused(saved):
    weights, description = load_file(saved), {"mtlattack": json.dumps(read_description(saved))}
    path, key = saved.with_name("other.safetensors"), "heads.depth.reduce.weight"
    for changed in (
        {k: v for k, v in weights.items() if k != key},
        {**weights, "surplus": torch.zeros(1)},
        {**weights, key: weights[key][:1].contiguous()},
    ):
        save_file(changed, path, description)
        with pytest.raises(InputError, match="weights do not fit") as error:
            load_checkpoint(path)
        assert str(path) in str(error.value) and ("surplus" in str(error.value) or key in str(error.value))


def test_the_first_weight_that_differs_is_named(saved):
    weights, description = load_file(saved), {"mtlattack": json.dumps(read_description(saved))}
    path, key = saved.with_name("other.safetensors"), "heads.depth.reduce.weight"
    for value, message in (
        (weights[key][:1].contiguous(), rf"{key} has shape \[1, 24, 1, 1\], expected \[8, 24, 1, 1\]"),
        (weights[key].int(), f"{key} has type I32"),
        (weights[key].to(torch.complex64), f"{key} has type C64"),
    ):
        save_file({**weights, key: value, "surplus": torch.zeros(1)}, path, description)
        with pytest.raises(InputError, match=message):
            load_checkpoint(path)


SWIN = {"img_size": 2048, "window_size": 64, "depths": [2, 2, 2, 2], "embed_dim": 8, "num_heads": [1, 1, 1, 1]}
GIANTS = {
    "weights": {"backbone_options": {"channels": [4096] * 4, "stem_width": 4096}},
    "copies": {"layout": "separate", "backbone_options": {"channels": [4096] * 4}},
    "transformer": {"backbone": "vit_giant_patch14_224", "backbone_options": {}, "output_stride": 32},
    "head": {"head": "atrous", "head_width": 4096},
}


@pytest.mark.parametrize("fields", GIANTS.values(), ids=GIANTS)
def test_a_giant_in_the_header_costs_no_memory(fields, saved, monkeypatch):
    path = saved.with_name("giant.safetensors")
    description = json.dumps({"format_version": 1, "network": tiny_config(**fields)})
    save_file(load_file(saved), path, {"mtlattack": description})
    monkeypatch.setattr(checkpoints, "create_network", lambda _: pytest.fail("memory was taken"))
    with pytest.raises(InputError, match="weights do not fit the network it describes"):
        load_checkpoint(path)


def test_a_giant_beside_the_weights_costs_no_memory(saved, monkeypatch):
    """Attention masks are no weights: small ones can come with gigabytes of them."""
    network = tiny_config(backbone="swin_tiny_patch4_window7_224", backbone_options=SWIN, output_stride=32)
    path = saved.with_name("masks.safetensors")
    weights = {key: torch.zeros(value.shape) for key, value in sketch_network(network).state_dict().items()}
    weights = {key: value.long() if key.endswith("num_batches_tracked") else value for key, value in weights.items()}
    save_file(weights, path, {"mtlattack": json.dumps({"format_version": 1, "network": network})})
    assert path.stat().st_size < 5e6
    monkeypatch.setattr(checkpoints, "create_network", lambda _: pytest.fail("memory was taken"))
    with pytest.raises(InputError, match="holds [0-9,]+ bytes beside its weights"):
        load_checkpoint(path)


LARGE = {
    "blocks": {"backbone_options": {"layers": [4096, 4096, 4096, 4096], "channels": [8, 8, 16, 16], "stem_width": 8}},
    "copies": {"layout": "separate", "backbone_options": {"layers": [300, 300, 300, 300]}},
    "transformer": {
        "backbone": "vit_tiny_patch16_224",
        "backbone_options": {"depth": 4096, "embed_dim": 2, "num_heads": 1},
        "output_stride": 32,
    },
}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(fields, id=name, marks=[] if name == "blocks" else pytest.mark.slow)
        for name, fields in LARGE.items()
    ],
)
@pytest.mark.slow
def test_thousands_of_layers_in_the_header_cost_seconds(fields, saved):
    path = saved.with_name("deep.safetensors")
    save_file(
        load_file(saved), path, {"mtlattack": json.dumps({"format_version": 1, "network": tiny_config(**fields)})}
    )
    begin = time.process_time()
    with pytest.raises(InputError, match="the network it describes has more than 20,000 tensors") as error:
        load_checkpoint(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert time.process_time() - begin < 60


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": [{"kind": "depth"}] * 65}, "tasks: .* at most 64"),
        ({"layout": "+".join(["depth"] * 20_000)}, "layout: .* at most 65536"),
        ({"backbone_options": {f"option{i}": 1 for i in range(65)}}, "backbone_options: .* at most 64"),
        ({"backbone": "x" * 2**20}, "its description has 1,[0-9,]+ characters, at most"),
    ],
    ids=["tasks", "layout", "options", "all"],
)
def test_long_fields_in_the_header_are_refused_unread(fields, message, saved):
    path = saved.with_name("long.safetensors")
    save_file(
        load_file(saved), path, {"mtlattack": json.dumps({"format_version": 1, "network": tiny_config(**fields)})}
    )
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)


def test_no_file_is_an_error_that_names_it(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match="no checkpoint file") as error:
            load_checkpoint(path)
        assert str(path) in str(error.value)
