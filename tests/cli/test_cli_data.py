"""`mtlattack data`: verify, preview, prepare."""

from pathlib import Path

import h5py
import pytest
from cli_toys import CommandLine, files

from mtlattack.data import load_dataset


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
    assert "test: 8 images" in ran.out and "damaged" in ran.out.splitlines()[0]
    assert "test/segmentation image 'test-00003': class 200" in ran.out
    assert "test/depth: no attribute 'scale'" in ran.out


def test_preview(cli: CommandLine, rooms: Path) -> None:
    assert cli.good("data", "preview", rooms, "--out", "new/panel.png", "--count", 2) == "new/panel.png\n"
    assert Path("new/panel.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["verify", "nyuv2"], "nyuv2 is not prepared: run `mtlattack data prepare nyuv2 --from FOLDER`"),
        (["verify", "none.h5"], "no data file none.h5"),
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
