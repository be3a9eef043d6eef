"""A folder with a description of its own: labels against the files' numbers, and what can be wrong with either."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_toys import room, save_npy, save_png
from taskonomy_toys import IDS, write_taskonomy

from mtlattack.data import list_datasets, load_dataset, prepare, preview, verify
from mtlattack.data.account import unseen
from mtlattack.data.sources import prepare_folder
from mtlattack.data.sources.folder_kinds import NumberFiles, SegmentationFiles
from mtlattack.data.sources.folder_labels import label_reader
from mtlattack.errors import InputError

SIZE = (48, 64)
HEADER = """
name = "toy"
license = "MIT"
citation = "none"
size = [48, 64]
"""
MIXED = (
    HEADER
    + """
[splits.train]
folder = "training"
[splits.test]
folder = "held_out"
ids = ["b*"]

[image]
pattern = "{split}/color/{id}.png"

[[labels]]
kind = "segmentation"
pattern = "{split}/class/{id}.png"
encoding = "png8"
classes = ["structure", "thing"]
ignore = [13, 255]
map = { 0 = 0, 1 = 0, 2 = 0, 3 = 0, 4 = 0, 5 = 1, 6 = 1, 7 = 1, 8 = 1, 9 = 1, 10 = 1, 11 = 1, 12 = 1 }

[[labels]]
kind = "segmentation"
pattern = "{split}/class/{id}.png"
encoding = "png8"
classes = 14

[[labels]]
kind = "depth"
pattern = "{split}/depth/{id}.png"
encoding = "png16"
scale = 0.002
invalid = [65535]

[[labels]]
kind = "inverse_depth"
pattern = "{split}/inverse/{id}.npy"
encoding = "npy"
offset = -0.5

[[labels]]
kind = "normals"
pattern = "{split}/normal/{id}.png"
encoding = "png8"
frame = "x,z,-y"

[[labels]]
kind = "edge_texture"
pattern = "{split}/edge/{id}.npy"
encoding = "npy"
scale = 2.0
clip = true

[[labels]]
kind = "principal_curvature"
pattern = "{split}/curve/{id}.npy"
encoding = "npy"
channels = [2, 0]
"""
)
IMAGES = {"training": ("a1", "a2", "a10"), "held_out": ("b/1", "b/2", "c/1")}


def arrays(row: int) -> dict[str, np.ndarray]:
    """The numbers of the files of one image."""
    source, draw = room(row), np.random.default_rng(row)
    depth = source["depth"].astype(np.float64) / 1000
    x, y, z = np.moveaxis(source["normals"] / 127, -1, 0)
    written = {
        "color": source["image"],
        "class": source["segmentation"],
        "depth": np.rint(depth / 0.002).astype(np.uint16),
        "inverse": (1 / depth + 0.5).astype(np.float32),
        "normal": np.rint((np.stack([x, z, -y], -1) + 1) * 127.5).astype(np.uint8),
        "edge": draw.random((96, 128, 1)).astype(np.float32),
        "curve": draw.normal(size=(96, 128, 3)),
    }
    written["depth"][:10] = 65535
    written["inverse"][10:20] = np.nan
    written["normal"][20:30] = 255
    written["edge"][30:40] = np.inf
    written["curve"][40:50, :, 0] = np.nan
    return written


def write_mixed(folder: Path) -> Path:
    row = 0
    for split, ids in IMAGES.items():
        for identity in ids:
            for kind, array in arrays(row).items():
                path = folder / split / kind / identity
                if kind in ("inverse", "edge", "curve"):
                    save_npy(path.with_suffix(".npy"), array)
                else:
                    save_png(path.with_suffix(".png"), array)
            row += 1
    (folder / "mtlattack.toml").write_text(MIXED)
    return folder


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed(tmp_path_factory.mktemp("described"))


@pytest.fixture(scope="module")
def prepared(described: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare("folder", described, tmp_path_factory.mktemp("out") / "toy.h5")


@pytest.fixture
def folder(described: Path, tmp_path: Path) -> Path:
    """A copy of the described folder, to be spoiled."""
    return Path(shutil.copytree(described, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("split", "position", "row"), [("train", 0, 0), ("train", 2, 2), ("test", 0, 3), ("test", 1, 4)]
)
def test_labels_are_what_the_description_says(split: str, position: int, row: int, prepared: Path) -> None:
    data = load_dataset(prepared, split)
    found = {name: target[0].numpy() for name, target in data[position].targets.items()}
    raw = {name: array[1::2, 1::2] for name, array in arrays(row).items()}
    things = np.where(raw["class"] == 13, 255, raw["class"] >= 5)
    assert np.array_equal(found["segmentation"], things)
    assert data.class_names("segmentation") == ["structure", "thing"]
    depth = np.where(raw["depth"] == 65535, 0, raw["depth"] * 0.002)
    assert np.abs(found["depth"] - depth).max() < 0.0006 and (found["depth"][:5] == 0).all()
    inverse = np.nan_to_num(raw["inverse"] - 0.5)
    assert np.abs(found["inverse_depth"] - inverse).max() < 6e-5 and (found["inverse_depth"][5:10] == 0).all()
    x, z, minus_y = np.moveaxis(raw["normal"] / 127.5 - 1, -1, 0)
    normals = np.stack([x, -minus_y, z])
    normals[:, 10:15] = 0
    assert np.abs(found["normals"] - normals).max() < 0.016
    edges = np.minimum(2 * raw["edge"][..., 0], 1)
    edges[15:20] = np.nan
    np.testing.assert_allclose(found["edge_texture"], edges, atol=1e-5)
    curvature = raw["curve"][..., [2, 0]].transpose(2, 0, 1).copy()
    curvature[:, 20:25] = np.nan
    np.testing.assert_allclose(found["principal_curvature"], curvature, atol=1 / 8000)


def test_ids_splits_and_soundness(prepared: Path, tmp_path: Path) -> None:
    report = verify(prepared)
    assert report.ok and (report.name, report.size) == ("toy", SIZE)
    assert load_dataset(prepared, "train").ids == ["a1", "a2", "a10"]
    assert load_dataset(prepared).ids == ["b/1", "b/2"]
    assert "segmentation14" in report.splits[0].labels
    assert preview(load_dataset(prepared), tmp_path / "x.png").is_file()


def test_size_of_the_call_wins(described: Path, tmp_path: Path) -> None:
    out = prepare_folder(described, tmp_path / "x.h5", size=(12, 16))
    assert load_dataset(out).size == (12, 16)
    with pytest.raises(InputError, match="a1.png: size 97x16, expected 1x1 to 96x128"):
        prepare_folder(described, tmp_path / "y.h5", size=(97, 16))


TASKONOMY = (
    HEADER
    + """
[splits.test]
file = "views.txt"
[image]
pattern = "rgb/{id}_domain_rgb.png"
[[labels]]
kind = "segmentation"
pattern = "segment_semantic/{id}_domain_segmentsemantic.png"
encoding = "png8"
classes = 17
ignore = [0]
map = { 1 = 0, 2 = 1, 3 = 2, 4 = 3, 5 = 4, 6 = 5, 7 = 6, 8 = 7, 9 = 8, 10 = 9, 11 = 10, 12 = 11, 13 = 12, 14 = 13 }
[[labels]]
kind = "depth"
pattern = "depth_zbuffer/{id}_domain_depth_zbuffer.png"
encoding = "png16"
scale = 0.001953125
step = 0.001953125
invalid_from = 64500
[[labels]]
kind = "normals"
pattern = "normal/{id}_domain_normal.png"
encoding = "png8"
frame = "x,y,-z"
[[labels]]
kind = "keypoints2d"
pattern = "keypoints2d/{id}_domain_keypoints2d.png"
encoding = "png16"
scale = 0.0030517578125  # 1 / (65536 · 0.005)
clip = true
[[labels]]
kind = "reshading"
pattern = "reshading/{id}_domain_reshading.png"
encoding = "png8"
channels = [0]
scale = 0.00392156862745098
[[labels]]
kind = "principal_curvature"
pattern = "principal_curvature/{id}_domain_principal_curvature.png"
encoding = "png8"
scale = 0.0078125
offset = -0.9921875
"""
)


def test_taskonomy_can_be_described(tmp_path: Path) -> None:
    source = write_taskonomy(tmp_path / "in", "by domain")
    (source / "views.txt").write_text("\n".join(reversed(IDS)) + "\n")
    (source / "mtlattack.toml").write_text(TASKONOMY)
    described = load_dataset(prepare("folder", source, tmp_path / "a.h5"))
    (source / "splits.json").write_text('{"test": ["Allensville", "pomaria_1_int", "wiconisco"]}')
    own = load_dataset(prepare("taskonomy", source, tmp_path / "b.h5", size=SIZE))
    assert described.ids == list(reversed(own.ids)) and set(described.tasks) < set(own.tasks)
    for position, other in enumerate(reversed(range(len(own)))):
        a, b = described[position], own[other]
        assert (a.images == b.images).all()
        holes = b.targets["depth"] == 0
        for name, target in a.targets.items():
            # The description knows no holes in other labels than depth.
            seen = ~(holes[:, None] if target.ndim == 4 else holes).expand_as(target)
            wanted = b.targets[name]
            assert np.allclose(target[seen], wanted[seen], atol=2e-5), name


# --- descriptions


def spoiled(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


WRONG: dict[str, tuple[tuple[str, str], str]] = {
    "no toml": (("name =", "name"), "mtlattack.toml: Expected '='"),
    "no name": (('name = "toy"', ""), "mtlattack.toml: name: Field required"),
    "extra field": (("scale = 0.002", "scal = 0.002"), "mtlattack.toml: labels.2.numbers.scal: Extra inputs"),
    "kind": (
        ('kind = "depth"', 'kind = "dept"'),
        "mtlattack.toml: labels.2: unknown kind of label 'dept'; did you mean 'depth'?",
    ),
    "encoding": (('"png16"', '"png32"'), "mtlattack.toml: labels.2.numbers.encoding: Input should be 'png8'"),
    "size": (("[48, 64]", "[48]"), "mtlattack.toml: size: List should have at least 2"),
    "size 0": (("[48, 64]", "[48, 0]"), "mtlattack.toml: size.1: Input should be greater"),
    "scale": (("scale = 0.002", 'scale = "mm"'), "labels.2.numbers.scale: Input should be a valid number"),
    "scale 0": (("scale = 0.002", "scale = 0"), "depth: scale 0 and offset 0, expected another scale"),
    "scale below 0": (
        ("scale = 0.002", "scale = -0.002"),
        "depth: scale -0.002 and offset 0 give no number of a png16 a value above 0, as depth has",
    ),
    "offset": (("scale = 0.002", "scale = 0.002\noffset = -200"), "offset -200 give no number of a png16"),
    "a class twice": (("classes = 14", 'classes = ["a", "a", "b"]'), "segmentation: classes: a is there twice"),
    "no id": (("{split}/color/{id}.png", "{split}/color/x.png"), "pattern '{split}/color/x.png', expected {id} once"),
    "other name": (("{split}/color/{id}.png", "{fold}/{id}.png"), "pattern '{fold}/{id}.png', expected {id} once"),
    "outside": (("{split}/color/{id}.png", "../{id}.png"), "pattern '../{id}.png' leaves the folder"),
    "classes": (("classes = 14", "classes = 1"), "segmentation of 1 class, expected 2 to 255"),
    "map": (("12 = 1 }", "12 = 2 }"), "map leads to the class 2, expected 0 to 1"),
    "frame": (('"x,z,-y"', '"x,x,-y"'), "frame 'x,x,-y', expected"),
    "wide colours": (('encoding = "png16"', 'encoding = "png16"\nchannels = [0]'), "depth: a png16 has one channel"),
    "channels": (("channels = [2, 0]", "channels = [2]"), r"principal_curvature: channels \[2\], expected 2"),
    "fine step": (("clip = true", "step = 1e-5"), "edge_texture: step 1e-05, expected at least 1/65534"),
    "twice": (('kind = "inverse_depth"', 'kind = "depth"'), "labels: depth is there twice"),
    "split name": (("[splits.train]", '[splits."a/b"]'), "splits.a/b.*: String should match pattern"),
    "both": (('ids = ["b*"]', 'ids = ["b*"]\nfile = "x"'), "a split has both ids and file"),
    "no glob": (('ids = ["b*"]', 'ids = ["d*"]'), "splits.test: no id matches 'd\\*'; there is 'b/1'"),
    "no ids": (('ids = ["b*"]', "ids = []"), "splits.test: ids is empty"),
    "no folder": (('folder = "training"', ""), "splits.train: no image .*train/color/{id}.png"),
    "absolute": (('folder = "training"', 'folder = "/etc"'), "folder '/etc' leaves the folder"),
    "list outside": (('ids = ["b*"]', 'file = "../x.txt"'), "file '../x.txt' leaves the folder"),
    "no list": (('ids = ["b*"]', 'file = "none.txt"'), "no file .*none.txt"),
    "in two splits": (
        ('folder = "held_out"\nids = ["b*"]', 'folder = "training"'),
        "a1.png is in the splits train and",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_description_names_the_field(fault: str, described: Path, tmp_path: Path) -> None:
    (old, new), message = WRONG[fault]
    # The files themselves need not be copied: a link to each folder is enough.
    for name in IMAGES:
        (tmp_path / name).symlink_to(described / name)
    (tmp_path / "mtlattack.toml").write_text(spoiled(MIXED, old, new))
    pattern = message if "\\" in message or ".*" in message else re.escape(message)
    with pytest.raises(InputError, match=pattern) as caught:
        prepare("folder", tmp_path, tmp_path / "out.h5")
    assert "\n" not in str(caught.value) and not (tmp_path / "out.h5").exists()


def test_folder_without_description(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no description file .*mtlattack.toml"):
        prepare_folder(tmp_path, tmp_path / "x.h5")
    with pytest.raises(InputError, match="no folder .*nowhere"):
        prepare_folder(tmp_path / "nowhere", tmp_path / "x.h5")


# --- files


def redo(place: str, make: Callable[[np.ndarray], np.ndarray], row: int = 0) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        array = make(arrays(row)[place.split("/")[1]].copy())
        (save_npy if place.endswith("npy") else save_png)(folder / place, array)

    return spoil


def put(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def make(array: np.ndarray) -> np.ndarray:
        array[1::2, 1::2] = value
        return array

    return make


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (
        lambda folder: (folder / "training/depth/a2.png").unlink(),
        "no file .*training/depth/a2.png, which 'a2' of train needs",
    ),
    "cut": (
        lambda folder: (folder / "training/class/a2.png").write_bytes(b"\x89PNG") and None,
        "training/class/a2.png is damaged or no image",
    ),
    "8 bits": (redo("training/depth/a1.png", lambda a: a.astype(np.uint8)), "depth/a1.png has 8 bits, expected 16"),
    "16 bits": (redo("training/class/a1.png", lambda a: a.astype(np.uint16)), "class/a1.png has 16 bits, expected 8"),
    "size": (redo("training/depth/a1.png", lambda a: a[1:]), "depth/a1.png is 95x128 .*expected 96x128"),
    "shape": (redo("training/edge/a1.npy", lambda a: a[:, 1:]), r"edge/a1.npy has shape \(96, 127\), expected"),
    "colours": (redo("training/edge/a1.npy", lambda a: a.repeat(3, -1)), r"edge/a1.npy has shape \(96, 128, 3\)"),
    "channels": (
        redo("training/curve/a1.npy", lambda a: a[..., :2]),
        "curve/a1.npy has 2 channels, expected 3 or more",
    ),
    "class": (redo("training/class/a1.png", put(77)), "class/a1.png has the class 77, which is neither a class nor in"),
    "far": (redo("training/depth/a1.png", put(60000)), "depth/a1.png has the value 120, expected at most 65.5.*step"),
    "curved": (redo("training/curve/a1.npy", put(9)), "curve/a1.npy has the value 9, expected at most 7.9"),
    "no normals": (
        redo("training/normal/a1.png", lambda a: np.full_like(a, 30)),
        "normal/a1.png holds no vectors of length 1",
    ),
    "image": (
        redo("training/color/a2.png", lambda a: a[..., 0].astype(np.uint16)),
        "color/a2.png is an image of mode I",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_file_is_named(fault: str, folder: Path, tmp_path: Path) -> None:
    spoil, message = BROKEN[fault]
    spoil(folder)
    with pytest.raises(InputError, match=message) as caught:
        prepare("folder", folder, tmp_path / "out.h5")
    assert "\n" not in str(caught.value) and not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(("frame", "axis"), [("-x,z,-y", "x"), ("x,z,y", "y"), ("x,-z,-y", "z")])
def test_wrong_frame_is_seen_by_the_depth(frame: str, axis: str, folder: Path, tmp_path: Path) -> None:
    (folder / "mtlattack.toml").write_text(spoiled(MIXED, '"x,z,-y"', f'"{frame}"'))
    with pytest.raises(
        InputError,
        match=f"normal/a1.png and others: read as {frame} .* at .*{axis} [0-9.]* %.*best of all 48 is x,z,-y with",
    ):
        prepare("folder", folder, tmp_path / "out.h5")


@pytest.mark.parametrize("identity", ["../x", "a/../../x"])
def test_listed_ids_stay_in_the_folder(identity: str, folder: Path, tmp_path: Path) -> None:
    (folder / "list.txt").write_text(identity)
    (folder / "mtlattack.toml").write_text(spoiled(MIXED, 'ids = ["b*"]', 'file = "list.txt"'))
    with pytest.raises(InputError, match=f"id {identity!r} leaves"):
        prepare("folder", folder, tmp_path / "out.h5")


def test_a_listed_id_that_no_file_can_have_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "list.txt").write_text("x" * 5000)
    (folder / "mtlattack.toml").write_text(spoiled(MIXED, 'ids = ["b*"]', 'file = "list.txt"'))
    with pytest.raises(InputError, match="no file .*xxx"):
        prepare("folder", folder, tmp_path / "out.h5")


# --- numbers


@given(
    st.sampled_from(["depth", "depth_euclidean", "inverse_depth", "edge_texture", "keypoints2d", "reshading"]),
    st.lists(st.floats(-1, 6.5) | st.sampled_from([np.nan, np.inf, 3.0]), min_size=4, max_size=4),
)
def test_numbers_come_back_within_half_a_step(kind: str, numbers: list[float]) -> None:
    raw = np.array(numbers).reshape(2, 2)
    files = NumberFiles(kind=kind, pattern="{id}.npy", encoding="npy", scale=0.5, offset=0.25, invalid=[3.0], clip=True)
    reader = label_reader(files)
    attributes = reader.label.attributes
    stored = reader.encode(Path("x.npy"), raw, unseen, unseen)
    values, none = 0.5 * raw + 0.25, ~np.isfinite(raw) | (raw == 3.0)
    if "unit" in attributes:
        none |= ~(values > 0)
    else:
        values = np.clip(values, 0, 1)
    assert np.array_equal(stored == attributes["invalid"], none)
    # What is valid never becomes the invalid mark, which costs the smallest values up to a step.
    assert (np.abs(stored * attributes["scale"] - values)[~none] <= attributes["scale"] * (1 + 1e-9)).all()
    far = values[~none] > attributes["scale"]
    assert (np.abs(stored * attributes["scale"] - values)[~none][far] <= attributes["scale"] * 0.5000001).all()


@given(st.dictionaries(st.integers(0, 255), st.integers(0, 4), min_size=1), st.lists(st.integers(0, 255), max_size=3))
def test_class_maps_are_followed_to_the_letter(table: dict[int, int], ignore: list[int]) -> None:
    files = SegmentationFiles(
        kind="segmentation", pattern="{id}.png", encoding="png8", classes=5, ignore=ignore, map=table
    )
    known = np.array(sorted({*table, *ignore}), np.uint8)
    stored = label_reader(files).encode(Path("x.png"), known, unseen, unseen)
    assert stored.tolist() == [255 if number in ignore else table[number] for number in known.tolist()]


@pytest.mark.parametrize("number", [np.nan, 1.5, -1.0, 3.0])
def test_classes_of_arrays_are_whole_and_known(number: float) -> None:
    files = SegmentationFiles(kind="segmentation", pattern="{id}.npy", encoding="npy", classes=3)
    with pytest.raises(InputError, match=f"x.npy has the class {number:g}, which is neither"):
        label_reader(files).encode(Path("x.npy"), np.array([[0.0, number]]), unseen, unseen)


def test_a_folder_needs_a_place_of_its_own(described):
    with pytest.raises(InputError, match="say where to with --out"):
        prepare("folder", described)
    assert "folder" not in list_datasets()
