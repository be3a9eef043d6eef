"""A data set in a part of its pixels, so that a study of many trainings ends on a CPU."""

import os
from collections.abc import Mapping
from pathlib import Path

import h5py

from mtlattack.data import load_dataset
from mtlattack.data.rooms_files import first_rooms


def smaller(name: str, every: int, counts: Mapping[str, int], folder: Path) -> Path:
    """The first images of each split with their labels, of which every so-manieth row and column; the file lies beside
    `folder`, a cell's own, for all cells, and is written once."""
    path = folder.parent / f"{name}-{every}-{'-'.join(map(str, counts.values()))}.h5"
    if path.is_file():
        return path
    mine = folder / path.name
    with h5py.File(mine, "w") as file:
        for split, count in counts.items():
            with h5py.File(_whole(name, split, count, folder)) as source:
                file.attrs.update(source.attrs)
                _copy(source[split], file.create_group(split), count, every)
        sides = {side: -(-file.attrs[side] // every) for side in ("height", "width")}
        file.attrs.update({"name": path.stem, **sides})
    os.replace(mine, path)
    return path


def _whole(name: str, split: str, count: int, folder: Path) -> Path:
    """File with so many images of a split."""
    if name == "rooms" and split == "train":
        return first_rooms(split, count, folder)
    return load_dataset(name, split).path


def _copy(source: h5py.Group, target: h5py.Group, count: int, every: int) -> None:
    for name, stored in source.items():
        values = stored[:count]
        values = values[:, ::every, ::every] if values.ndim > 1 else values
        created = target.create_dataset(name, data=values, dtype=stored.dtype, chunks=(1, *values.shape[1:]))
        created.attrs.update(stored.attrs)
