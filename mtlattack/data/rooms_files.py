"""The rooms data set as prepared files: the test split ships, the training split is rendered when first asked for."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlattack.data import rooms
from mtlattack.data.cache import cache_folder, find_file
from mtlattack.data.writing import DEPTH_LABEL, NORMALS_LABEL, Label, PreparedWriter, segmentation_label
from mtlattack.errors import UnknownNameError
from mtlattack.locking import taking_turns
from mtlattack.progress import progress_bar

SPLIT_SIZES = {"train": 8000, "test": 256}
_FILES = {"train": f"rooms-v{rooms.SCENE_VERSION}-train.h5", "test": f"rooms-v{rooms.SCENE_VERSION}.h5"}
LABELS = {
    "segmentation": segmentation_label(rooms.CLASSES),
    "depth": DEPTH_LABEL,
    "normals": NORMALS_LABEL,
    "edge_texture": Label("uint16", attributes={"scale": rooms.EDGE_SCALE}),
    "keypoints2d": Label("uint16", attributes={"scale": rooms.KEYPOINT_SCALE}),
}


def rooms_file(split: str) -> Path:
    """Prepared file that holds a split of rooms, rendered into the cache if it is nowhere yet (some minutes)."""
    if split not in _FILES:
        raise UnknownNameError("split of rooms", split, _FILES)
    found = find_file(_FILES[split])
    if found is not None:
        return found
    # Processes that start together, as shards do, all ask for it: one renders.
    path = cache_folder() / _FILES[split]
    with taking_turns(path):
        return find_file(_FILES[split]) or write_rooms(path, split)


def first_rooms(split: str, count: int, folder: Path) -> Path:
    """Prepared file that begins with the first `count` images of a split: a few are rendered into `folder`, sooner than
    the whole split is into the cache."""
    return write_rooms(folder / "rooms.h5", split, count) if count <= SPLIT_SIZES["test"] else rooms_file(split)


def write_rooms(path: Path, split: str, count: int | None = None) -> Path:
    """Render the first `count` images of a split (default: all) on all cores into a prepared file.

    A rendering that was broken off goes on where it was.
    """
    count = SPLIT_SIZES[split] if count is None else count
    ids = [f"{split}-{index:05d}" for index in range(count)]
    header = {"name": "rooms", "size": (rooms.HEIGHT, rooms.WIDTH), "license": "MIT", "citation": "mtlattack rooms v1"}
    with (
        PreparedWriter(path, **header, compression=9 if split == "test" else 4) as writer,  # type: ignore[arg-type]
        progress_bar(f"rendering rooms {split}", count) as bar,
    ):
        writer.add_split(split, ids, LABELS)
        missing = [index for index in range(count) if not writer.has(split, index)]
        bar.advance(count - len(missing))
        for index, arrays in zip(missing, _render_all(split, missing), strict=True):
            writer.write(split, index, arrays)
            bar.advance()
    return path


def _render_all(split: str, indices: Sequence[int]) -> Iterator[dict[str, NDArray[np.generic]]]:
    render = partial(rooms.render, split=split)
    # A few seconds' work is done here: a pool would need the caller's script to guard its main module.
    if len(indices) <= SPLIT_SIZES["test"]:
        yield from map(render, indices)
        return
    # Spawned, not forked: a fork would copy the threads' locks of torch and HDF5.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(render, indices, chunksize=16)
