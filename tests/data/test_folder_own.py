"""The recipe of the docs with its kinds of task, run to a report; labels in tables; which normals are kept."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_toys import SIZE
from published_toys import room, save_npy, save_png

import mtlattack as mta
from mtlattack.data import load_dataset, prepare, preview, verify
from mtlattack.data.account import Account, describe_accounts, read_accounts, warn_of_much
from mtlattack.data.sources.folder_schema import FolderDescription
from mtlattack.errors import InputError
from mtlattack.schemas import validate
from mtlattack.tasks import TASKS, add_plugins, task_types
from mtlattack.tasks.plugins import VARIABLE

SECTION = (
    (Path(__file__).parents[2] / "datasets/README.md").read_text().split("## Your own folder")[1].split("\n## ")[0]
)
RECIPE = re.search(r"```toml\n(.*?)```", SECTION, re.S)[1]
PLUGIN = re.search(r"```python\n(.*?)```", SECTION, re.S)[1]
OWN = {"pose": 17, "boundary": 1, "mean_curvature": 1, "flow": 2}
HEADER = (
    "name = 'x'\nlicense = '-'\ncitation = '-'\nsize = [48, 64]\n[splits.test]\n[image]\npattern = 'rgb/{id}.png'\n"
)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of the docs, imported; afterwards its kinds are forgotten."""
    monkeypatch.setattr(TASKS, "_entries", dict(TASKS._entries))
    monkeypatch.setenv(VARIABLE, "")
    path = tmp_path / "my_tasks.py"
    path.write_text(PLUGIN)
    add_plugins([str(path)])
    monkeypatch.delitem(__import__("sys").modules, "my_tasks")
    return path


def write_described(folder: Path) -> Path:
    """Files as the recipe of the docs wants them, of 12×16 pixels."""
    draw = np.random.default_rng(0)
    (folder / "mtlattack.toml").write_text(RECIPE.replace("size = [240, 320]", f"size = {list(SIZE)}"))
    described = validate(FolderDescription, tomllib.loads(RECIPE))
    normals = draw.normal(size=(*SIZE, 3))
    normals[..., 2] = np.abs(normals[..., 2])  # published with z toward the camera
    made = {
        "segmentation": draw.choice([0, 1, 2, 7, 8], SIZE).astype(np.uint8),
        "depth": np.full(SIZE, 2000, np.uint16),  # a wall ahead tells nothing of signs
        "normals": normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        "edge_texture": draw.integers(0, 9000, SIZE).astype(np.uint16),
        "principal_curvature": draw.normal(size=(*SIZE, 2)),
        "pose": draw.random((*SIZE, 17)),
        "boundary": draw.integers(0, 256, SIZE).astype(np.uint8),
        "mean_curvature": draw.normal(size=SIZE),
        "flow": 3 * draw.normal(size=(*SIZE, 2)),
    }
    rows = ["image,room,has_window,has_lamp,area"]
    for split, identity in (("train", "a"), ("train", "b"), ("val", "kitchen1"), ("val", "hall/2"), ("val", "attic")):
        save_png(folder / split / f"rgb/{identity}.png", draw.integers(0, 256, (*SIZE, 3)).astype(np.uint8))
        for label in described.labels:
            if label.encoding != "csv":
                path = folder / label.pattern.replace("{split}", split).replace("{id}", identity)
                (save_npy if label.encoding == "npy" else save_png)(path, made[label.kind])
        rows.append(f"{identity},{'' if identity == 'a' else 'hall'},{len(rows) % 2},,{len(rows)}.5")
    (folder / "rooms.csv").write_text("\n".join(rows) + "\n")
    return folder


class Linear(torch.nn.Module):
    """A 1×1 convolution a task; of the whole image its mean."""

    def __init__(self, tasks: dict[str, Any]) -> None:
        super().__init__()
        self.tasks = tasks
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.heads = torch.nn.ModuleDict(
                {name: torch.nn.Conv2d(3, task.channels, 1) for name, task in tasks.items()}
            )

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        dense = {name: head(images) for name, head in self.heads.items()}
        return {name: x if self.tasks[name].dense else x.mean((2, 3)) for name, x in dense.items()}


def test_the_recipe_of_the_docs_runs_to_a_report(plugin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    prepared = prepare("folder", write_described(folder), tmp_path / "out.h5")
    assert verify(prepared).ok and preview(load_dataset(prepared), tmp_path / "look.png").is_file()
    data, train = load_dataset(prepared), load_dataset(prepared, "train")
    assert data.ids == ["hall/2", "kitchen1"] and set(OWN) < set(data.tasks)
    assert {name: data.tasks[name].channels for name in OWN} == OWN
    assert data.tasks["scalar"].metric_table[0].title == "abs_error m² ↓"
    assert [int(train[k].targets["classification"]) for k in range(2)] == [-1, 1]
    assert (
        train[1].targets["multilabel"].isnan().tolist() == [[False, True]] and float(train[1].targets["scalar"]) == 2.5
    )
    flow = np.load(folder / "train/flow/a.npy").transpose(2, 0, 1)
    np.testing.assert_allclose(train[0].targets["flow"][0], flow, atol=1 / 128)
    turned = train.tasks["flow"].mirrored(train[0].targets["flow"][0])
    np.testing.assert_allclose(turned[0], -flow[0, :, ::-1], atol=1 / 128)
    attack = mta.create_attack("bim-relative", eps=8 / 255, steps=1)
    run = mta.evaluate(Linear(data.tasks), data, [attack], path=tmp_path / "run")
    assert set(OWN) < set(run.tasks) and np.isfinite(run.attacked[0].losses).all() and str(run.report())


def test_every_kind_has_a_description(plugin: Path) -> None:
    from mtlattack.data.sources.folder_kinds import way_of

    assert {way_of(kind) for kind in task_types()} == {"classes", "answers", "numbers", "normals"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("import nowhere_to_be_found", "ModuleNotFoundError"), ("1/0", "ZeroDivisionError"), (None, "no such file")],
)
def test_a_plugin_that_fails_is_named(
    text: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    path = tmp_path / "broken_plugin.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=f"plugin '.*broken_plugin.py': {said}|{said}"):
        add_plugins([str(path)])


# --- tables

TABLE = f"""{HEADER}
[[labels]]
kind = 'classification'
encoding = 'csv'
pattern = 't.csv'
columns = ['c']
classes = ['a', 'b']
"""
WRONG: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no row": ("id,c\n1,a\n", str, "t.csv has no row for '0' in its column 'id'"),
    "no column": ("id,d\n0,a\n", str, "unknown column of .*t.csv: 'c'"),
    "twice": ("id,c\n0,a\n0,b\n", str, "t.csv has two rows for '0'"),
    "name": ("id,c\n0,x\n", str, "t.csv: 'x' of '0', expected a number, or one of a, b"),
    "class": ("id,c\n0,2\n", str, "t.csv has the class 2, which is neither a class nor in ignore"),
    "id in pattern": ("", lambda x: x.replace("t.csv", "{id}.csv"), "expected {id} nowhere, for a table is one file"),
    "columns": ("", lambda x: x.replace("['c']", "['c', 'd']"), r"columns \['c', 'd'\], expected 1"),
    "a png": (
        "",
        lambda x: x.replace("csv'", "png8'", 1).replace("t.csv", "{id}.png"),
        "encoding 'png8', expected one of csv, npy",
    ),
    "dense": ("", lambda x: x.replace("classification", "segmentation"), "encoding 'csv', expected one of png8, png16"),
    "option": ("", lambda x: x.replace("classification", "scalar").replace("classes =", "x ="), "Extra inputs"),
}


def prepared_room(folder: Path, recipe: str, normals: np.ndarray | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    save_png(folder / "rgb/0.png", room(0)["image"])
    if normals is not None:
        save_npy(folder / "n/0.npy", normals)
        save_npy(folder / "d/0.npy", room(0)["depth"] / 1000)
    (folder / "mtlattack.toml").write_text(recipe)
    return prepare("folder", folder, folder / "out.h5")


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_with_a_table_is_named(fault: str, tmp_path: Path) -> None:
    text, change, said = WRONG[fault]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        prepared_room(tmp_path, change(TABLE))


# --- normals

NORMALS = HEADER + "[[labels]]\nkind = 'normals'\nencoding = 'npy'\npattern = 'n/{id}.npy'\nframe = 'x,y,z'\n"
DEPTH = "[[labels]]\nkind = 'depth'\nencoding = 'npy'\npattern = 'd/{id}.npy'\n"
ROOM = room(0)["normals"] / 127


def test_normals_away_from_the_camera_are_refused_without_depth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4.7 % of the normals face the camera .* z turned 95.3 % do"):
        prepared_room(tmp_path, NORMALS, -ROOM)
    assert verify(prepared_room(tmp_path, NORMALS + "agreement = 0.0", -ROOM)).ok


def test_a_label_of_which_nothing_is_left_is_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    """Also where the source itself says that all of it means nothing."""
    warn_of_much(
        Path("a.h5"), {("test", "depth"): Account(48, 0, {"number 0": 48}), ("test", "normals"): Account(48, 1)}
    )
    assert [str(warning.message) for warning in recwarn] == ["a.h5: nothing of test/depth was kept"]


def test_one_cause_is_one_warning(recwarn: pytest.WarningsRecorder) -> None:
    none, some = Account(50, 0, dropped={"no value": 50}), Account(50, 44, dropped={"no value": 1, "length": 5})
    accounts = {
        ("train", "depth"): none,
        ("test", "depth"): none,
        ("train", "normals"): some,
        ("test", "normals"): some,
    }
    warn_of_much(Path("a.h5"), accounts)
    assert [str(warning.message) for warning in recwarn] == [
        "a.h5: nothing of train/depth, test/depth was kept: no value",
        "a.h5: 12.00 % of train/normals, 12.00 % of test/normals were left out: no value, length",
    ]


@pytest.mark.parametrize("wrong", [0.27, 0.45])
def test_noisy_normals_pass_and_the_recipe_says_how_noisy_they_may_be(wrong: float, tmp_path: Path) -> None:
    """The signs of x at random in twice this share of the pixels: a right frame at 73 % passes, 55 % is asked for."""
    signs = np.where(np.random.default_rng(0).random(ROOM.shape[:2]) < wrong, -1, 1)
    noisy = ROOM * np.stack([signs, np.ones_like(signs), np.ones_like(signs)], -1)
    if wrong < 0.3:
        assert verify(prepared_room(tmp_path, NORMALS + DEPTH, noisy)).ok
        return
    said = r"x 5\d.\d %, y .* expected at least 60 % .*best of all 48 is .* By their worst axis: .*; the other \d+ have"
    with pytest.raises(InputError, match=said):
        prepared_room(tmp_path, NORMALS + DEPTH, noisy)
    assert verify(prepared_room(tmp_path, NORMALS + "agreement = 0.5\n" + DEPTH, noisy)).ok


def test_lengths_are_the_recipes_and_what_they_leave_out_is_said(tmp_path: Path) -> None:
    spoiled = ROOM.copy()
    spoiled[:24] *= 0.7  # a quarter
    spoiled[24:36] = 0
    with pytest.warns(UserWarning, match=r"25.00 % of test/normals were left out: length not 0.8 to 1.2"):
        path = prepared_room(tmp_path, NORMALS, spoiled)
    account = read_accounts(path)["test", "normals"]
    assert (account.pixels, account.kept) == (48 * 64, int(load_dataset(path)[0].targets["normals"].any(1).sum()))
    assert account.dropped == {"length not 0.8 to 1.2": 12 * 64} and sum(account.none.values()) == 6 * 64
    lines = describe_accounts(read_accounts(path))
    assert any(line.split() == "! 25.00 % length not 0.8 to 1.2".split() for line in lines)
    assert max(map(len, lines)) < 80
    kept = prepared_room(tmp_path, NORMALS + "length = [0.5, 1.5]", spoiled)
    assert read_accounts(kept)["test", "normals"].dropped == {}


def test_a_resumed_preparation_has_the_same_accounts(tmp_path: Path) -> None:
    whole = read_accounts(prepared_room(tmp_path, NORMALS + DEPTH, ROOM))
    assert whole and whole == read_accounts(prepared_room(tmp_path, NORMALS + DEPTH, ROOM))
    assert all(a.pixels == a.kept + a.unsaid + sum(a.none.values()) + sum(a.dropped.values()) for a in whole.values())
