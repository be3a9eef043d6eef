"""rooms-scenes: the images and labels of rooms, with labels of the whole image beside them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.data import rooms
from mtlattack.data.cache import cache_folder, find_file
from mtlattack.data.prepared import open_prepared
from mtlattack.data.rooms.render import scene
from mtlattack.data.rooms_files import LABELS, SPLIT_SIZES, rooms_file
from mtlattack.data.writing import PreparedWriter, answers_label, classes_label, number_label
from mtlattack.errors import UnknownNameError
from mtlattack.hdf5 import strings_of
from mtlattack.locking import taking_turns
from mtlattack.progress import progress_bar
from mtlattack.tasks import Classification, Scalar

# Walls, floor and ceiling are in every image.
FIRST_THING = rooms.CLASSES.index("ceiling") + 1
THINGS = rooms.CLASSES[FIRST_THING:]
VISIBLE = 24
"""Pixels from which on a thing counts as seen: a fifth of a per cent of an image."""

_VERSION = 1
_LABELS = {
    **LABELS,
    "classification": classes_label(Classification, THINGS),
    "multilabel": answers_label(THINGS),
    "scalar": number_label(Scalar("m²")),
}


def rooms_scenes_file(split: str) -> Path:
    """Prepared file that holds a split of rooms-scenes, made of rooms in the cache if it is nowhere yet."""
    if split not in SPLIT_SIZES:
        raise UnknownNameError("split of rooms-scenes", split, SPLIT_SIZES)
    name = f"rooms-scenes-v{_VERSION}-{split}.h5"
    path = cache_folder() / name
    with taking_turns(path):
        return find_file(name) or write_rooms_scenes(path, split)


def write_rooms_scenes(path: Path, split: str, count: int | None = None) -> Path:
    """Make a prepared file of the first `count` images of a split of rooms (default: all); broken off, it goes on."""
    header: dict[str, Any] = {"name": "rooms-scenes", "size": (rooms.HEIGHT, rooms.WIDTH), "license": "MIT"}
    with (
        open_prepared(rooms_file(split)) as file,
        PreparedWriter(path, **header, citation="mtlattack rooms v1") as writer,
    ):
        source = file[split]
        ids = strings_of(source, "id")[:count]
        writer.add_split(split, ids, _LABELS)
        with progress_bar(f"labelling rooms {split}", len(ids)) as bar:
            for row in range(len(ids)):
                if not writer.has(split, row):
                    arrays = {name: source[name][row] for name in ("image", *LABELS)}
                    size = scene(row, split).size
                    writer.write(split, row, arrays | whole_labels(arrays["segmentation"], size[0] * size[2]))
                bar.advance()
    return path


def whole_labels(segmentation: NDArray[np.integer[Any]], area: float) -> dict[str, NDArray[np.generic]]:
    """Labels of an image whose classes are `segmentation` `[H, W]`, of a room with a floor of `area` m².

    `classification` is the thing that covers most of the image, −1 where none is seen; `multilabel` `[L]` says which
    things are seen; `scalar` is the area.
    """
    covered = np.bincount(segmentation.ravel(), minlength=len(rooms.CLASSES))[FIRST_THING : len(rooms.CLASSES)]
    seen = covered >= VISIBLE
    largest = int(covered.argmax()) if seen.any() else -1
    return {
        "classification": np.array(largest, np.int16),
        "multilabel": seen.astype(np.int8),
        "scalar": np.array(area, np.float32),
    }
