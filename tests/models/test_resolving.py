"""Models from what a user types."""

import sys

import pytest
import torch
from model_toys import TASKS, random_images, tiny_network
from safetensors.torch import save_file

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import resolve_model, save_checkpoint

FACTORY = """
import torch
from mtlattack.models import wrap
from mtlattack.tasks import Depth

def make():
    torch.manual_seed(0)
    return wrap(torch.nn.Conv2d(3, 1, 1), {"depth": Depth()}, outputs={"depth": ()})

def plain():
    return torch.nn.Conv2d(3, 1, 1)

def listed():
    net = plain()
    net.tasks = ["depth"]
    return net

def number():
    return 3

def late():
    import {helper}
    return {helper}.make()

def leaves():
    raise SystemExit(0)

def counts():
    return 1 / 0
"""


@pytest.fixture
def factory(tmp_path, monkeypatch) -> str:
    """The name of a module in the current folder."""
    name = f"toy_factory_{tmp_path.name.replace('-', '_')}"
    helper = f"{name}_helper"
    (tmp_path / f"{name}.py").write_text(FACTORY.replace("{helper}", helper))
    (tmp_path / f"{helper}.py").write_text(FACTORY.replace("{helper}", helper))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_a_factory_in_the_current_folder_is_called(factory):
    path = list(sys.path)
    model, name = resolve_model(f"{factory}:make")
    assert name == f"{factory}:make" and not model.training
    assert model(random_images())["depth"].shape == (2, 1, 32, 48)
    assert sys.path == path


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_factorys_model_is_filled_with_weights(factory, suffix, tmp_path):
    weights = {"weight": torch.full((1, 3, 1, 1), 2.0), "bias": torch.ones(1)}
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    model, name = resolve_model(f"{factory}:make", path)
    assert name == f"{factory}:make@weights" and not model.training
    assert torch.allclose(model(torch.ones(1, 3, 2, 2))["depth"], torch.tensor(7.0))


def test_a_factory_imports_what_lies_beside_it_when_called(factory):
    path = list(sys.path)
    model, _ = resolve_model(f"{factory}:late")
    assert model.tasks["depth"] and sys.path == path
    with pytest.raises(InputError):
        resolve_model(f"{factory}:none")
    assert sys.path == path


@pytest.mark.parametrize("attribute", ["plain", "number", "listed"])
def test_a_factory_that_gives_no_multi_task_model_is_refused(factory, attribute):
    with pytest.raises(InputError, match=f"{factory}:{attribute} gives .*expected an nn.Module with tasks"):
        resolve_model(f"{factory}:{attribute}")


@pytest.mark.parametrize("reference", ["{}:none", "{}:", "no_such_module_anywhere:make", ":make"])
def test_a_factory_that_is_not_there_is_refused(factory, reference):
    reference = reference.format(factory)
    with pytest.raises(InputError, match=f"model '{reference}'"):
        resolve_model(reference)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("leaves", r"SystemExit: 0 \(.*.py, line \d+\)"),
        ("counts", r"ZeroDivisionError: division by zero \(.*.py, line"),
    ],
)
def test_what_a_factory_raises_is_said(factory, attribute, message):
    with pytest.raises(InputError, match=f"model '{factory}:{attribute}': {message}"):
        resolve_model(f"{factory}:{attribute}")


@pytest.mark.parametrize(
    ("source", "message"), [("def make(:", "SyntaxError: "), ("import nowhere_at_all", "No module")]
)
def test_a_module_that_cannot_be_imported_is_refused(factory, source, message, tmp_path):
    (tmp_path / f"{factory}_broken.py").write_text(source)
    with pytest.raises(InputError, match=f"model '{factory}_broken:make': {message}"):
        resolve_model(f"{factory}_broken:make")


def test_a_file_in_place_of_a_module_is_refused():
    for reference in ("nets/mine.py:make", "./nets/mine.py:make"):
        with pytest.raises(InputError, match="expected a module's name, not its file: nets.mine:make"):
            resolve_model(reference)


def test_weights_alone_are_no_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="^no checkpoint file some.pth$"):
        resolve_model("some.pth")
    (tmp_path / "some.pth").touch()
    with pytest.raises(
        InputError, match="some.pth holds weights alone; .*--model module:factory --checkpoint some.pth"
    ):
        resolve_model("some.pth")


def test_a_path_gives_the_checkpoint(tmp_path, monkeypatch):
    path = save_checkpoint(tiny_network(), tmp_path, "toy.shared")
    monkeypatch.chdir(tmp_path)
    for text in (str(path), path.name):
        model, name = resolve_model(text)
        assert name == "toy.shared" and not model.training and set(model.tasks) == set(TASKS)
    with pytest.raises(InputError, match="no checkpoint file models/none"):
        resolve_model("models/none")


def test_a_checkpoint_goes_with_a_factory_alone(tmp_path):
    for model in ("rooms-resnet10t.shared", "some.safetensors"):
        with pytest.raises(InputError, match=f"--checkpoint goes with --model module:factory, not with '{model}'"):
            resolve_model(model, tmp_path / "x.pth")


def test_an_unknown_name_is_refused():
    with pytest.raises(UnknownNameError, match="unknown model 'rooms-resnet1t.shard'"):
        resolve_model("rooms-resnet1t.shard")
