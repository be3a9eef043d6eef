"""Small folders in the layouts that data sets are published in, filled with the first rooms of the shipped file."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]
ROOMS = Path(__file__).parents[2] / "datasets" / "rooms-v1.h5"


def room(row: int) -> dict[str, Array]:
    """Image and labels of a room of the shipped test split, as stored: 96 × 128 pixels."""
    with h5py.File(ROOMS) as file:
        return {name: file["test"][name][row] for name in ("image", "segmentation", "depth", "normals")}


def enlarge(array: Array, factor: int) -> Array:
    return array.repeat(factor, 0).repeat(factor, 1)


def save_png(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compress_level=1)


def save_npy(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def mtan_classes(row: int) -> Array:
    """13 classes of which the last is unlabelled, −1, instead."""
    classes = room(row)["segmentation"].astype(np.int64)
    return np.where(classes >= 12, -1, classes)


def write_mtan(folder: Path, counts: tuple[int, int] = (3, 2)) -> Path:
    """288 × 384 pixels; normals (x, −y, −z) in our frame. Rooms 0, 1, … are train, the next ones val."""
    rows = iter(range(sum(counts)))
    for split, count in zip(("train", "val"), counts, strict=True):
        for number in range(count):
            row = next(rows)
            arrays = {name: enlarge(array, 3) for name, array in room(row).items()}
            kinds = {
                "image": (arrays["image"] / 255).astype(np.float32),
                "label": enlarge(mtan_classes(row), 3),
                "depth": (arrays["depth"] / 1000).astype(np.float32)[..., None],
                "normal": (arrays["normals"] / 127 * [1, -1, -1]).astype(np.float32),
            }
            for kind, array in kinds.items():
                save_npy(folder / split / kind / f"{number}.npy", array)
    return folder


def encode_adashare(normals: Array) -> Array:
    """Stored normals as a PNG's colours: x, z, −y, white for none."""
    x, y, z = np.moveaxis(normals / 127, -1, 0)
    colours = np.rint((np.stack([x, z, -y], -1) + 1) * 127.5).astype(np.uint8)
    return np.where(normals.any(-1, keepdims=True), colours, np.uint8(255))


def write_adashare(folder: Path, counts: tuple[int, int] = (2, 1)) -> Path:
    """480 × 640 pixels with a JSON list; rooms 0, 1, … are train, the next ones test."""
    listed: dict[str, list[list[str]]] = {"train": [], "test": []}
    for row in range(sum(counts)):
        arrays = {name: enlarge(array, 5) for name, array in room(row).items()}
        entry = [f"{kind}/{row:04d}.png" for kind in ("img", "seg", "normal_mask")] + [f"depth/{row:04d}.npy"]
        save_png(folder / entry[0], arrays["image"])
        save_png(folder / entry[1], np.where(arrays["segmentation"] == 13, 255, arrays["segmentation"] * 3))
        save_png(folder / entry[2], encode_adashare(arrays["normals"]))
        save_npy(folder / entry[3], (arrays["depth"] / 1000).astype(np.float32))
        listed["train" if row < counts[0] else "test"].append(entry)
    (folder / "nyu_v2_3task.json").write_text(json.dumps(listed))
    return folder


def disparity_codes(depth: Array) -> Array:
    """What a stereo camera of 0.2 m and 2000 px stores for this depth in millimetres; 0 for none, 1 for far."""
    codes = np.rint(256 * 0.2 * 2000 / np.maximum(depth / 1000, 0.1)) + 1
    codes = np.where(depth == 0, 0, np.minimum(codes, 65535)).astype(np.uint16)
    codes[0, :4] = 0
    codes[0, 4:8] = 1
    return codes


def write_cityscapes(folder: Path, counts: tuple[int, int] = (2, 1), camera: bool = True) -> Path:
    """1024 × 2048 pixels from the upper 64 rows of rooms, 16-fold; label ids are the rooms' classes, doubled."""
    for row in range(sum(counts)):
        split, city = ("train", "aachen") if row < counts[0] else ("val", "lindau")
        arrays = {name: array[:64] for name, array in room(row).items()}
        stem = f"{split}/{city}/{city}_{row:06d}_000019"
        save_png(folder / "leftImg8bit" / f"{stem}_leftImg8bit.png", enlarge(arrays["image"], 16))
        save_png(folder / "gtFine" / f"{stem}_gtFine_labelIds.png", enlarge(arrays["segmentation"] * 2, 16))
        save_png(folder / "disparity" / f"{stem}_disparity.png", enlarge(disparity_codes(arrays["depth"]), 16))
        if camera:
            path = folder / "camera" / f"{stem}_camera.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": 2000.0, "fy": 2000.0}}))
    return folder


# --- what can happen to a file; each gets its path


def remove(path: Path) -> None:
    path.unlink()


def corrupt(path: Path) -> None:
    """Some bytes in the middle are others, as after a bad download."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
    path.write_bytes(bytes(content))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def halve(path: Path) -> None:
    """Half the rows are gone."""
    if path.suffix == ".npy":
        array = np.load(path)
        np.save(path, array[: len(array) // 2])
    else:
        array = np.asarray(Image.open(path))
        save_png(path, array[: len(array) // 2])


def put(path: Path, value: float) -> None:
    """One pixel has this value."""
    array = np.load(path) if path.suffix == ".npy" else np.array(Image.open(path))
    array[5:8, 7:9] = value
    (save_npy if path.suffix == ".npy" else save_png)(path, array)


def leftovers(folder: Path) -> list[str]:
    """What stands in a folder where a file should have been prepared."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
