"""Training on labels of pixels and of whole images: the head, what is learnt, checkpoints, TRADES."""

from pathlib import Path

import pytest
import torch
from torch import nn
from whole_image_toys import TASKS, write_whole

from mtlattack.models import create_network, load_checkpoint, save_checkpoint
from mtlattack.models.heads import PooledHead
from mtlattack.training import load_recipe, train

RECIPE = """
name = "whole"
data = "{data}"
tasks = ["segmentation", "depth", "classification", "multilabel", "scalar"]
epochs = 6
batch_size = 4
learning_rate = 0.02
precision = "float32"
stored_dtype = "float32"

[network]
backbone = "resnet10t"
backbone_options = {{ channels = [8, 8, 8, 8], stem_width = 8 }}
output_stride = 16
head_width = 8
"""
TRADES = '\n[adversarial]\nmethod = "trades"\nattack = "pgd-relative"\neps = 4\nsteps = 1\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whole(tmp_path_factory.mktemp("whole") / "whole.h5")


def test_a_recipe_learns_them_and_its_checkpoint_keeps_them(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(data=data))
    state = train(load_recipe(str(path)), tmp_path / "out")
    heads = state.network.heads
    assert {name for name in TASKS if isinstance(heads[name], PooledHead)} == {"classification", "multilabel", "scalar"}
    first, last = state.curves[0], state.curves[-1]
    for name in TASKS:
        assert last[f"train.{name}"] < first[f"train.{name}"], name
    stored = save_checkpoint(state.network, tmp_path, "whole")
    images = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    network = load_checkpoint(stored)
    with torch.inference_mode():
        found, expected = network(images), state.network.eval()(images)
    for name, task in TASKS.items():
        assert found[name].shape == (2, *task.prediction_shape((24, 32)))
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_trades_takes_them(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(data=data).replace("epochs = 6", "epochs = 1") + TRADES)
    assert all(torch.isfinite(p).all() for p in train(load_recipe(str(path)), tmp_path / "out").network.parameters())


def test_the_pooled_head_is_the_mean_and_a_linear_layer() -> None:
    tasks = [TASKS["classification"].config(), TASKS["depth"].config()]
    for sharing in ("tree", "mtan"):
        network = create_network(
            {"tasks": tasks, "backbone": "resnet10t", "output_stride": 16, "head_width": 8, "sharing": sharing}
        ).eval()
        images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
        deepest = network.features(network.normalise(images))["classification"][-1]
        layer = network.heads["classification"].predict
        assert isinstance(layer, nn.Linear)
        torch.testing.assert_close(network(images)["classification"], layer(deepest.mean((2, 3))))
