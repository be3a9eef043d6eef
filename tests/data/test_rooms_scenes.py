"""rooms-scenes: rooms as they are, with labels of the whole image that follow from them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mtlattack as mta
from mtlattack.data import PreparedDataset, cache, load_dataset, rooms, rooms_scenes, verify, write_rooms_scenes
from mtlattack.data.rooms.render import scene
from mtlattack.errors import UnknownNameError

WHOLE = ("classification", "multilabel", "scalar")
# A changed fingerprint means changed data.
FINGERPRINT = "a9321ec4047f9df2f916035f181f2563a80a1b757e25fee383dfd500bdf30428"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return load_dataset(write_rooms_scenes(tmp_path_factory.mktemp("scenes") / "few.h5", "test", 4))


def test_images_and_their_labels_are_those_of_rooms(few: PreparedDataset) -> None:
    bare = load_dataset("rooms", limit=4)
    assert few.name == "rooms-scenes" and few.ids == bare.ids and set(few.tasks) == {*bare.tasks, *WHOLE}
    digests = few.digests()
    assert {name: digests[name] for name in bare.digests()} == bare.digests()
    assert few.fingerprint() == FINGERPRINT and verify(few.path).ok


def test_labels_of_the_whole_are_what_is_in_the_image(few: PreparedDataset) -> None:
    """Counted pixel by pixel."""
    for row in range(len(few)):
        targets = few[row].targets
        pixels = targets["segmentation"][0].flatten().tolist()
        covered = [pixels.count(number) for number, name in enumerate(rooms.CLASSES) if name in rooms_scenes.THINGS]
        assert targets["multilabel"][0].tolist() == [float(count >= 24) for count in covered]
        assert covered[int(targets["classification"][0])] == max(covered)
        width, _, depth = scene(row, "test").size
        assert targets["scalar"].item() == pytest.approx(width * depth, rel=1e-6)


def test_a_room_without_things_has_no_largest_one() -> None:
    walls = np.zeros((96, 128), np.uint8)
    assert rooms_scenes.whole_labels(walls, 12.0)["classification"] == -1
    walls[0, :23] = rooms.CLASSES.index("bed")
    labels = rooms_scenes.whole_labels(walls, 12.0)
    assert labels["classification"] == -1 and not labels["multilabel"].any()
    walls[0, 23] = rooms.CLASSES.index("bed")
    labels = rooms_scenes.whole_labels(walls, 12.0)
    assert rooms_scenes.THINGS[int(labels["classification"])] == "bed" and labels["multilabel"].sum() == 1


def test_it_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_CHECKOUT", tmp_path / "no-checkout")
    monkeypatch.setenv("MTLATTACK_CACHE", str(tmp_path / "cache"))
    made: list[Path] = []

    def write(path: Path, split: str) -> Path:
        made.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    monkeypatch.setattr(rooms_scenes, "write_rooms_scenes", write)
    assert [rooms_scenes.rooms_scenes_file("test") for _ in range(2)] == made * 2 and len(made) == 1
    with pytest.raises(UnknownNameError, match="unknown split of rooms-scenes 'val'"):
        rooms_scenes.rooms_scenes_file("val")


def test_the_page_s_network_is_attacked(few: PreparedDataset) -> None:
    """For pixels and for the image as a whole: an attack on either hurts both, since both come of the same features."""
    page = (Path(__file__).parents[2] / "datasets" / "README.md").read_text()
    [code] = re.findall(r"^```python\n(# scenes\.py\n.*?)^```$", page, re.S | re.M)
    written: dict[str, Any] = {}
    exec(code, written)
    model = written["make"]()
    data = load_dataset(few.path, tasks=model.tasks)
    names = ["classification", "depth"]
    attacks = [mta.create_attack(f"pgd-single:{name}", eps=4 / 255, steps=2) for name in names]
    run = mta.evaluate(model, data, attacks, device="cpu")
    assert run.clean.losses.shape == (4, 3)
    for name, outcome in zip(names, run.attacked, strict=True):
        task = list(run.tasks).index(name)
        assert (outcome.losses[:, task] > run.clean.losses[:, task]).all()
    with torch.no_grad():
        assert model(data[0].images)["classification"].shape == (1, len(rooms_scenes.THINGS))
