"""`mtlattack craft` and `mtlattack judge`: together `mtlattack run`; images of others are held against their word."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_toys import CommandLine, files, plain, run_quietly

from mtlattack.data import load_dataset

ATTACKS = ["--attacks", "fgsm-total,noise-dgba", "--eps", "4", "--limit", 3, "--batch-size", 2]


@pytest.fixture(scope="module")
def whole(rooms: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in one."""
    folder = tmp_path_factory.mktemp("whole")
    run_quietly("run", "--model", checkpoint, "--data", rooms, "--device", "cpu", *ATTACKS, "--out", folder)
    return folder


@pytest.fixture(scope="module")
def crafted(rooms: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of its images."""
    path = tmp_path_factory.mktemp("crafted") / "images.h5"
    run_quietly("craft", "--model", checkpoint, "--data", rooms, "--device", "cpu", *ATTACKS, "--out", path)
    return path


def test_both_are_a_run_but_for_what_says_that_images_were_given(
    cli: CommandLine, whole: Path, crafted: Path, rooms: Path, checkpoint: Path
) -> None:
    out = cli.good(
        "judge", crafted.parent, "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "judged"
    )
    judged, expected = plain(Path("judged")), plain(whole)
    source = judged.pop("judged")["source"]
    assert expected.pop("judged") is None and source == expected["model"]
    assert judged == expected
    assert "images that were given, made they say on tiny" in " ".join(out.split())
    assert out.splitlines()[-1] == "judged/record.json, judged/evidence.h5"


def test_what_was_crafted_is_not_crafted_again(cli: CommandLine, crafted: Path, rooms: Path, checkpoint: Path) -> None:
    before = crafted.read_bytes()
    command = ["craft", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", crafted]
    assert cli.good(*command, *ATTACKS).startswith(f"{crafted}: 2 attacks on 3 images, ")
    assert "holds images of another plan; start anew" in cli.bad(*command, *ATTACKS, "--seed", 1)
    assert crafted.read_bytes() == before


def test_an_image_outside_its_ball_is_refused_and_named(cli: CommandLine, rooms: Path, checkpoint: Path) -> None:
    """Somebody's own file: one image of three goes five grey levels off where four were claimed."""
    data = load_dataset(rooms, limit=3)
    images = np.concatenate([data[i].images.numpy() for i in range(3)])
    images[1] += np.float32(5 / 255) * np.where(images[1] < 0.5, 1, -1).astype(np.float32)
    with h5py.File("theirs.h5", "w") as file:
        file.attrs.update(format="mtlattack-images", format_version=1)
        file["id"] = data.ids
        group = file.create_group("attacks/0000")
        group.attrs["config"] = json.dumps({"name": "mine", "norm": "linf", "eps": 4 / 255})
        group["images"] = images
    told = cli.bad("judge", "theirs.h5", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "out")
    assert told == (
        "theirs.h5: mine: image 'test-00001' is outside linf 4/255: a value would have to change by 0.00392"
    )
    assert "record.json" not in files(Path("out"))
    with h5py.File("theirs.h5", "r+") as file:
        file["attacks/0000/images"][1] = images[1] + (data[1].images[0].numpy() - images[1]) * np.float32(0.21)
    theirs = ("judge", "theirs.h5", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "out")
    assert cli(*theirs, "--fresh").code == 0
    record = json.loads(Path("out/record.json").read_text())
    assert [attack["name"] for attack in record["attacks"]] == ["mine"]


def test_another_model_has_a_folder_of_its_own(cli: CommandLine, rooms: Path, checkpoint: Path, crafted: Path) -> None:
    shutil.copytree(crafted.parent, "kept")
    shutil.copy(checkpoint, "other.safetensors")
    for model in (checkpoint, "other.safetensors"):
        out = cli("judge", "kept", "--model", model, "--data", rooms, "--device", "cpu").out
        place = "kept" if model == checkpoint else "kept/other"
        assert out.splitlines()[-1] == f"{place}/record.json, {place}/evidence.h5"
    assert "Invalid value for '--batch-size'" in cli.bad("judge", "kept", "--batch-size", 0)


def test_whose_images_these_are_must_be_said(cli: CommandLine, rooms: Path, checkpoint: Path, crafted: Path) -> None:
    with h5py.File(crafted) as source, h5py.File("theirs.h5", "w") as file:
        plan = json.loads(source.attrs["plan"])
        for name in ("attacks", "id"):
            source.copy(name, file)
        file.attrs.update(format="mtlattack-images", format_version=1)
    told = "theirs.h5 does not say"
    assert cli.bad("judge", "theirs.h5").startswith(f"{told} on which model it was made; give one with --model")
    assert cli.bad("judge", "theirs.h5", "--model", checkpoint).startswith(f"{told} of which data it was made")
    Path("code.py").write_text("open('ran', 'w')\ndef make(): pass\n")
    for wrong, said in (
        ({**plan, "model": {"name": "code:make"}}, "names the model 'code:make', code that no file may run; give it"),
        ({**plan, "model": {}}, "theirs.h5: plan.model.name: Field required"),
        ({**plan, "batch_size": "x"}, "theirs.h5: plan.batch_size: Input should be a valid integer"),
    ):
        with h5py.File("theirs.h5", "r+") as file:
            file.attrs["plan"] = json.dumps(wrong)
        assert said in cli.bad("judge", "theirs.h5")
    assert not Path("ran").exists()
    with h5py.File("theirs.h5", "r+") as file:
        file.attrs["plan"] = json.dumps({**plan, "data": {"name": "mine", "split": "test"}})
    told = "theirs.h5 was made of 'mine', which is no data set by name; give the file with --data"
    assert cli.bad("judge", "theirs.h5", "--model", checkpoint) == told


def test_crafting_does_not_go_on_with_what_it_did_not_lay_out(
    cli: CommandLine, crafted: Path, rooms: Path, checkpoint: Path
) -> None:
    """Without its marks an attack would be done, and its images black."""
    shutil.copy(crafted, "images.h5")
    command = ["craft", "--model", checkpoint, "--data", rooms, "--device", "cpu", "--out", "images.h5", *ATTACKS]
    with h5py.File("images.h5", "r+") as file:
        del file["attacks/0000/done"]
    assert cli.bad(*command) == "images.h5 is damaged: attacks/0000/done is missing, or no array"
