"""What a user can get wrong about a run: one line, exit code 2, nothing written and everything kept."""

import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_toys import CommandLine, files

BAD_MODULES = """
import torch
def no_model(): return 3
def no_tasks(): return torch.nn.Identity()
"""


@pytest.fixture
def basics(rooms: Path, checkpoint: Path) -> list[object]:
    return ["--model", checkpoint, "--data", rooms, "--attacks", "fgsm-total", "--limit", 2, "--device", "cpu"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qick"], "unknown suite 'qick'; did you mean 'quick'?"),
        (["none.toml"], "no suite file none.toml"),
        (["--model", "rooms-resnet10t.sharde"], "unknown model 'rooms-resnet10t.sharde'"),
        (["--model", "none.safetensors"], "no checkpoint file none.safetensors"),
        (["--model", "no_such_module:make"], "model 'no_such_module:make': No module named 'no_such_module'"),
        (["--model", "json:lods"], "model 'json:lods': module 'json' has no attribute 'lods'"),
        (["--model", ":make"], "model ':make': "),
        (["--checkpoint", "none.pt"], "--checkpoint goes with --model module:factory"),
        (["--data", "romms"], "unknown data set 'romms'; did you mean 'rooms'?"),
        (["--data", "none.h5"], "no data file none.h5"),
        (["--attacks", "fgsm-total,apgd-dbga"], "unknown attack 'apgd-dbga'; did you mean 'apgd-dgba'?"),
        (["--attacks", "fgsm-zzz*"], "unknown attack 'fgsm-zzz*'"),
        (["--attacks", ","], "--attacks ',', expected none for clean only, or names with commas between"),
        (["--attacks", "fgsm-total,"], "--attacks 'fgsm-total,', expected none for clean only, or names"),
        (
            ["--target", "depth:x1"],
            "depth: the target 'x1' is what the labels say already; to hold a task there say keep",
        ),
        (["--target", "depth:keep"], "the target depth keep leads nowhere: beside keep expected a goal for some task"),
        (["--target", "depth"], "--target 'depth', expected TASK:GOAL as in segmentation:1to5 or depth:x1.5"),
        (["--target", "depth:x2", "--target", "depth:keep"], "--target names depth twice: 'x2' and 'keep'"),
        (["--target", "depth:y30"], "unknown target of depth 'y30'"),
        (["--target", "depth:x2", "--attacks", "pgd-dgba"], "dgba leads to no target: its weights 1/L grow"),
        (["--target", "depth:x2", "--attacks", "pgd-dgb*"], "names is made for linf and leads to a target"),
        (["--eps", "300"], "eps 300 is outside (0, 255] for linf"),
        (["--eps", "0"], "eps 0 is outside (0, 255] for linf"),
        (["--eps", "4,4"], "eps [4.0, 4.0] holds a value twice"),
        (["--eps", "four"], "--eps 'four', expected numbers like 4,8 (levels of 255)"),
        (["--eps", "4,"], "--eps '4,', expected numbers"),
        (["--eps", ""], "what follows --eps is empty"),
        (["--limit", "0"], "limit: Input should be greater than or equal to 1 (got 0)"),
        (["--limit", "few"], "Invalid value for '--limit'"),
        (["--batch-size", "0"], "batch_size: Input should be greater than or equal to 1 (got 0)"),
        (["--seed", "-1"], "seed -1, expected a whole number of at least 0"),
        (["--precision", "half"], "unknown precision 'half'; known: auto, bfloat16, float32"),
        (["--precision", "bfloat"], "unknown precision 'bfloat'; did you mean 'bfloat16'?"),
        (["--device", "gpu"], "unknown device 'gpu'; here: cpu"),
        (["--device", "cuda:99"], "device 'cuda:99' is not here; here: cpu"),
    ],
)
def test_mistake_writes_nothing(
    arguments: list[str], message: str, cli: CommandLine, basics: list[object], tmp_path: Path
) -> None:
    assert message in cli.bad("run", *basics, "--out", "out", *arguments)
    assert not files(tmp_path)


@pytest.mark.parametrize("arguments", [["--device", "gpu"], ["--attacks", "apgd-dbga"], ["--data", "none.h5"]])
def test_mistake_keeps_an_earlier_run_even_when_fresh(
    arguments: list[str], cli: CommandLine, basics: list[object]
) -> None:
    cli.good("run", *basics, "--out", "out")
    before = files(Path("out"))
    cli.bad("run", *basics, "--out", "out", "--fresh", *arguments)
    assert files(Path("out")) == before


def test_another_run_in_the_folder(cli: CommandLine, basics: list[object]) -> None:
    cli.good("run", *basics, "--out", "out")
    before = files(Path("out"))
    message = cli.bad("run", *basics, "--out", "out", "--eps", "8")
    assert message.startswith("out/evidence.h5 holds another run (other suite, attacks); start anew with --fresh")
    assert files(Path("out")) == before
    assert cli("run", *basics, "--out", "out", "--eps", "8", "--fresh").code == 0
    assert files(Path("out")) != before


def test_damaged_evidence_is_kept(cli: CommandLine, basics: list[object]) -> None:
    cli.good("run", *basics, "--out", "out")
    evidence = Path("out/evidence.h5")
    evidence.write_bytes(evidence.read_bytes()[:1000])
    before = files(Path("out"))
    assert cli.bad("run", *basics, "--out", "out").startswith("out/evidence.h5 is truncated or no HDF5 file")
    assert files(Path("out")) == before


def test_folder_that_cannot_be_written(cli: CommandLine, basics: list[object]) -> None:
    Path("file").write_text("mine")
    assert cli.bad("run", *basics, "--out", "file/out").startswith("cannot write file/out/evidence.h5")
    assert cli.bad("run", *basics, "--out", "file").startswith("cannot write file/evidence.h5")
    assert Path("file").read_text() == "mine"


def test_a_task_without_a_valid_pixel_is_named(cli: CommandLine, basics: list[object], spoiled: Path) -> None:
    with h5py.File(spoiled, "a") as file:
        file["test/normals"][:] = 0
    for command, out in (("run", "out"), ("craft", "out/images.h5")):
        told = cli.bad(command, *basics, "--data", spoiled, "--out", out)
        assert told == "normals: none of the 2 images has a valid pixel, expected labels or to leave it out"
    assert not Path("out").exists()


def test_truncated_data(cli: CommandLine, basics: list[object], spoiled: Path) -> None:
    spoiled.write_bytes(spoiled.read_bytes()[:-1000])
    assert "spoiled.h5 is truncated or no HDF5 file" in cli.bad("run", *basics, "--data", spoiled, "--out", "out")
    assert not Path("out").exists()


def test_labels_of_another_size(cli: CommandLine, basics: list[object], spoiled: Path) -> None:
    with h5py.File(spoiled, "a") as file:
        del file["test/depth"]
        file["test/depth"] = np.ones((8, 12, 16), np.uint16)
    message = cli.bad("run", *basics, "--data", spoiled, "--out", "out")
    assert "/test/depth has shape (8, 12, 16), expected (8, 24, 32)" in message
    assert not Path("out").exists()


def test_checkpoint_of_other_tasks(cli: CommandLine, basics: list[object], other_checkpoint: Path, rooms: Path) -> None:
    message = cli.bad("run", *basics, "--model", other_checkpoint, "--out", "out")
    assert message.startswith(f"{rooms} has no label for Segmentation(classes=5")
    assert not Path("out").exists()


def test_checkpoint_that_was_changed_or_truncated(
    cli: CommandLine, basics: list[object], checkpoint: Path, tmp_path: Path
) -> None:
    hashed = Path(shutil.copy(checkpoint, tmp_path / checkpoint.name))
    hashed.write_bytes(checkpoint.read_bytes()[:-10])
    assert "was changed: its content has hash" in cli.bad("run", *basics, "--model", hashed, "--out", "out")
    plain = tmp_path / "plain.safetensors"
    for share in (0.01, 0.5, 0.99):
        plain.write_bytes(checkpoint.read_bytes()[: int(share * checkpoint.stat().st_size)])
        assert "plain.safetensors is truncated or no" in cli.bad("run", *basics, "--model", plain, "--out", "out")
    assert not Path("out").exists()


@pytest.mark.parametrize("factory", ["no_model", "no_tasks", "nothing"])
def test_factory_that_gives_no_model(factory: str, cli: CommandLine, basics: list[object]) -> None:
    name = f"bad_factories_{factory}"  # modules stay imported
    Path(f"{name}.py").write_text(BAD_MODULES)
    message = cli.bad("run", *basics, "--model", f"{name}:{factory}", "--out", "out")
    assert f"{name}:{factory}" in message
    assert not Path("out").exists()


def test_a_warning_of_a_command_is_a_line(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def show(**options: object) -> None:
        warnings.warn("much of a label\nis left out", stacklevel=1)

    monkeypatch.setattr("mtlattack.cli.application.app", show)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        before = warnings.showwarning
        assert cli().err == "warning: much of a label is left out\n"
        assert warnings.showwarning is before
