"""`mtlattack data`: verify, preview, prepare."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cli_toys import CommandLine, files

from mtlattack.data import load_dataset
from mtlattack.evaluation import load_suite
from mtlattack.tasks import TASKS


def test_verify_sound_file(cli: CommandLine, rooms: Path) -> None:
    lines = cli.good("data", "verify", rooms).splitlines()
    labels = "depth, edge_texture, keypoints2d, normals, segmentation"
    assert lines[0] == f"test: 8 images with {labels}, fingerprint {load_dataset(rooms).fingerprint()}"
    assert [line.split(":")[0] for line in lines] == ["test", "train"]


def test_verify_lists_every_problem(cli: CommandLine, spoiled: Path) -> None:
    with h5py.File(spoiled, "a") as file:
        file["test/segmentation"][3, 0, 0] = 200
        del file["test/depth"].attrs["scale"]
    ran = cli("data", "verify", spoiled)
    assert ran.code == 2 and ran.err == ""
    assert "test: 8 images" in ran.out and "not in order" in ran.out.splitlines()[0]
    assert "test/segmentation image 'test-00003': class 200" in ran.out
    assert "test/depth: no attribute 'scale'" in ran.out


@pytest.mark.parametrize("options", [{}, {"every": 3}, {"every": 2, "limit": 3}, {"limit": 2, "split": "train"}])
def test_digests_are_what_a_suite_on_these_images_pins(cli: CommandLine, rooms: Path, options: dict[str, Any]) -> None:
    """Pasted into the suite file they are its `data_sha256`, and the suite itself asks for the same ones."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    table = cli.good("data", "verify", rooms, "--digests", *arguments)
    which = "".join(f"{name} = {value!r}\n" for name, value in options.items())
    suite = Path("suite.toml")
    suite.write_text(f'name = "s"\nversion = 1\ndescription = ""\ndata = "rooms"\neps = [4]\nattacks = []\n{which}')
    assert cli.good("data", "verify", rooms, "--digests", "--suite", suite) == table
    suite.write_text(f"{suite.read_text()}\n{table}")
    pinned = load_suite(str(suite)).data_sha256
    assert pinned == load_dataset(rooms, **options).digests() and list(pinned)[:2] == ["id", "image"]


def test_digests_of_a_shipped_suite_are_those_in_its_file(cli: CommandLine) -> None:
    table = cli.good("data", "verify", "rooms", "--digests", "--suite", "quick")
    assert tomllib.loads(table) == {"data_sha256": load_suite("quick").data_sha256}
    assert list(tomllib.loads(table)["data_sha256"]) == list(load_suite("quick").data_sha256 or ())


def test_digests_stand_in_the_order_of_the_suite_or_the_data_set(cli: CommandLine, rooms: Path, spoiled: Path) -> None:
    """Not alphabetically; of other data than any suite is on there is no order but that."""
    own = ["id", "image", "normals", "depth", "segmentation", "keypoints2d", "edge_texture"]
    lines = "".join(f'{name} = "{"0" * 64}"\n' for name in own)
    Path("suite.toml").write_text(
        f'name = "s"\nversion = 1\ndescription = ""\ndata = "rooms"\neps = [4]\nattacks = []\n[data_sha256]\n{lines}'
    )

    def names(data: Path) -> list[str]:
        table = cli.good("data", "verify", data, "--digests", "--limit", 1)
        return list(tomllib.loads(table)["data_sha256"])

    pinned = cli.good("data", "verify", rooms, "--digests", "--suite", "suite.toml")
    assert list(tomllib.loads(pinned)["data_sha256"]) == own
    shipped = ["id", "image", "segmentation", "depth", "normals", "edge_texture", "keypoints2d"]
    assert names(rooms) == shipped == list(load_suite("quick").data_sha256 or ())
    with h5py.File(spoiled, "r+") as file:
        file.attrs["name"] = "halls"
    assert names(spoiled) == ["id", "image", *sorted(shipped[2:])]


def test_digests_of_no_images(cli: CommandLine, rooms: Path) -> None:
    assert cli.bad("data", "verify", rooms, "--digests", "--every", 0) == "every 0, expected at least 1"
    assert "unknown split" in cli.bad("data", "verify", rooms, "--digests", "--split", "tset")


def test_damaged_data_are_pinned_by_nothing(cli: CommandLine, spoiled: Path) -> None:
    with h5py.File(spoiled, "a") as file:
        file["test/depth"][:] = 0
    ran = cli("data", "verify", spoiled, "--digests")
    assert ran.code == 2 and "[data_sha256]" not in ran.out
    assert ran.out.splitlines()[-1] == "test/depth: no image of this split has a valid pixel"


def test_preview(cli: CommandLine, rooms: Path) -> None:
    assert cli.good("data", "preview", rooms, "--out", "new/panel.png", "--count", 2) == "new/panel.png\n"
    assert Path("new/panel.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["verify", "nyuv2"], "nyuv2 is not prepared: run `mtlattack data prepare nyuv2 --from FOLDER`"),
        (["verify", "none.h5"], "no data file none.h5"),
        (["verify", "rooms", "--limit", "3"], "--limit goes with --digests"),
        (["verify", "rooms", "--suite", "quick"], "--suite goes with --digests"),
        (
            ["verify", "rooms", "--digests", "--suite", "quick", "--every", "2"],
            "--suite and --every do not go together",
        ),
        (["verify", "rooms", "--digests", "--suite", "quik"], "unknown suite 'quik'; did you mean 'quick'?"),
        (["verify", "rooms", "--digests", "--suite", "nyuv2-board"], "suite 'nyuv2-board' is on nyuv2, not on rooms"),
        (["verify", "rooms", "--digests", "--suite", "none.toml"], "no suite file none.toml"),
        (["verify", "rooms", "--digests", "--split", "tset"], "unknown split of rooms 'tset'; did you mean 'test'?"),
        (["preview", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["preview", "rooms", "--count", "0"], "count 0, expected at least 1"),
        (["preview", "rooms", "--split", "tset"], "unknown split of rooms 'tset'; did you mean 'test'?"),
        (["prepare", "nyu", "--from", "."], "unknown source of data 'nyu'; did you mean 'nyuv2'?"),
        (["prepare", "nyuv2"], "Missing option '--from'"),
        (["prepare", "nyuv2", "--from", "none"], "none"),
        (["prepare", "nyuv2", "--from", ".", "--height", "60"], "--height and --width go together"),
        (["prepare", "nyuv2", "--from", ".", "--height", "sixty"], "Invalid value for '--height'"),
        (["prepear"], "No such command 'prepear'"),
    ],
)
def test_mistakes(arguments: list[str], message: str, cli: CommandLine, tmp_path: Path) -> None:
    assert message in cli.bad("data", *arguments)
    assert not files(tmp_path)


# --- preparing, and comparing with the source


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """One image a split, flat and frontal but for a slanted floor, in MTAN's layout; normals x, −y, −z."""
    rows = np.arange(288)[:, None] / 311.0
    ours = np.zeros((288, 384, 3))
    ours[:144] = [0.48, 0.0, -0.877268]
    ours[144:, :, 1:] = [-0.6, -0.8]
    u, v = np.meshgrid((np.arange(384) - 194.7) / 311.3, (np.arange(288) - 151.6) / 311.7)
    depth = 2 / -(ours * np.stack([u, v, np.ones_like(u)], -1)).sum(-1)
    arrays = {
        "image": np.clip(np.stack([u + 0.5, rows + 0 * u, 0.5 + 0 * u], -1), 0, 1),
        "label": np.repeat(np.arange(-1, 11), 24)[:, None].repeat(384, 1),
        "depth": np.where((depth > 0) & (depth < 10), depth, 0)[..., None],
        "normal": ours * [1, -1, -1],
    }
    for split in ("train", "val"):
        for kind, array in arrays.items():
            (tmp_path / "mtan" / split / kind).mkdir(parents=True)
            np.save(tmp_path / "mtan" / split / kind / "0.npy", array.astype(np.float32))
    return tmp_path / "mtan"


def test_prepare_and_compare(cli: CommandLine, published: Path, tmp_path: Path) -> None:
    small = ["--height", 24, "--width", 32]
    made = cli.good("data", "prepare", "nyuv2-mtan", "--from", published, *small, "--option", "frame=x,-y,-z")
    *table, path = made.splitlines()
    assert path == str(tmp_path / "cache" / "nyuv2-mtan.h5")
    assert [line.split()[:2] for line in table if line[0] not in " l"] == [
        [split, label] for split in ("test", "train") for label in ("depth", "normals", "segmentation")
    ]
    assert all(len(line) < 80 for line in table)
    assert len(cli.good("data", "verify", "nyuv2-mtan", "--from", published).splitlines()) == 2
    (published / "val" / "depth" / "0.npy").unlink()
    ran = cli("data", "verify", "nyuv2-mtan", "--from", published)
    assert ran.code == 2 and ran.out.splitlines()[2:] == [f"val/depth/0.npy is missing in {published}"]
    assert cli("data", "verify", "nyuv2-mtan").code == 0
    assert "no file or folder nowhere" in cli("data", "verify", "nyuv2-mtan", "--from", "nowhere").err


def test_wrong_options(cli: CommandLine, published: Path, tmp_path: Path) -> None:
    command = ["data", "prepare", "nyuv2-mtan", "--from", published]
    assert "not in the frame x,y,z" in cli.bad(*command, "--option", "frame=x,y,z", "--option", "splits=train")
    message = "unknown option of nyuv2-mtan 'farme'; did you mean 'frame'?"
    assert cli.bad(*command, "--option", "farme=x,y,z") == message
    assert "--option 'frame', expected KEY=VALUE" in cli.bad(*command, "--option", "frame")
    assert not (tmp_path / "cache").exists()


def test_a_plugin_is_known_to_the_command(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS, "_entries", dict(TASKS._entries))
    monkeypatch.setenv("MTLATTACK_PLUGIN", "")
    path = tmp_path / "plugin_of_a_test.py"
    path.write_text(
        "from mtlattack.tasks import TASKS, Heatmap\n\n\n@TASKS.register('shadow')\nclass Shadow(Heatmap):\n"
        "    kind = 'shadow'\n"
    )
    assert "shadow" not in cli.good("list", "tasks")
    Path("mtlattack.toml").write_text(
        "name = 'x'\nlicense = '-'\ncitation = '-'\nsize = [8, 8]\n[splits.test]\n[image]\npattern = '{id}.png'\n"
        "[[labels]]\nkind = 'shadow'\nencoding = 'png8'\npattern = '{id}.png'\n"
    )
    told = cli.bad("data", "prepare", "folder", "--from", ".", "--out", "out.h5")
    assert "labels.0: unknown kind of label 'shadow'" in told and told.endswith("--plugin or $MTLATTACK_PLUGIN")
    assert "shadow" in cli.good("--plugin", path, "list", "tasks")
    assert f"plugin '{tmp_path / 'none.py'}': " in cli.bad("--plugin", tmp_path / "none.py", "list", "tasks")
    monkeypatch.delitem(sys.modules, "plugin_of_a_test")
