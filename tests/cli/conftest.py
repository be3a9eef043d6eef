"""Rendered rooms and a checkpoint of a tiny untrained network for them."""

import shutil
from pathlib import Path

import h5py
import pytest
import torch
from cli_toys import TINY, CommandLine
from evaluation_toys import every_fourth_pixel

from mtlattack.data import load_dataset, write_rooms
from mtlattack.models import create_network, save_checkpoint


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of a quarter of the width and height, the same ones as test and train."""
    folder = tmp_path_factory.mktemp("rooms")
    path = every_fourth_pixel(write_rooms(folder / "whole.h5", "test", 8), folder / "rooms.h5")
    with h5py.File(path, "a") as file:
        file.copy(file["test"], "train")
    return path


@pytest.fixture(scope="session")
def checkpoint(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    labelled = load_dataset(rooms).tasks
    tasks = [labelled[name].config() for name in ("segmentation", "depth", "normals")]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = create_network({"tasks": tasks, **TINY})
    return save_checkpoint(network, tmp_path_factory.mktemp("models"), "tiny")


@pytest.fixture(scope="session")
def other_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = create_network({"tasks": [{"kind": "segmentation", "classes": 5}], **TINY})
    return save_checkpoint(network, tmp_path_factory.mktemp("models"), "five-classes")


@pytest.fixture
def spoiled(rooms: Path, tmp_path: Path) -> Path:
    """A copy of the data, to be spoiled."""
    return Path(shutil.copy(rooms, tmp_path / "spoiled.h5"))


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandLine:
    """The command line, in an empty folder, with an empty cache."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    return CommandLine(monkeypatch, capsys)
