"""Shards are merged to one evidence; what is missing, twice, foreign or unfinished is refused in words."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from full_disk_toys import assert_said_in_words

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence, EvidenceFile, Measurement, Shard, merge_shards, merging, read_evidence, store
from mtlattack.locking import held
from mtlattack.tasks import Depth

IMAGES = 7
IDS = [f"image-{number}" for number in range(IMAGES)]
TASK = Depth()
PLAN: dict[str, Any] = {
    "model": {"name": "net", "sha256": "0" * 64, "parameters": 1},
    "data": {"images": IMAGES, "sha256": {"id": hashlib.sha256(json.dumps(IDS).encode()).hexdigest()}},
    "tasks": [TASK.config()],
    "attacks": [{"config": {"name": "fgsm-total", "norm": "linf", "eps": 0.1}}],
    "seed": 0,
}
COLUMNS = len(TASK.statistics_names)
Change = Callable[[dict[str, Any]], Any]


def measured(positions: list[int], job: int) -> Measurement:
    """Numbers that say where they belong."""
    rows = np.array(positions, np.float64)[:, None] + 100 * job
    return Measurement(rows, {"depth": rows * 10 + np.arange(COLUMNS)}, rows + np.arange(4), rows + np.arange(3))


def write(folder: Path, shard: str, plan: Change = lambda plan: None, threads: int = 1, done: int = IMAGES) -> Path:
    """Evidence of a shard of which the first so many images are `done`; of all images for `1/1`."""
    own, changed = list(Shard.parse(shard).positions(IMAGES)), json.loads(json.dumps(PLAN))
    plan(changed)
    path = folder / shard.replace("/", "-of-") / "evidence.h5"
    environment = {"device": "cpu", "threads": threads, "started": shard} | ({"shard": shard} if shard != "1/1" else {})
    file = EvidenceFile.create(path, changed, environment, [IDS[position] for position in own])
    for job, name in enumerate(("clean", "attacks/0000")):
        rows = slice(0, min(done, len(own)))
        file.write_constant(rows, {"depth": np.array(own)[rows, None] + np.arange(COLUMNS)})
        file.write(name, rows, measured(own[rows], job), seconds=1.0)
    return path


def assert_whole(evidence: Evidence) -> None:
    assert evidence.ids == IDS and evidence.plan == PLAN and evidence.constant is not None
    for job, outcome in enumerate([evidence.clean, *evidence.attacked]):
        expected = measured(list(range(IMAGES)), job)
        np.testing.assert_array_equal(outcome.losses, expected.losses)
        np.testing.assert_array_equal(outcome.statistics["depth"], expected.statistics["depth"])
        np.testing.assert_array_equal(outcome.perturbation, expected.perturbation)
        np.testing.assert_array_equal(outcome.diagnostics, expected.diagnostics)
    np.testing.assert_array_equal(evidence.constant["depth"], np.arange(IMAGES)[:, None] + np.arange(COLUMNS))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("block", [1, 2, 3, 8192])
@pytest.mark.parametrize("shards", [["1/1"], ["2/2", "1/2"], ["3/3", "1/3", "2/3"], ["2/4", "1/2", "4/4"]])
def test_every_row_goes_to_its_place(
    shards: list[str], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in memory at a time, and where the shards are not of one size."""
    monkeypatch.setattr(merging, "_BLOCK", block)
    out = tmp_path / "whole" / "evidence.h5"
    merge_shards([write(tmp_path, shard) for shard in shards], out)
    assert_whole(read_evidence(out))
    assert [*out.parent.iterdir()] == [out]


def test_the_environment_lists_the_shards(tmp_path: Path) -> None:
    shards = [write(tmp_path, "2/2", threads=4), write(tmp_path, "1/2", threads=2)]
    with pytest.warns(UserWarning, match="the shards ran with different threads: numbers may differ by rounding"):
        environment = merge_shards(shards, tmp_path / "evidence.h5").environment()
    assert environment["threads"] == 2 and "shard" not in environment
    assert [(part["shard"], part["threads"], part["started"]) for part in environment["parts"]] == [
        ("1/2", 2, "1/2"),
        ("2/2", 4, "2/2"),
    ]


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([], "there are no shards to merge"),
        (["1/3"], "of the run's shards 2/3, 3/3 are missing"),
        (["1/3", "3/3"], "of the run's shards 2/3 is missing"),
        (["1/2", "2/4"], "of the run's shards 4/4 is missing"),
        (["7/7"], "of the run's shards 1/7, 2/7, 3/7, 4/7, 5/7, 6/7 are missing"),
        (["1/2", "1/4", "2/2"], r"\(shard 1/4\) and .* \(shard 1/2\) have images in common"),
        (["1/1", "2/3"], r"\(shard 2/3\) and .* \(shard 1/1\) have images in common"),
        (["1/2", "2/2", "1/2"], r"1-of-2/evidence.h5 \(shard 1/2\) is given twice"),
    ],
)
def test_shards_that_are_not_the_run(shards: list[str], message: str, tmp_path: Path) -> None:
    paths = {shard: write(tmp_path, shard) for shard in set(shards)}
    with pytest.raises(InputError, match=message):
        merge_shards([paths[shard] for shard in shards], tmp_path / "whole" / "evidence.h5")
    assert not (tmp_path / "whole").exists()


def test_the_same_shard_in_two_places(tmp_path: Path) -> None:
    shards = [write(tmp_path / "a", "1/2"), write(tmp_path / "b", "1/2"), write(tmp_path, "2/2")]
    with pytest.raises(InputError, match=r"b/1-of-2/evidence.h5 \(shard 1/2\) is the same shard as .*a/1-of-2"):
        merge_shards(shards, tmp_path / "evidence.h5")


def test_a_shard_that_is_not_finished(tmp_path: Path) -> None:
    shards = [write(tmp_path, "1/2"), write(tmp_path, "2/2", done=2)]
    with pytest.raises(InputError, match=r"\(shard 2/2\) is not finished: clean lacks 1 image; run it again to go on"):
        merge_shards(shards, tmp_path / "evidence.h5")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plan: plan.update(seed=1), "other seed"),
        (lambda plan: plan.update(seed=1, batch_size=3), "other batch_size, seed"),
        (lambda plan: plan["data"].update(fingerprint="0"), "other data"),
    ],
)
def test_a_shard_of_another_run(change: Change, named: str, tmp_path: Path) -> None:
    shards = [write(tmp_path, "1/2"), write(tmp_path, "2/2", change)]
    with pytest.raises(InputError, match=rf"\(shard 2/2\) is of another run than .*\(shard 1/2\) \({named}\)"):
        merge_shards(shards, tmp_path / "evidence.h5")


def _claims(shard: str) -> Callable[[h5py.File], Any]:
    return lambda file: file.attrs.modify("environment", json.dumps({"shard": shard}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_claims("1/2"), "is damaged: it has 3 images, expected 4"),
        (_claims("many"), "shard 'many' is no shard"),
        (lambda file: file.attrs.pop("plan"), "is damaged"),
        (lambda file: file.__delitem__("clean/done"), "is damaged"),
        (lambda file: file["id"].__setitem__(0, "other"), "are not those that their plan was made of"),
    ],
)
def test_a_shard_that_lies(damage: Callable[[h5py.File], Any], message: str, tmp_path: Path) -> None:
    shards = [write(tmp_path, "1/2"), write(tmp_path, "2/2")]
    with h5py.File(shards[1], "r+") as file:
        damage(file)
    with pytest.raises(InputError, match=message):
        merge_shards(shards, tmp_path / "evidence.h5")


def test_no_file_and_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("text")
    for name, message in (("none.h5", "no evidence file .*none.h5"), ("text.h5", "truncated or no HDF5 file")):
        with pytest.raises(InputError, match=message):
            merge_shards([write(tmp_path, "1/2"), tmp_path / name], tmp_path / "evidence.h5")


def test_what_lies_where_it_is_merged_to(tmp_path: Path) -> None:
    """The same run is replaced, another is kept, and a shard is no place."""
    shards, out = [write(tmp_path, "1/2"), write(tmp_path, "2/2")], write(tmp_path, "1/1", done=3)
    merge_shards(shards, out)
    assert_whole(read_evidence(out))
    write(tmp_path, "1/1", lambda plan: plan.update(seed=1))
    content = out.read_bytes()
    with pytest.raises(InputError, match=r"holds another run \(other seed\); start anew with --fresh"):
        merge_shards(shards, out)
    assert out.read_bytes() == content
    merge_shards(shards, out, fresh=True)
    assert_whole(read_evidence(out))
    with pytest.raises(InputError, match=r"\(shard 1/2\) cannot be what it is merged to"):
        merge_shards(shards, shards[0])


def test_nobody_else_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(folder: Path) -> Any:
        raise InputError(f"{folder} is in use by process 1")

    shards = [write(tmp_path, "1/2"), write(tmp_path, "2/2")]
    with held(tmp_path / "whole"):
        merge_shards(shards, tmp_path / "whole" / "evidence.h5")
    monkeypatch.setattr(merging, "held", taken)
    with pytest.raises(InputError, match="is in use by process 1"):
        merge_shards(shards, tmp_path / "whole" / "evidence.h5")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    shards, out = [write(tmp_path, "1/2"), write(tmp_path, "2/2")], write(tmp_path, "1/1")
    content = out.read_bytes()
    monkeypatch.setattr(merging, "_copy", full)
    with pytest.raises(InputError, match="cannot write .*evidence.h5 .*No space left"):
        merge_shards(shards, out)
    assert out.read_bytes() == content and [*out.parent.iterdir()] == [out]


def test_a_disk_without_room_for_what_is_merged(tmp_path: Path) -> None:
    shards, out = [write(tmp_path, "1/2"), write(tmp_path, "2/2")], tmp_path / "whole" / "evidence.h5"
    for largest in (0, 100, shards[0].stat().st_size):
        assert_said_in_words(lambda: merge_shards(shards, out), largest, tmp_path)
        assert not out.exists()
    assert_whole(merge_shards(shards, out).read())


def test_of_many_images_the_numbers_stay_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, by views of it."""
    path = write(tmp_path, "1/1")
    expected = read_evidence(path)
    monkeypatch.setattr(store, "IN_MEMORY", 3)
    found = read_evidence(write(tmp_path / "laid out in pieces", "1/1"))
    assert_whole(found)
    assert found.clean.statistics["depth"].dtype == np.float32 and not found.clean.losses.flags.writeable
    np.testing.assert_array_equal(found.attacked[0].seconds, expected.attacked[0].seconds)
