"""`mtlattack train`: a recipe becomes a checkpoint with its card."""

import json
import re
from pathlib import Path

import h5py
import pytest
from cli_toys import CommandLine, files

from mtlattack.analysis import Record
from mtlattack.models import read_description

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
    assert table_of(card, 1) == {
        (task, metric): f"{value:.4f}" for task, metrics in record.clean.items() for metric, value in metrics.items()
    }
    assert set(record.clean) == {"segmentation", "depth", "keypoints2d"}

    again = cli.good("train", recipe, "--limit", 8, "--workers", 0, "--out", "made").splitlines()
    assert again[0] == "resuming tiny-rooms after epoch 1" and again[-2] == out[-2]


def table_of(card: Path, column: int) -> dict[tuple[str, str], str]:
    """A card's numbers: column 1 is clean, 2 is attacked."""
    rows = re.findall(r"^\| (\w+) \| ([\w.]+) [↑↓] \| ([\d.]+).*? \| ([\d.]+)", card.read_text(), re.MULTILINE)
    return {(row[0], row[1]): row[1 + column] for row in rows}


def test_card_says_what_the_attack_does(cli: CommandLine, recipe: Path, rooms: Path) -> None:
    cli.good("train", recipe, "--limit", 4, "--workers", 0, "--out", "made")
    (checkpoint,), (written,) = Path("made").glob("*.safetensors"), Path("made").glob("*.record.json")
    attack = ("--attacks", "apgd-dgba", "--eps", 4, "--limit", 4)
    cli.good("run", "rooms-linf", "--model", checkpoint, "--data", rooms, *attack, "--out", "attacked")
    metrics = Record.model_validate_json(Path("attacked/record.json").read_text()).attacks[0].metrics
    assert Record.model_validate_json(written.read_text()).attacks[0].metrics == metrics
    expected = {(task, name): f"{value:.4f}" for task, values in metrics.items() for name, value in values.items()}
    assert table_of(Path("made/tiny-rooms.md"), 2) == expected
    assert Path("made/tiny-rooms.curves.csv").read_text().startswith("epoch,seconds,train.segmentation")
    assert Path("made/tiny-rooms.curves.png").read_bytes().startswith(b"\x89PNG")


def test_options_change_the_recipe_and_its_name(cli: CommandLine, recipe: Path) -> None:
    options = ("--adversarial", "pgd-single:depth", "--eps", 8, "--seed", 3)
    out = cli.good("train", recipe, *options, "--limit", 4, "--workers", 0, "--out", "made").splitlines()
    assert Path(out[-1]).name == "tiny-rooms.at-pgd-single-depth.eps8.seed3.md"
    card = Path(out[-1]).read_text()
    command = "mtlattack train tiny.toml --adversarial pgd-single:depth --eps 8.0 --seed 3 --limit 4"
    assert f"| recipe | `{command}` |" in card
    assert "| training | clean+adversarial, pgd-single:depth, linf ε = 8/255, 2 steps |" in card
    trained = read_description(out[-2])["provenance"]["recipe"]
    assert trained["seed"] == 3 and trained["adversarial"]["eps"] == 8
    start = cli.good("train", recipe, "--start", out[-2], "--limit", 4, "--workers", 0, "--out", "more").splitlines()
    assert f"clean; started from {Path(out[-2]).name}" in Path(start[-1]).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rooms-resnet10t.sharde"], "unknown recipe 'rooms-resnet10t.sharde'; did you mean 'rooms-resnet10t.shared'?"),
        (["none.toml"], "no recipe file none.toml"),
        (["tiny.toml", "--limit", "0"], "limit 0, expected at least 1"),
        (["tiny.toml", "--data", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["tiny.toml", "--data", "none.h5"], "no data file none.h5"),
        (["tiny.toml", "--adversarial", "pgd-dbga"], "unknown attack 'pgd-dbga'; did you mean 'pgd-dgba'?"),
        (["tiny.toml", "--eps", "8"], "--eps 8 needs --adversarial: recipe tiny-rooms trains on clean images"),
        (["tiny.toml", "--adversarial", "pgd-dgba", "--eps", "0"], "recipe: eps 0 is outside (0, 255] for linf"),
        (["tiny.toml", "--out", "tiny.toml"], "cannot write to tiny.toml"),
    ],
)
def test_mistakes_write_nothing(
    arguments: list[str], message: str, cli: CommandLine, recipe: Path, tmp_path: Path
) -> None:
    before = files(tmp_path)
    assert message in cli.bad("train", "--out", "made", *arguments)
    assert files(tmp_path) == before and not Path("made").exists()


def test_task_that_the_data_lacks(cli: CommandLine, recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace('"depth"', '"dept"'))
    assert "has no labels for dept; it has " in cli.bad("train", recipe, "--out", "made")
    assert not Path("made").exists()


def test_data_without_a_test_split_is_refused_before_training(cli: CommandLine, recipe: Path, rooms: Path) -> None:
    with h5py.File("train.h5", "w") as file, h5py.File(rooms) as whole:
        file.attrs.update(whole.attrs)
        whole.copy("train", file)
    assert "unknown split in train.h5: 'test'" in cli.bad("train", recipe, "--data", "train.h5", "--out", "made")
    assert not Path("made").exists()


def test_header_holds_the_recipe(cli: CommandLine, recipe: Path) -> None:
    out = cli.good("train", recipe, "--limit", 4, "--workers", 0, "--out", "made").splitlines()
    provenance = read_description(out[-2])["provenance"]
    assert provenance["recipe"]["name"] == "tiny-rooms" and provenance["images"] == 4
    assert len(provenance["train_fingerprint"]) == 64 and json.dumps(provenance)
