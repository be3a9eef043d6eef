"""`verify` finds every fault of a spoiled file and says where it is; a sound file has none."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from data_toys import LABELS, SIZE, count_reads, toy_ids

from mtlattack.data import load_dataset
from mtlattack.data.verifying import Problem, verify
from mtlattack.errors import InputError
from mtlattack.tasks import list_tasks


def lines(path: Path) -> list[str]:
    return [str(problem) for problem in verify(path).problems]


def test_sound_file(toy: Path) -> None:
    report = verify(toy)
    assert report.ok and report.problems == []
    assert (report.name, report.size) == ("toy", SIZE)
    assert [(split.name, split.images) for split in report.splits] == [("test", 5), ("train", 5)]
    for split in report.splits:
        assert split.fingerprint == load_dataset(toy, split.name).fingerprint()
        assert split.labels == sorted([*list_tasks(), "segmentation5"])


def test_shipped_file_is_sound() -> None:
    assert verify(load_dataset("rooms").path).ok


def test_problem_says_where() -> None:
    assert str(Problem("test", "depth", "0001", "is bad")) == "test/depth image '0001': is bad"
    assert str(Problem("", "", "", "is bad")) == "is bad"


@pytest.mark.parametrize("label", ["image", "depth", "normals", "segmentation"])
def test_corrupt_chunk_is_found_and_the_rest_still_read(label: str, copy: Path) -> None:
    with h5py.File(copy) as file:
        chunk = file["test"][label].id.get_chunk_info(2)
        ids = [x.decode() for x in file["test/id"][:]]
    content = bytearray(copy.read_bytes())
    middle = chunk.byte_offset + chunk.size // 2
    content[middle] ^= 0x55
    content[middle + 1] ^= 0x55
    copy.write_bytes(bytes(content))
    report = verify(copy)
    assert [(p.split, p.dataset, p.image) for p in report.problems] == [("test", label, ids[2])]
    assert "cannot be read" in report.problems[0].what and "\n" not in str(report.problems[0])
    assert {split.name: split.fingerprint is None for split in report.splits} == {"test": True, "train": False}
    with pytest.raises(InputError, match=f"{label} of image 'test-2' of test"):
        load_dataset(copy).fingerprint()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_file(copy: Path, share: float) -> None:
    copy.write_bytes(copy.read_bytes()[: int(copy.stat().st_size * share)])
    with pytest.raises(InputError, match="copy.h5 is truncated or no HDF5 file"):
        verify(copy)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data file"):
        verify(tmp_path / "nowhere.h5")


def replace(name: str, values: np.ndarray) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return spoil


def put(name: str, place: tuple[int, ...], value: object) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        file[name][place] = value

    return spoil


def attribute(name: str, key: str, value: object = None) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file[name].attrs[key]
        if value is not None:
            file[name].attrs[key] = value

    return spoil


def remove(*names: str) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        for name in names:
            del file[name]

    return spoil


FAULTS: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "class": (
        put("test/segmentation", (3, 0, 0), 3),
        "test/segmentation image 'test-3': class 3, expected 0 to 2 or 255",
    ),
    "normal": (
        put("train/normals", (1, 5, 5), (127, 127, 0)),
        "train/normals image 'train-1': a normal of length 1.414, expected 1 or 0",
    ),
    "heat map": (
        put("test/edge_texture", (0, 1, 1), 1100),
        "test/edge_texture image 'test-0': value 1.1, expected at most 1",
    ),
    "scale of curvature": (
        attribute("test/principal_curvature", "scale"),
        "test/principal_curvature: no attribute 'scale'",
    ),
    "half a curvature": (
        put("test/principal_curvature", (2, 0, 0, 1), -32768),
        "test/principal_curvature image 'test-2': a pixel with one curvature alone",
    ),
    "reshading": (
        put("test/reshading", (2, 0, 0), 510),
        "test/reshading image 'test-2': value 2, expected at most 1",
    ),
    "twice": (put("test/id", (1,), "test-0"), "test/id image 'test-0': there 2 times"),
    "dtype": (
        replace("test/depth", np.ones((5, *SIZE), np.float32)),
        "test/depth: holds float32, expected uint16",
    ),
    "size": (
        replace("test/depth", np.ones((5, 12, 15), np.uint16)),
        "test/depth: has shape (5, 12, 15), expected (5, 12, 16)",
    ),
    "channels": (
        replace("test/image", np.ones((5, *SIZE), np.uint8)),
        "test/image: has shape (5, 12, 16), expected (5, 12, 16, 3)",
    ),
    "count": (
        replace("test/id", np.array([x.encode() for x in toy_ids(6, "test")])),
        "test/depth: has shape (5, 12, 16), expected (6, 12, 16)",
    ),
    "no scale": (attribute("test/depth", "scale"), "test/depth: no attribute 'scale'"),
    "scale": (
        attribute("test/depth", "scale", 0.0),
        "test/depth: scale is np.float64(0.0), expected a positive number",
    ),
    "scale text": (attribute("test/depth", "scale", "mm"), "test/depth: scale is 'mm', expected a positive number"),
    "no classes": (attribute("test/segmentation", "classes"), "test/segmentation: no attribute 'classes'"),
    "classes": (
        attribute("test/segmentation", "classes", "three"),
        "test/segmentation: attribute 'classes' is 'three', expected names or their number",
    ),
    "unknown label": (
        lambda file: file.move("test/normals", "test/normal"),
        "test/normal: unknown task 'normal'; did you mean 'normals'?; of a kind of your own give the module with "
        "--plugin or $MTLATTACK_PLUGIN",
    ),
    "no image": (remove("test/image"), "test/image: missing"),
    "no ids": (remove("test/id"), "test: test/id is missing, or no list of texts"),
    "no name": (attribute("/", "name"), "no attribute 'name'"),
    "height": (attribute("/", "height", "tall"), "height and width are no positive numbers"),
    "endless height": (attribute("/", "height", np.inf), "height and width are no positive numbers"),
    "no split": (remove("test", "train"), "no split"),
    "no split but an array": (lambda file: file.create_dataset("extra", data=[1]), "extra: is no split (a group)"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str, copy: Path) -> None:
    spoil, line = FAULTS[fault]
    with h5py.File(copy, "a") as file:
        spoil(file)
    report = verify(copy)
    assert line in lines(copy)
    for split in report.splits:
        assert (split.fingerprint is None) == any(problem.split in ("", split.name) for problem in report.problems)


def test_empty_split_and_images_without_labels(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file.create_group("empty")["id"] = np.array([], "S4")
        file["bare/id"] = np.array([b"a"])
        file["bare/image"] = np.zeros((1, *SIZE, 3), np.uint8)
    assert {"empty/id: no images", "empty/image: missing", "empty: no label", "bare: no label"} <= set(lines(copy))


NOWHERE = {
    "segmentation": 255, "segmentation5": 255, "depth": 0, "normals": 0, "depth_euclidean": 0, "inverse_depth": 0,
    "reshading": 65535, "principal_curvature": -32768,
}  # fmt: skip


@pytest.mark.parametrize("label", NOWHERE)
def test_a_label_needs_one_valid_pixel_in_all_of_a_split(label: str, copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        spared = file["test"][label][-1, -1, -1]
        file["test"][label][:] = NOWHERE[label]
    assert lines(copy) == [f"test/{label}: no image of this split has a valid pixel"]
    with h5py.File(copy, "a") as file:
        file["test"][label][-1, -1, -1] = spared
    assert lines(copy) == []


def test_every_array_is_read_once(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = count_reads(monkeypatch)
    assert verify(toy).ok
    stored = ["image", *LABELS]
    expected = {(f"/{split}/{name}", row) for split in ("test", "train") for name in stored for row in range(5)}
    assert {read: times for read, times in reads.items() if not read[0].endswith("/id")} == dict.fromkeys(expected, 1)


def test_a_name_that_is_no_text(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["test"].create_dataset(b"\xff\xfe", data=np.zeros(5))
    with pytest.raises(InputError, match=f"{copy.name} is damaged"):
        verify(copy)


def test_too_few_images_in_a_file_of_no_size(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        attribute("/", "height", -1)(file)
        replace("test/image", np.zeros((0, *SIZE, 3), np.uint8))(file)
    told = lines(copy)
    assert "height and width are no positive numbers" in told
    assert f"test/image: has shape {(0, *SIZE, 3)}, expected 5 images" in told


def test_all_faults_are_listed(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["test/segmentation"][:, 0, 0] = 99
    assert [problem.image for problem in verify(copy).problems] == toy_ids(5, "test")
