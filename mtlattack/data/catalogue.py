"""Data sets by name or path."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mtlattack.data.cache import cache_folder, find_file
from mtlattack.data.prepared import PreparedDataset
from mtlattack.data.rooms_files import rooms_file
from mtlattack.data.rooms_scenes import rooms_scenes_file
from mtlattack.data.sources import NAMELESS, list_sources
from mtlattack.errors import InputError
from mtlattack.registry import Registry
from mtlattack.tasks import TaskMap

DATASETS: Registry[Callable[[str], Path]] = Registry("data set")
DATASETS.register("rooms")(rooms_file)
DATASETS.register("rooms-scenes")(rooms_scenes_file)


def prepared_file(name: str, split: str) -> Path:
    """The prepared file of a published data set, if the user has prepared it; it holds all splits."""
    path = find_file(f"{name}.h5")
    if path is None:
        place = cache_folder() / f"{name}.h5"
        raise InputError(f"{name} is not prepared: run `mtlattack data prepare {name} --from FOLDER` (makes {place})")
    return path


for _name in sorted(set(list_sources()) - set(NAMELESS)):
    DATASETS.register(_name)(partial(prepared_file, _name))


def dataset_path(name: str | Path, split: str = "test") -> Path:
    """File that holds a split of a data set by name, or the path itself; UnknownNameError for an unknown name."""
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        raise InputError(f"data {name!r}, expected a name or a prepared .h5 file; Python's own go to evaluate")
    is_path = isinstance(name, Path) or name.endswith((".h5", ".hdf5")) or "/" in name
    return Path(name) if is_path else DATASETS.get(str(name))(split)


def load_dataset(
    name: str | Path,
    split: str = "test",
    *,
    tasks: TaskMap | None = None,
    limit: int | None = None,
    every: int = 1,
    ids: Sequence[str] | None = None,
) -> PreparedDataset:
    """A split by registered name or by the path of a prepared file; see `PreparedDataset` for the arguments.

    InputError for an unknown name, a missing file, or labels that do not serve `tasks`.
    """
    return PreparedDataset(dataset_path(name, split), split, tasks=tasks, limit=limit, every=every, ids=ids)


def list_datasets(pattern: str = "*") -> list[str]:
    """Names of the data sets that match a glob."""
    return DATASETS.names(pattern)
