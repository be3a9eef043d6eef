"""Models from what a user types, and foreign modules made ours."""

import pickle
import sys
from pathlib import Path

import pytest
import torch
from model_toys import TASKS, random_images, tiny_network
from safetensors.torch import save_file
from torch import nn

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.models import resolve_model, save_checkpoint, wrap
from mtlattack.tasks import Depth, Normals

FACTORY = """
import torch
from mtlattack.models import wrap
from mtlattack.tasks import Depth

def make():
    torch.manual_seed(0)
    return wrap(torch.nn.Conv2d(3, 1, 1), {"depth": Depth()}, outputs={"depth": slice(None)})

def plain():
    return torch.nn.Conv2d(3, 1, 1)

def listed():
    net = plain()
    net.tasks = ["depth"]
    return net

def number():
    return 3
"""


@pytest.fixture
def factory(tmp_path, monkeypatch) -> str:
    """The name of a module in the current folder."""
    name = f"toy_factory_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(FACTORY)
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
    weights = {"module.weight": torch.full((1, 3, 1, 1), 2.0), "module.bias": torch.ones(1)}
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    model, name = resolve_model(f"{factory}:make", path)
    assert name == f"{factory}:make@weights"
    assert torch.allclose(model(torch.ones(1, 3, 2, 2))["depth"], torch.tensor(7.0))


class Explosive:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(factory, zipped, tmp_path):
    bomb, path = tmp_path / "exploded", tmp_path / "weights.pth"
    content = {"module.weight": Explosive(bomb)}
    torch.save(content, path) if zipped else path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="does not fit the model") as error:
        resolve_model(f"{factory}:make", path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert not bomb.exists()
    pickle.loads(pickle.dumps(content))
    assert bomb.exists()  # The bomb works.


def test_weights_that_do_not_fit_are_refused(factory, tmp_path):
    path = tmp_path / "weights.pt"
    for content in ({"module.weight": torch.zeros(1)}, [1, 2], {}):
        torch.save(content, path)
        with pytest.raises(InputError, match="weights.pt does not fit the model"):
            resolve_model(f"{factory}:make", path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="weights.pt does not fit the model"):
        resolve_model(f"{factory}:make", path)
    with pytest.raises(InputError, match="no checkpoint file .*none.pt"):
        resolve_model(f"{factory}:make", tmp_path / "none.pt")


@pytest.mark.parametrize("attribute", ["plain", "number", "listed"])
def test_a_factory_that_gives_no_multi_task_model_is_refused(factory, attribute):
    with pytest.raises(InputError, match=f"{factory}:{attribute} gives .*expected an nn.Module with tasks"):
        resolve_model(f"{factory}:{attribute}")


@pytest.mark.parametrize("reference", ["{}:none", "{}:", "no_such_module_anywhere:make", ":make"])
def test_a_factory_that_is_not_there_is_refused(factory, reference):
    reference = reference.format(factory)
    with pytest.raises(InputError, match=f"model '{reference}'"):
        resolve_model(reference)


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


class Foreign(nn.Module):
    """Returns depth and normals as a dict, a list or a tuple of what it was given."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x):
        outputs = (x.mean(1, keepdim=True), 2 * x)
        return dict(zip(("depth", "n"), outputs, strict=True)) if self.kind is dict else self.kind(outputs)


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        (dict, {"depth": "depth", "normals": "n"}),
        (list, {"depth": 0, "normals": 1}),
        (tuple, {"depth": 0, "normals": -1}),
    ],
)
def test_wrap_normalises_and_finds_outputs_by_key_or_position(kind, outputs):
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    tasks, images = {"depth": Depth(), "normals": Normals()}, random_images()
    predictions = wrap(Foreign(kind), tasks, mean=mean, std=std, outputs=outputs)(images)
    x = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert list(predictions) == list(tasks)
    assert torch.equal(predictions["depth"], x.mean(1, keepdim=True)) and torch.equal(predictions["normals"], 2 * x)


def test_wrap_goes_by_the_tasks_names_and_leaves_images_alone_by_default():
    images = random_images()
    model = wrap(Foreign(dict), {"depth": Depth()})
    assert torch.equal(model(images)["depth"], images.mean(1, keepdim=True)) and isinstance(model.tasks["depth"], Depth)


@pytest.mark.parametrize(
    ("kind", "outputs", "message"),
    [
        (dict, {"depth": "deep"}, r"returned \['depth', 'n'\].*deep"),
        (dict, {"depth": 0}, r"returned \['depth', 'n'\]"),
        (list, {"depth": 2}, "returned list"),
        (tuple, {"depth": "depth"}, "returned tuple"),
    ],
)
def test_wrap_says_which_outputs_are_missing(kind, outputs, message):
    with pytest.raises(InputError, match=message):
        wrap(Foreign(kind), {"depth": Depth()}, outputs=outputs)(random_images())


def test_wrap_refuses_outputs_for_other_tasks():
    with pytest.raises(InputError, match=r"outputs are given for \['normals'\], the tasks are \['depth'\]"):
        wrap(Foreign(dict), {"depth": Depth()}, outputs={"normals": "n"})
