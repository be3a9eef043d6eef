"""Prepared files: what is written is what is read, by any number of workers; a wrong file gives one clear line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from data_toys import CLASSES, LABELS, SIZE, count_reads, toy_arrays, toy_ids, write_toy

from mtlattack.data import Batch, PreparedDataset, list_datasets, load_dataset, loader
from mtlattack.data.writing import DEPTH_LABEL, PreparedWriter
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Depth, Segmentation, list_tasks


def equal(a: Batch, b: Batch) -> bool:
    same_labels = a.targets.keys() == b.targets.keys() and all(
        torch.equal(a.targets[k].nan_to_num(-9), b.targets[k].nan_to_num(-9)) for k in a.targets
    )
    return a.ids == b.ids and torch.equal(a.images, b.images) and same_labels


def test_every_label_comes_back_in_its_unit(toy: Path) -> None:
    data = load_dataset(toy, tasks=None)
    assert (data.name, data.size, len(data), data.ids) == ("toy", SIZE, 5, toy_ids(5, "test"))
    assert set(data.tasks) == set(list_tasks())
    for position in range(5):
        raw, batch = toy_arrays(1000 + position), data[position]
        expected = {
            "segmentation": torch.from_numpy(raw["segmentation"].astype(np.int64)),
            "depth": torch.from_numpy(raw["depth"].astype(np.float32)) * 0.001,
            "normals": torch.from_numpy(raw["normals"].astype(np.float32)).permute(2, 0, 1) / 127,
            "edge_texture": torch.from_numpy(raw["edge_texture"].astype(np.float32)) / 1000,
            "keypoints2d": torch.from_numpy(raw["keypoints2d"].astype(np.float32)) / 2000,
            "depth_euclidean": torch.from_numpy(raw["depth_euclidean"].astype(np.float32)) / 512,
            "inverse_depth": torch.from_numpy(raw["inverse_depth"].astype(np.float32)) / 10000,
            "reshading": torch.from_numpy(raw["reshading"].astype(np.float32)) / 255,
            "principal_curvature": torch.from_numpy(raw["principal_curvature"].astype(np.float32)).movedim(2, 0) / 128,
        }
        labels = torch.from_numpy(raw["multilabel"].astype(np.float32))
        expected["multilabel"] = torch.where(labels < 0, torch.nan, labels)
        expected["classification"] = torch.tensor(int(raw["classification"]))
        expected["scalar"] = torch.tensor(float(raw["scalar"]))
        expected["reshading"][6] = expected["principal_curvature"][:, 7] = torch.nan
        assert torch.equal(batch.images[0], torch.from_numpy(raw["image"]).permute(2, 0, 1) / 255)
        for name, target in expected.items():
            assert batch.targets[name].dtype == target.dtype
            torch.testing.assert_close(batch.targets[name][0], target, rtol=1e-6, atol=1e-7, equal_nan=True)


def test_class_names_are_kept(toy: Path) -> None:
    data = load_dataset(toy, tasks={"segmentation": Segmentation(3), "fine": Segmentation(5)})
    assert data.class_names("segmentation") == list(CLASSES)
    assert data.class_names("fine") is None


def test_task_chooses_the_label_of_its_class_count(toy: Path) -> None:
    data = load_dataset(toy, tasks={"segmentation": Segmentation(5)})
    assert torch.equal(data[0].targets["segmentation"][0], torch.from_numpy(toy_arrays(1000)["segmentation5"]).long())
    assert list(data[0].targets) == ["segmentation"]


def test_workers_give_the_same_batches(toy: Path) -> None:
    data = load_dataset(toy)
    data[0]  # the handle of this process must not travel into the workers
    alone, together = (list(loader(data, 2, workers=workers)) for workers in (0, 2))
    assert [len(batch.ids) for batch in alone] == [2, 2, 1]
    assert all(equal(a, b) for a, b in zip(alone, together, strict=True))


def test_shuffle_depends_on_the_seed_alone(toy: Path) -> None:
    data = load_dataset(toy)
    orders = [[x for batch in loader(data, 2, shuffle_seed=seed) for x in batch.ids] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(data.ids)


def test_limit_and_ids(toy: Path) -> None:
    assert load_dataset(toy, limit=2).ids == ["test-0", "test-1"]
    assert load_dataset(toy, limit=99).ids == toy_ids(5, "test")
    some = load_dataset(toy, "train", ids=["train-3", "train-0"])
    assert some.ids == ["train-3", "train-0"]
    assert equal(some[0], load_dataset(toy, "train")[3])
    assert load_dataset(toy, "train", ids=["train-3", "train-0"], limit=1).ids == ["train-3"]


def test_wrong_names_say_what_was_meant(toy: Path) -> None:
    with pytest.raises(UnknownNameError, match="'tset'; did you mean 'test'"):
        load_dataset(toy, "tset")
    with pytest.raises(UnknownNameError, match="'test-7'; did you mean 'test-"):
        load_dataset(toy, ids=["test-7"])
    with pytest.raises(UnknownNameError, match="unknown data set 'room'; did you mean 'rooms'"):
        load_dataset("room")
    with pytest.raises(UnknownNameError, match="split of rooms 'val'"):
        load_dataset("rooms", "val")
    with pytest.raises(InputError, match="limit 0, expected at least 1"):
        load_dataset(toy, limit=0)
    with pytest.raises(InputError, match="has no label for .*classes=7.*it has: .*segmentation5 5 channels"):
        load_dataset(toy, tasks={"segmentation": Segmentation(7)})
    assert list_datasets("nyuv2") == ["nyuv2"] and "rooms" in list_datasets()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(copy: Path, share: float) -> None:
    copy.write_bytes(copy.read_bytes()[: int(copy.stat().st_size * share)])
    with pytest.raises(InputError, match="copy.h5 is truncated or no HDF5 file"):
        load_dataset(copy)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data file .*nowhere.h5"):
        load_dataset(tmp_path / "nowhere.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = "something"
    with pytest.raises(
        InputError, match="other.h5 has format 'something' version None, expected 'mtlattack-dataset' 1"
    ):
        load_dataset(tmp_path / "other.h5")


def test_label_of_another_size_is_named(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        del file["test/depth"]
        file["test/depth"] = np.ones((5, 12, 15), np.uint16)
    with pytest.raises(InputError, match=r"/test/depth has shape \(5, 12, 15\), expected \(5, 12, 16\)"):
        load_dataset(copy)
    assert len(load_dataset(copy, "train")) == 5


def test_faults_of_one_image_name_it(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["test/segmentation"][3, 0, 0] = 3
        del file["test/depth"].attrs["scale"]
    data = load_dataset(copy, tasks={"segmentation": Segmentation(3)})
    data[2]
    with pytest.raises(InputError, match="image 'test-3' of test: class 3 in a segmentation of 3 classes"):
        data[3]
    with pytest.raises(InputError, match="image 'test-0' of test: depth has no attribute 'scale'"):
        load_dataset(copy, tasks={"depth": Depth()})[0]


def test_id_that_is_there_twice(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["test/id"][1] = "test-0"
    with pytest.raises(InputError, match="an image id twice"):
        load_dataset(copy)


def test_fingerprint_is_of_the_content(toy: Path, tmp_path: Path) -> None:
    whole = load_dataset(toy).fingerprint()
    assert load_dataset(write_toy(tmp_path / "packed.h5", compression=9)).fingerprint() == whole
    ids = toy_ids(5, "test")
    assert load_dataset(toy, ids=ids).fingerprint() == whole
    others = [
        load_dataset(toy, limit=4).fingerprint(),
        load_dataset(toy, ids=[*reversed(ids)]).fingerprint(),
        load_dataset(toy, "train").fingerprint(),
    ]
    assert len({whole, *others}) == 4
    # Tasks choose what is read, not what the data are.
    assert load_dataset(toy, tasks={"depth": Depth()}).fingerprint() == whole


def _flip(name: str) -> Callable[[h5py.Group], None]:
    def change(group: h5py.Group) -> None:
        values = np.array(group[name][4])
        last = values.reshape(-1)[-1:]  # a view
        last[:] = 7.5 if last.dtype.kind == "f" else 0 if last[0] == -1 else last ^ 1
        group[name][4] = values

    return change


def _rename(group: h5py.Group) -> None:
    group["id"][4] = "test-x"


def _rescale(group: h5py.Group) -> None:
    group["depth"].attrs["scale"] = 0.002


def _remove(group: h5py.Group) -> None:
    del group["keypoints2d"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "change",
    [*map(_flip, ["image", *LABELS]), _rename, _rescale, _remove],
    ids=["image", *LABELS, "id", "scale", "label"],
)
def test_fingerprint_changes_with(change: Callable[[h5py.Group], None], toy: Path, copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        change(file["test"])
    assert load_dataset(copy).fingerprint() != load_dataset(toy).fingerprint()


def test_every_so_many_th(toy: Path) -> None:
    ids = toy_ids(5, "test")
    assert load_dataset(toy, every=2).ids == ids[::2]
    assert load_dataset(toy, every=2, limit=2).ids == ids[:4:2]
    assert load_dataset(toy, ids=ids[::-1], every=3).ids == ids[::-3]
    with pytest.raises(InputError, match="every 0, expected at least 1"):
        load_dataset(toy, every=0)


def test_digests_are_of_one_thing_each(toy: Path, copy: Path) -> None:
    whole = load_dataset(toy).digests()
    assert set(whole) == {"id", "image", *load_dataset(toy).tasks}
    changes = {"id": _rename, "depth": _rescale, "image": _flip("image"), "normals": _flip("normals")}
    for name, change in changes.items():
        with h5py.File(copy, "a") as file:
            change(file["test"])
        changed = load_dataset(copy).digests()
        assert {key for key in whole if changed[key] != whole[key]} >= {name}
        others = set(whole) - set(list(changes)[: list(changes).index(name) + 1])
        assert all(changed[key] == whole[key] for key in others)
    depth = load_dataset(toy, tasks={"depth": Depth()}).digests()
    assert depth == {key: whole[key] for key in ("id", "image", "depth")}


def test_fingerprint_and_digests_come_from_one_reading(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, reads = load_dataset(toy, ids=["test-4", "test-1"]), count_reads(monkeypatch)
    identity = data.identify()
    assert (data.fingerprint(), data.digests()) == (identity.fingerprint, identity.digests)
    assert reads == {(f"/test/{name}", row): 1 for name in ("image", *LABELS) for row in (1, 4)}


def test_fingerprint_and_digests_are_what_they_always_were(toy: Path) -> None:
    """They stand in stored evidence and in suites: here written out once more, from the bytes alone."""
    data = load_dataset(toy, limit=3, tasks={"coarse": Segmentation(3), "depth": Depth()})
    together, apart = hashlib.sha256(), {name: hashlib.sha256() for name in ("image", *LABELS)}
    scales = {name: label.attributes.get("scale", 1) for name, label in LABELS.items()}
    for row in range(3):
        arrays = toy_arrays(1000 + row)
        together.update(f"test-{row}\0".encode())
        for name in sorted(arrays):
            array = arrays[name]
            header = f"{name}:{array.dtype.newbyteorder('<').str}:{array.shape}:{scales.get(name, 1)}\0".encode()
            for digest in (together, apart[name]):
                digest.update(header + array.tobytes())
    ids = hashlib.sha256(b'["test-0", "test-1", "test-2"]')
    stored = {"id": ids, "image": apart["image"], "coarse": apart["segmentation"], "depth": apart["depth"]}
    assert data.fingerprint() == together.hexdigest()
    assert data.digests() == {name: digest.hexdigest() for name, digest in stored.items()}


def test_labels_of_one_task_in_batches(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset(toy, every=2)
    expected = {name: torch.cat([data[k].targets[name] for k in range(3)]) for name in data.tasks}
    reads = count_reads(monkeypatch)
    for name in data.tasks:
        batches = list(data.label_batches(name, size=2))
        assert [len(batch) for batch in batches] == [2, 1]
        assert torch.equal(torch.cat(batches).nan_to_num(-9), expected[name].nan_to_num(-9))
    assert reads == {(f"/test/{name}", row): 1 for name in data.tasks for row in (0, 2, 4)}
    assert [len(batch) for batch in data.label_batches("depth")] == [3]
    with pytest.raises(UnknownNameError, match="unknown label of .*toy.h5: 'dept'; did you mean 'depth'"):
        data.label_batches("dept")
    with pytest.raises(InputError, match="size 0, expected at least 1"):
        data.label_batches("depth", 0)


def test_writer_leaves_nothing_behind_an_error(tmp_path: Path) -> None:
    path = tmp_path / "new" / "half.h5"
    with (
        pytest.raises(KeyboardInterrupt),
        PreparedWriter(path, name="half", size=SIZE, license="", citation="") as writer,
    ):
        writer.add_split("test", ["a"], LABELS)
        raise KeyboardInterrupt
    assert not list(path.parent.iterdir())


def test_writer_keeps_the_old_file_on_an_error(toy: Path, copy: Path) -> None:
    with pytest.raises(RuntimeError), PreparedWriter(copy, name="new", size=SIZE, license="", citation=""):
        raise RuntimeError
    assert copy.read_bytes() == toy.read_bytes()
    assert list(copy.parent.iterdir()) == [copy]


def test_writer_names_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*x.h5"):
        PreparedWriter(tmp_path / "file" / "x.h5", name="x", size=SIZE, license="", citation="")
    with pytest.raises(InputError, match="is a folder, expected a file"):
        PreparedWriter(tmp_path, name="x", size=SIZE, license="", citation="")


def test_real_file_opens_as_it_is(shared_data: Path) -> None:
    path = shared_data / "nyuv2" / "nyuv2-120x160.h5"
    sizes = {split: len(PreparedDataset(path, split)) for split in ("train", "test")}
    assert sizes == {"train": 795, "test": 654}
    data = load_dataset(path, limit=3)
    assert set(data.tasks) == {"segmentation", "depth", "normals"}
    for classes, last in ((13, "window"), (40, "otherprop")):
        chosen = load_dataset(path, limit=3, tasks={"segmentation": Segmentation(classes)})
        names = chosen.class_names("segmentation")
        assert names is not None and len(names) == classes and names[-1] == last
        labels = torch.cat([chosen[k].targets["segmentation"] for k in range(3)])
        assert labels.shape == (3, 120, 160) and labels[labels != 255].max() < classes
    assert labels[labels != 255].max() > 12


@pytest.mark.parametrize("split", ["..", ".", "", "a/b", "../up", "sources", "lock", ".hidden", "ä" * 3])
def test_a_split_whose_name_leads_elsewhere_is_refused_and_nothing_is_lost(tmp_path, split):
    (tmp_path / "precious.txt").write_text("kept")
    header = {"name": "toy", "size": (2, 3), "license": "MIT", "citation": "none"}
    with (
        pytest.raises(InputError, match="a split cannot be called"),
        PreparedWriter(tmp_path / "x.h5", **header) as writer,
    ):
        writer.add_split(split, ["a"], {"depth": DEPTH_LABEL})
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
