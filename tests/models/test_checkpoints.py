"""Checkpoints: what is written comes back, and nothing else is believed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from model_toys import random_images, tiny_config, tiny_network
from safetensors.torch import load_file, save_file

from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, file_hash, load_checkpoint, read_description, save_checkpoint
from mtlattack.models.checkpoints import checkpoint_name

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
    copy = shutil.copy(saved, saved.with_name("toy-net.shared-00000000.safetensors"))
    with pytest.raises(InputError, match="its name 00000000"):
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


def test_no_file_is_an_error_that_names_it(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match="no checkpoint file") as error:
            load_checkpoint(path)
        assert str(path) in str(error.value)
