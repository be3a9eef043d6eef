"""rooms as files: what ships is what the renderer renders, and an installed package renders it again."""

from pathlib import Path

import numpy as np
import pytest

from mtlattack.data import cache, load_dataset, rooms, rooms_files, write_rooms
from mtlattack.data.rooms_files import first_rooms

SHIPPED = Path(__file__).parents[2] / "datasets" / "rooms-v1.h5"

# A changed fingerprint means changed data, see test_rooms_render.py.
FINGERPRINT = "67f3e21a4a66dc3cb88d30bec9a076ae36a83fd54229bdcad9e69e8de4a06bed"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if the package were installed without a checkout: only this cache, and splits of three images."""
    monkeypatch.setattr(cache, "_CHECKOUT", tmp_path / "no-checkout")
    monkeypatch.setattr(rooms_files, "SPLIT_SIZES", {"train": 2, "test": 3})
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_shipped_test_split() -> None:
    data = load_dataset(SHIPPED)
    assert load_dataset("rooms").path.samefile(SHIPPED)
    assert (len(data), data.size) == (256, (rooms.HEIGHT, rooms.WIDTH))
    assert data.fingerprint() == FINGERPRINT
    assert data.class_names("segmentation") == list(rooms.CLASSES)
    assert data.path.stat().st_size <= 12e6


def test_shipped_images_are_those_that_are_rendered(tmp_path: Path) -> None:
    fresh = load_dataset(write_rooms(tmp_path / "few.h5", "test", count=4))
    assert fresh.fingerprint() == load_dataset(SHIPPED, ids=fresh.ids).fingerprint()


def test_installed_package_renders_into_the_cache(installed: Path) -> None:
    data = load_dataset("rooms")
    assert data.path.parent == installed
    assert data.fingerprint() == load_dataset(SHIPPED, limit=3).fingerprint()
    assert len(load_dataset("rooms", "train")) == 2


def test_the_first_few_do_not_wait_for_the_whole_split(installed: Path, tmp_path: Path) -> None:
    path = first_rooms("train", 1, tmp_path)
    assert path == tmp_path / "rooms.h5" and not installed.exists()
    assert load_dataset(path, "train").fingerprint() == load_dataset("rooms", "train", limit=1).fingerprint()


def test_more_than_the_test_split_come_from_the_whole(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rooms_files.SPLIT_SIZES, "test", 1)
    assert first_rooms("train", 2, tmp_path).parent == installed


def test_second_call_uses_the_cache(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset("rooms").fingerprint()

    def fail(index: int, split: str) -> dict[str, np.ndarray]:
        raise AssertionError("rendered again")

    monkeypatch.setattr(rooms, "render", fail)
    assert load_dataset("rooms").fingerprint() == first


def test_aborted_rendering_leaves_no_file_and_goes_on(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render = rooms.render

    def abort(index: int, split: str) -> dict[str, np.ndarray]:
        if index == 2:
            raise KeyboardInterrupt
        return render(index, split)

    monkeypatch.setattr(rooms, "render", abort)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("rooms")
    assert [path.name for path in installed.iterdir()] == [".rooms-v1.h5.parts"]
    rendered = []
    monkeypatch.setattr(rooms, "render", lambda index, split: rendered.append(index) or render(index, split))
    assert load_dataset("rooms").fingerprint() == load_dataset(SHIPPED, limit=3).fingerprint()
    assert rendered == [2]
    assert [path.name for path in installed.iterdir()] == ["rooms-v1.h5"]


@pytest.mark.slow
def test_processes_render_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rooms_files.SPLIT_SIZES, "test", 4)
    pooled = write_rooms(tmp_path / "pooled.h5", "train", count=20)
    monkeypatch.setitem(rooms_files.SPLIT_SIZES, "test", 20)
    serial = write_rooms(tmp_path / "serial.h5", "train", count=20)
    assert load_dataset(pooled, "train").fingerprint() == load_dataset(serial, "train").fingerprint()
