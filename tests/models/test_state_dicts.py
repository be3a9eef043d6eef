"""Weights that others saved: found under the usual names, put into a module or refused, never run."""

import argparse
import pickle
import warnings
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mtlattack.errors import InputError
from mtlattack.models.state_dicts import load_weights, read_state_dict


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1), norm=nn.BatchNorm2d(4), head=nn.Conv2d(4, 1, 1)))


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in net(1).state_dict().items()}


def assert_filled(module: nn.Module) -> None:
    for key, value in net(1).state_dict().items():
        assert torch.equal(module.state_dict()[key], value), key


@pytest.mark.parametrize(
    "content",
    [
        prefixed(""),
        OrderedDict(prefixed("")),
        {"state_dict": prefixed(""), "epoch": 3, "optimizer": {"state": {0: {"step": torch.tensor(1)}}}},
        {"model": prefixed(""), "model_ema": prefixed("none."), "best": 0.5},
        {"model_state_dict": prefixed("module.")},
        {"epoch": 3, "model": {"state_dict": prefixed("")}},
        prefixed("module."),
        prefixed("model."),
        prefixed("_orig_mod.module."),
        prefixed("module.model."),
    ],
)
def test_the_state_dict_is_found(content, tmp_path):
    torch.save(content, tmp_path / "x.pth")
    module = net()
    load_weights(module, tmp_path / "x.pth")
    assert_filled(module)


def test_safetensors_and_half_precision_fill_a_float32_module(tmp_path):
    save_file(prefixed("module."), tmp_path / "x.safetensors")
    module = net()
    load_weights(module, tmp_path / "x.safetensors")
    assert_filled(module)
    torch.save(net(1).half().state_dict(), tmp_path / "half.pt")
    load_weights(module, tmp_path / "half.pt")
    assert module.conv.weight.dtype == torch.float32
    torch.testing.assert_close(module.conv.weight, net(1).conv.weight, rtol=1e-3, atol=1e-3)


def test_prefixes_that_are_the_modules_own_names_stay(tmp_path):
    torch.save(prefixed("module."), tmp_path / "x.pt")
    module = nn.ModuleDict({"module": net()})
    load_weights(module, tmp_path / "x.pt")
    assert_filled(module["module"])


def test_counters_that_old_files_lack_are_not_missed(tmp_path):
    weights = {key: value for key, value in prefixed("").items() if "num_batches" not in key}
    torch.save(weights, tmp_path / "x.pt")
    load_weights(net(), tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv.bias": None}, "missing: conv.bias$"),
        ({"more.a": torch.zeros(1)}, "not in the model: more.a$"),
        ({"conv.bias": torch.zeros(8)}, r"of another shape: conv.bias \(8,\) instead of \(4,\)$"),
        ({"conv.bias": None, "conv.b": torch.zeros(4), "head.bias": torch.zeros(())},
         r"missing: conv.bias; not in the model: conv.b; of another shape: head.bias \(\) instead of \(1,\)$"),
        ({f"x{i}": torch.zeros(1) for i in range(5)}, "not in the model: x0, x1, x2 and 2 more$"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(change, message, tmp_path):
    weights = {key: value for key, value in (prefixed("") | change).items() if value is not None}
    torch.save(weights, tmp_path / "x.pt")
    with pytest.raises(InputError, match=f"x.pt does not fit the model: {message}"):
        load_weights(net(), tmp_path / "x.pt")


def loop() -> dict[str, object]:
    content: dict[str, object] = {}
    content["model"] = content
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, expected a state dict"),
        (torch.zeros(3), "holds a Tensor, expected a state dict"),
        ({}, "holds nothing, expected a state dict"),
        ({"epoch": 3, "weights_of_mine": prefixed("")}, "holds a int under 'epoch', .* found under state_dict"),
        ({3: torch.zeros(1)}, "holds a Tensor under 3, expected tensors by name"),
        (loop(), "holds a dict under 'model'"),
    ],
)
def test_what_is_no_state_dict_is_refused(content, message, tmp_path):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InputError, match=f"x.pt {message}"):
        read_state_dict(tmp_path / "x.pt")


class Explosive:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(zipped, tmp_path):
    bomb, path = tmp_path / "exploded", tmp_path / "weights.pth"
    content = {"conv.weight": Explosive(bomb)}
    torch.save(content, path) if zipped else path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=r"weights.pth .*; expected what torch.save\(module.state_dict") as error:
        load_weights(net(), path)
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)
    assert not bomb.exists()
    pickle.loads(pickle.dumps(content))
    assert bomb.exists()  # The bomb works.


@pytest.mark.parametrize(
    ("content", "name"),
    [(net(), "torch.nn.modules.container.Sequential"), (argparse.Namespace(), "argparse.Namespace")],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_objects_are_named(content, name, zipped, tmp_path):
    torch.save({"model": prefixed(""), "extra": content}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=f"x.pt holds a pickled {name}, which is refused: to read it can run code"):
        load_weights(net(), tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files_are_refused(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    save_file(prefixed(""), path) if suffix == ".safetensors" else torch.save(prefixed(""), path)
    whole = path.read_bytes()
    for damaged in (b"", b"not weights", whole[:20], whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=f"x{suffix} is truncated"):
            read_state_dict(path)
    with pytest.raises(InputError, match="no checkpoint file .*none.pt"):
        read_state_dict(tmp_path / "none.pt")
    with pytest.raises(InputError, match="no checkpoint file"):
        read_state_dict(tmp_path)


def test_torchscript_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but such files are about
        torch.jit.script(nn.Conv2d(3, 1, 1)).save(tmp_path / "x.pt")
        with pytest.raises(InputError, match="x.pt is a TorchScript archive"):
            read_state_dict(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "weight", [torch.eye(2).to_sparse(), torch.eye(2, dtype=torch.complex64), torch.empty(2, 2, device="meta")]
)
def test_a_weight_that_is_no_dense_real_tensor_is_refused(tmp_path, weight):
    torch.save({"weight": weight}, tmp_path / "odd.pth")
    with pytest.raises(InputError, match="weight is no dense real tensor|holds more than tensors"):
        load_weights(nn.Linear(2, 2, bias=False), tmp_path / "odd.pth")
