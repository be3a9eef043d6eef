"""The kinds of files that data, tables, campaigns and models of one's own are made from: an honest one each, how it is
changed, and what reads it."""

import functools
import gzip
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import mutations
import numpy as np
import scipy.io
import torch
from inputs import TINY, Input, Read, digest, mixed
from numpy.typing import NDArray
from PIL import Image

import mtlattack as mta
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.description import load_campaign
from mtlattack.campaigns.folder import make_plan
from mtlattack.data import load_dataset, prepare
from mtlattack.data.account import describe_accounts, read_accounts
from mtlattack.data.sources.nyuv2_adashare import prepare_nyuv2_adashare
from mtlattack.data.sources.taskonomy import prepare_taskonomy
from mtlattack.models import create_network, resolve_model
from mtlattack.models.state_dicts import load_weights
from mtlattack.poisoning import TaskSet, draw_tasks
from mtlattack.poisoning.experiment import digest_of, read_points
from mtlattack.poisoning.experiment.folder import points_table
from mtlattack.poisoning.sources import read_described, read_tasks
from mtlattack.tasks import Depth, plugins
from mtlattack.tasks.registry import TASKS

CAMPAIGN = """suites = ["quick"]
models = ["rooms-resnet10t.shared"]
data = ["rooms"]
attacks = ["fgsm-relative", ["apgd-total", "pgd-average"]]
eps = [4, [2.5, 8]]
seeds = [0, 1]
norm = "linf"
limit = 2
batch_size = 2
precision = "float32"
threads = 1
retries = 2
target = {depth = "x1.5"}
"""
TABLE = """file = "table.csv"
kind = "classification"
targets = ["sick", "old"]
task = "house"
features = ["height", "weight"]
"""
FOLDER = """name = "toy"
license = "MIT"
citation = "none"
size = [8, 12]
[splits.train]
file = "list.txt"
[splits.test]
folder = "held_out"
ids = ["b*"]
[image]
pattern = "{split}/{id}-image.png"
[[labels]]
kind = "segmentation"
pattern = "{split}/{id}-class.png"
encoding = "png8"
classes = ["floor", "wall", "rest"]
ignore = [9]
map = { 0 = 0, 1 = 1, 2 = 2, 3 = 2 }
[[labels]]
kind = "depth"
pattern = "{split}/{id}-depth.png"
encoding = "png16"
scale = 0.002
invalid = [65535]
[[labels]]
kind = "normals"
pattern = "{split}/{id}.npy"
encoding = "npy"
frame = "x,y,z"
agreement = 0
[[labels]]
kind = "scalar"
pattern = "numbers.csv"
encoding = "csv"
columns = ["size"]
options = {unit = "m"}
step = 0.01
[[labels]]
kind = "classification"
pattern = "numbers.csv"
encoding = "csv"
columns = ["room"]
classes = ["kitchen", "bath"]
"""
PLUGIN = """import torch
from mtlattack.tasks import Depth
from mtlattack.tasks.registry import TASKS


@TASKS.register("height")
class Height(Depth):
    unit = "m"

    def loss(self, prediction, target):
        return super().loss(prediction, target)
"""
FACTORY = """import torch
from mtlattack.models import create_network
from mtlattack.tasks import Depth

OPTIONS = {"channels": [8, 8, 16, 16], "stem_width": 8}


def make():
    torch.manual_seed(0)
    return create_network({"tasks": [Depth().config()], "backbone": "resnet10t", "backbone_options": OPTIONS,
                           "output_stride": 16, "head_width": 8})
"""


@dataclass(frozen=True)
class Within:
    """A file in its place in a folder of others, which is copied for it, and used; what locks it lies beside it."""

    folder: Path
    place: str
    use: Callable[[Path], Read]

    def __call__(self, path: Path) -> Read:
        root = path.parent / "within"
        shutil.copytree(self.folder, root)
        (root / self.place).write_bytes(path.read_bytes())
        kept = tempfile.tempdir
        tempfile.tempdir = str(path.parent)
        try:
            return self.use(root)
        finally:
            tempfile.tempdir = kept


def make_given(folder: Path) -> list[Input]:
    """All kinds, their honest files made in `folder`."""
    tables, pictures = _write_tables(folder / "tables"), write_pictures(folder / "pictures")
    adashare, taskonomy = _write_adashare(folder / "adashare"), _write_taskonomy(folder / "taskonomy")
    tasks = draw_tasks("regression", 3, 4, 10, 0)
    points = points_table(tasks, {1: tasks.points[1], 2: tasks.points[2]}).encode()
    torch.manual_seed(0)
    network = create_network({"tasks": [Depth().config()], **TINY}).eval()
    weights = io.BytesIO()
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, weights)

    def within(name: str, root: Path, place: str, change: mutations.Mutation, use: Callable[[Path], Read]) -> Input:
        path = root / place
        return Input(name, path.read_bytes(), path.name, mixed(change), Within(root, place, use))

    toml, table, raw, png = mutations.change_text, mutations.change_table, mutations.change_bytes, mutations.change_png
    return [
        Input("campaign", CAMPAIGN.encode(), "mine.toml", mixed(toml), _campaign),
        within("table's description", tables, "table.toml", toml, _described),
        within("table", tables, "table.csv", table, _described),
        within("LandmineData.mat", tables, "LandmineData.mat", raw, _published("landmine")),
        within("sarcos_inv.mat", tables, "sarcos_inv.mat", raw, _published("sarcos")),
        within("MNIST", tables, "train-images-idx3-ubyte.gz", mutations.change_gzip,
               _published("mnist", components="2")),
        Input("injected points", points, "points.csv", mixed(table), functools.partial(_points, tasks)),
        within("folder's description", pictures, "mtlattack.toml", toml, prepared),
        within("folder's list", pictures, "list.txt", toml, prepared),
        within("folder's table", pictures, "numbers.csv", table, prepared),
        within("folder's image", pictures, "train/a1-image.png", png, prepared),
        within("folder's classes", pictures, "held_out/b1-class.png", png, prepared),
        within("folder's depth", pictures, "train/a1-depth.png", png, prepared),
        within("folder's normals", pictures, "train/a1.npy", mutations.change_npy, prepared),
        within("AdaShare's list", adashare, "list.json", mutations.change_json, _prepared_by(prepare_nyuv2_adashare)),
        within("Taskonomy's splits", taskonomy, "splits.json", mutations.change_json, _prepared_by(prepare_taskonomy)),
        Input("weights", weights.getvalue(), "mine.pt", mixed(mutations.in_archive(raw)),
              functools.partial(_weights, network)),
        Input("plugin", PLUGIN.encode(), "heights.py", mixed(toml), _plugin),
        Input("factory", FACTORY.encode(), "factories.py", mixed(toml), _factory),
    ]  # fmt: skip


# --- honest files


def _write_tables(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "table.toml").write_text(TABLE)
    heading = "house,height,weight,sick,old"
    rows = [f"{'abc'[n % 3]},{1.5 + n / 100},{60 + n},{n % 2},{n // 3 % 2}" for n in range(12)]
    (folder / "table.csv").write_text("\n".join([heading, *rows]) + "\n")
    cells = {"feature": [draw.normal(size=(4, 9)) for _ in range(2)], "label": [np.eye(4)[:, :1]] * 2}
    scipy.io.savemat(folder / "LandmineData.mat", {name: _cells(each) for name, each in cells.items()})
    scipy.io.savemat(folder / "sarcos_inv.mat", {"sarcos_inv": draw.normal(size=(6, 28))}, do_compression=True)
    digits = np.arange(20, dtype=np.uint8) % 10
    images = draw.integers(0, 256, (len(digits), 4, 4), np.uint8)
    for name, values in (("images-idx3", images), ("labels-idx1", digits)):
        header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
        (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(header + values.tobytes()))
    return folder


def _cells(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """A MATLAB row of cells."""
    row = np.empty((1, len(arrays)), object)
    row[0, :] = arrays
    return row


def _save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def write_pictures(folder: Path) -> Path:
    """A folder of three images with labels of every way, which `FOLDER` describes."""
    draw = np.random.default_rng(0)
    for place in ("train/a1", "train/a2", "held_out/b1"):
        _save(folder / f"{place}-image.png", draw.integers(0, 256, (16, 24, 3), np.uint8))
        _save(folder / f"{place}-class.png", draw.integers(0, 4, (16, 24), np.uint8))
        _save(folder / f"{place}-depth.png", draw.integers(500, 5000, (16, 24), np.uint16))
        normals = draw.normal(size=(16, 24, 3)) * (1, 1, 0.1) - (0, 0, 1)
        _save(folder / f"{place}.npy", (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32))
    (folder / "mtlattack.toml").write_text(FOLDER)
    (folder / "list.txt").write_text("a1\na2\n")
    (folder / "numbers.csv").write_text("id,size,room\na1,1.25,kitchen\na2,,bath\nb1,3,1\n")
    return folder


def _room() -> dict[str, NDArray[Any]]:
    """Image and labels of a shipped room, as stored."""
    with h5py.File(load_dataset("rooms").path) as file:
        return {name: file["test"][name][0] for name in ("image", "segmentation", "depth", "normals")}


def _write_adashare(folder: Path) -> Path:
    room = {name: array.repeat(5, 0).repeat(5, 1) for name, array in _room().items()}
    x, y, z = np.moveaxis(room["normals"] / 127, -1, 0)
    colours = np.rint((np.stack([x, z, -y], -1) + 1) * 127.5).astype(np.uint8)
    entry = ["img/0.png", "seg/0.png", "normal_mask/0.png", "depth/0.npy"]
    _save(folder / entry[0], room["image"])
    _save(folder / entry[1], room["segmentation"] * 3)
    _save(folder / entry[2], np.where(room["normals"].any(-1, keepdims=True), colours, np.uint8(255)))
    _save(folder / entry[3], (room["depth"] / 1000).astype(np.float32))
    (folder / "list.json").write_text(f'{{"test": [{entry}]}}'.replace("'", '"'))
    return folder


def _write_taskonomy(folder: Path) -> Path:
    room = _room()
    arrays = {"rgb": room["image"], "depth_zbuffer": np.rint(room["depth"] * 0.512).astype(np.uint16)}
    for building in ("pomaria", "wiconisco"):
        for domain, array in arrays.items():
            _save(folder / f"{building}_{domain}" / f"point_0_view_1_domain_{domain}.png", array)
    (folder / "splits.json").write_text('{"train": ["pomaria"], "val": ["wiconisco/point_0_view_1"]}')
    return folder


# --- what reads them


def _campaign(path: Path) -> Read:
    cells = expand(load_campaign(path))
    told = []
    for cell in cells[:8]:
        chosen = cell.choose(_model, _images)
        told.append([attack.config() for attack in chosen.attacks])
    plan = {key: value for key, value in make_plan(cells, 1).items() if key != "threads"}
    return Read(digest([plan, told]), None)


@functools.cache
def _model(reference: str, checkpoint: Path | None = None) -> Any:
    return resolve_model(reference, checkpoint)


@functools.cache
def _opened(name: str, split: str, every: int, limit: int | None) -> Any:
    return load_dataset(name, split, tasks=_model("rooms-resnet10t.shared")[0].tasks, every=every, limit=limit)


def _images(name: str, split: str = "test", *, tasks: Any, every: int = 1, limit: int | None = None) -> Any:
    return _opened(name, split, every, limit)


def _tasks(tasks: TaskSet) -> Read:
    return Read(digest(digest_of(tasks)), None)


def _points(tasks: TaskSet, path: Path) -> Read:
    found = read_points(path, tasks)
    return Read(digest([[task, x.tolist(), y.tolist()] for task, (x, y) in found.items()]), None)


def _described(root: Path) -> Read:
    return _tasks(read_described(root / "table.toml"))


def _published(name: str, **options: str) -> Callable[[Path], Read]:
    return lambda root: _tasks(read_tasks(name, root, options))


def _prepared_by(function: Callable[..., Path]) -> Callable[[Path], Read]:
    return lambda root: _read_of(function(root, root / "out.h5", size=(12, 16)))


def prepared(root: Path) -> Read:
    """What a folder of pictures is prepared as, there."""
    return _read_of(prepare("folder", root, root / "out.h5"))


def _read_of(path: Path) -> Read:
    describe_accounts(read_accounts(path))
    with h5py.File(path) as file:
        splits = [name for name, item in file.items() if isinstance(item, h5py.Group)]
    return Read(digest({split: load_dataset(path, split).fingerprint() for split in splits}), None)


def _weights(network: Any, path: Path) -> Read:
    load_weights(network, path)
    content = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
    return Read(digest(content), None)


@contextmanager
def _forgotten(name: str) -> Iterator[None]:
    """What is imported and registered inside is not, afterwards."""
    kinds, variable = dict(TASKS._entries), os.environ.pop(plugins.VARIABLE, None)
    try:
        yield
    finally:
        sys.modules.pop(name, None)
        TASKS._entries.clear()
        TASKS._entries.update(kinds)
        os.environ.pop(plugins.VARIABLE, None)
        if variable is not None:
            os.environ[plugins.VARIABLE] = variable


def _plugin(path: Path) -> Read:
    with _forgotten(path.stem):
        plugins.add_plugins([str(path)])
        return Read(digest(TASKS.get("height").__name__ if "height" in TASKS else ""), None)


def _factory(path: Path) -> Read:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with _forgotten(path.stem):
            network, _ = mta.models.resolve_model(f"{path.stem}:make")
            return Read(digest(b"".join(value.numpy().tobytes() for value in network.state_dict().values())), None)
    finally:
        os.chdir(here)
