"""Which tables the claims are tested on, and where they lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from mtlattack.data import dataset_path
from mtlattack.data.cache import cache_folder
from mtlattack.errors import InputError
from mtlattack.poisoning import Kind, TaskSet, draw_tasks, make_tasks
from mtlattack.poisoning.sources import read_tasks
from mtlattack.poisoning.sources.mnist import principal_components


@dataclass(frozen=True)
class Source:
    """A table: λ₂ it is learned with, and what it is made of; `work` is about how many seconds an attack cell takes.

    `files` are the published ones, any of which will do; `images`, `model` and `splits` are of frozen features.
    `options` are the table's; of frozen features, how many principal components are kept.
    """

    relation: float
    work: float
    files: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    images: str = ""
    model: str = ""
    splits: tuple[str, ...] = ("test",)


_FROZEN = {"components": "32"}
SOURCES = {
    "landmine": Source(0.01, 15, ("LandmineData.mat",)),
    "school": Source(0.1, 30, ("school.mat",)),
    "parkinsons": Source(0.01, 10, ("parkinsons_updrs.data",)),
    "sarcos": Source(0.01, 3, ("sarcos_inv.mat", "sarcos_inv_test.mat")),
    "mnist": Source(
        0.001,
        45,
        tuple(f"{split}-images-idx3-ubyte{packed}" for split in ("train", "t10k") for packed in ("", ".gz")),
        {"tasks": "pairs", "components": "32", "limit": "2000"},
    ),
    "frozen-rooms": Source(0.1, 8, (), _FROZEN, "rooms", "rooms-resnet10t.shared"),
    "frozen-nyuv2": Source(0.1, 8, (), _FROZEN, "nyuv2", "nyuv2-resnet10t.shared", ("train", "test")),
}
TOYS = {"toy-regression": Kind.REGRESSION, "toy-classes": Kind.CLASSIFICATION}


def tables_folder() -> Path:
    """Where the published files are looked for: `tables` in the cache."""
    return cache_folder() / "tables"


def at_hand(name: str) -> bool:
    """Whether the files of a table are there."""
    source = SOURCES[name]
    if not source.images:
        return any((tables_folder() / file).is_file() for file in source.files)
    try:
        return dataset_path(source.images).is_file()
    except InputError:
        return False


@lru_cache(maxsize=2)
def read_source(name: str) -> TaskSet:
    """The tasks of a table, or of a toy."""
    if name in TOYS:
        return draw_tasks(TOYS[name], dimension=6, points=40)
    source = SOURCES[name]
    if not source.images:
        return read_tasks(name, tables_folder(), source.options)
    # The zoo is loaded for this alone.
    from mtlattack.poisoning.vision import scene_tasks

    tasks = scene_tasks(source.images, source.model, source.splits, Kind.REGRESSION)
    kept = principal_components(
        tasks.points[0][0], int(source.options["components"])
    )  # the images of all tasks are the same
    return make_tasks(tasks.kind, [(kept, labels) for _, labels in tasks.points], tasks.names, tasks.rows)
