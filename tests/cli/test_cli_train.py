"""`mtlattack train`: a recipe becomes a checkpoint with its card."""

import json
import re
from pathlib import Path

import pytest
from cli_toys import CommandLine, files

from mtlattack.evaluation import Record

RECIPE = """
name = "tiny-rooms"
data = "{data}"
tasks = ["segmentation", "depth", "keypoints2d"]
epochs = 1
batch_size = 4
[network]
backbone = "resnet10t"
backbone_options = {{channels = [8, 8, 16, 16], stem_width = 8}}
output_stride = 16
head_width = 8
"""


@pytest.fixture
def recipe(cli: CommandLine, rooms: Path) -> Path:
    path = Path("tiny.toml")
    path.write_text(RECIPE.format(data=rooms))
    return path


def test_card_says_what_run_measures(cli: CommandLine, recipe: Path, rooms: Path) -> None:
    out = cli.good("train", recipe, "--limit", 8, "--workers", 0, "--out", "made").splitlines()
    checkpoint, card = Path(out[-2]), Path(out[-1])
    assert out[0].startswith("epoch 1/1  depth ") or out[0].startswith("epoch 1/1  segmentation ")
    assert re.fullmatch(r"tiny-rooms-[0-9a-f]{8}\.safetensors", checkpoint.name) and card.name == "tiny-rooms.md"

    cli.good("run", "--model", checkpoint, "--data", rooms, "--attacks", "none", "--out", "clean", "--limit", 8)
    record = Record.model_validate_json(Path("clean/record.json").read_text())
    rows = re.findall(r"^\| (\w+) \| ([\w.]+) [↑↓] \| ([\d.]+)", card.read_text(), re.MULTILINE)
    assert {(task, metric): value for task, metric, value in rows} == {
        (task, metric): f"{value:.4f}" for task, metrics in record.clean.items() for metric, value in metrics.items()
    }
    assert set(record.clean) == {"segmentation", "depth", "keypoints2d"}

    again = cli.good("train", recipe, "--limit", 8, "--workers", 0, "--out", "made").splitlines()
    assert again[0] == "resuming tiny-rooms after epoch 1" and again[-2] == out[-2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rooms-resnet10t.sharde"], "unknown recipe 'rooms-resnet10t.sharde'; did you mean 'rooms-resnet10t.shared'?"),
        (["none.toml"], "no recipe file none.toml"),
        (["tiny.toml", "--limit", "0"], "limit 0, expected at least 1"),
        (["tiny.toml", "--data", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["tiny.toml", "--data", "none.h5"], "no data file none.h5"),
    ],
)
def test_mistakes_write_nothing(
    arguments: list[str], message: str, cli: CommandLine, recipe: Path, tmp_path: Path
) -> None:
    before = files(tmp_path)
    assert message in cli.bad("train", *arguments, "--out", "made")
    assert files(tmp_path) == before and not Path("made").exists()


def test_task_that_the_data_lacks(cli: CommandLine, recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace('"depth"', '"dept"'))
    assert "has no labels for dept; it has " in cli.bad("train", recipe, "--out", "made")
    assert not Path("made").exists()


def test_header_holds_the_recipe(cli: CommandLine, recipe: Path) -> None:
    from mtlattack.models import read_description

    out = cli.good("train", recipe, "--limit", 4, "--workers", 0, "--out", "made").splitlines()
    provenance = read_description(out[-2])["provenance"]
    assert provenance["recipe"]["name"] == "tiny-rooms" and provenance["images"] == 4
    assert len(provenance["train_fingerprint"]) == 64 and json.dumps(provenance)
