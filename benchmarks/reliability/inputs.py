"""The kinds of files that come from strangers: a small honest one each, how it is changed, and what reads it."""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
import torch

import mtlattack as mta
from mtlattack.attacks.standard import Member, Standard
from mtlattack.data import load_dataset, verify, write_rooms
from mtlattack.evaluation import craft_to, evaluate, load_suite
from mtlattack.evaluation.keeping import ImageFile
from mtlattack.evidence import Evidence, read_evidence
from mtlattack.evidence.packing.compact import pack, unpack
from mtlattack.leaderboard.board import EVIDENCE_SUFFIX, ROW_SUFFIX, Board, read_row
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.ledger import Event, append, read_ledger
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.identity import row_document, row_id, row_text
from mtlattack.leaderboard.rows.schema import EvidenceReference, ModelCard, Submitter
from mtlattack.models import create_model, create_network, file_hash, load_checkpoint, save_checkpoint
from mtlattack.models.zoo import model_path
from mtlattack.tasks import TaskMap
from mtlattack.training.recipes import load_recipe

SUITE = """name = "tiny"
version = 1
description = "Two rooms, one step"
model = "rooms-resnet10t.shared"
data = "rooms"
limit = 2
eps = [4]
headline = 4
attacks = ["fgsm-dgba", "apgd-total", "standard"]
options = {apgd = {steps = 1}}
"""
RECIPE = """name = "tiny"
data = "rooms"
tasks = ["segmentation", "depth"]
epochs = 1
batch_size = 4
learning_rate = 1e-2
[network]
backbone = "resnet10t"
backbone_options = {channels = [8, 8, 16, 16], stem_width = 8}
output_stride = 16
head_width = 8
[adversarial]
method = "adversarial"
steps = 2
eps = 8
"""


@dataclass(frozen=True)
class Read:
    """What was read of a file that was taken: the numbers in it, and the hash by which such a file is known.

    Other numbers under the same hash are a find; None for a kind of file that nothing names by a hash.
    """

    numbers: str
    known_by: str | None


@dataclass(frozen=True)
class Input:
    """A kind of file. `read` takes the path of one and raises InputError for what it refuses."""

    name: str
    honest: bytes
    filename: str
    change: Callable[[bytes, Random], bytes]
    read: Callable[[Path], Read]


def digest(content: Any) -> str:
    """SHA-256 of bytes, or of what JSON makes of a document."""
    text = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True, default=str).encode()
    return hashlib.sha256(text).hexdigest()


def arrays(evidence: Evidence) -> str:
    """SHA-256 of plan, ids and all numbers."""
    found = hashlib.sha256(json.dumps([evidence.plan, evidence.ids], sort_keys=True, default=str).encode())
    for outcome in (evidence.clean, *evidence.attacked):
        for values in (outcome.losses, outcome.perturbation, *outcome.statistics.values()):
            found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def write_suite(folder: Path) -> Path:
    """A tiny suite for a board, with the hashes of its images."""
    # What a board wants, in two steps an image.
    Standard.composition = (Member("apgd-dgba", {"steps": 2}), Member("fgsm-dgba"))
    folder.mkdir(parents=True)
    path = folder / "tiny.toml"
    hashes = "".join(f'{name} = "{digest}"\n' for name, digest in load_dataset("rooms", limit=2).digests().items())
    path.write_text(f"{SUITE}[data_sha256]\n{hashes}")
    return path


def run_suite(suite_path: Path, path: Path) -> Evidence:
    """The evidence of a run of that suite, kept at a path."""
    suite, model = load_suite(str(suite_path)), create_model("rooms-resnet10t.shared")
    data = load_dataset("rooms", tasks=model.tasks, limit=2)
    described = {"name": suite.name, "version": suite.version, "sha256": suite.sha256, "overrides": {}}
    evaluate(
        model, data, suite.create_attacks(model.tasks), path=path, name=suite.model, suite=described,
        batch_size=suite.batch_size, device="cpu",
    )  # fmt: skip
    return read_evidence(path)


def make_inputs(folder: Path) -> list[Input]:
    """All kinds, their honest files made in `folder`."""
    torch.manual_seed(0)
    suite_path = write_suite(folder / "suites")
    evidence = run_suite(suite_path, folder / "evidence.h5")
    board = make_board(folder / "honest", evidence)
    small = write_rooms(folder / "rooms.h5", "test", 1)
    few = mta.load_dataset(small, tasks={"depth": load_dataset(small).tasks["depth"]})
    network = create_network({"tasks": [task.config() for task in few.tasks.values()], **TINY}).eval()
    checkpoint = save_checkpoint(network, folder, "tiny")
    craft_to(folder / "images.h5", network, few, [mta.create_attack("fgsm-total", eps=4 / 255)], device="cpu")
    [row] = board.root.glob(f"rows/*/*/*{ROW_SUFFIX}")
    [packed] = board.root.glob(f"rows/*/*/*{EVIDENCE_SUFFIX}")

    tree = mixed(mutations.change_hdf5)
    return [
        Input("row", row.read_bytes(), row.name, mixed(mutations.change_json), _Planted(board, row)),
        Input("ledger", board.ledger.read_bytes(), "ledger.jsonl", mixed(mutations.change_lines),
              _Planted(board, board.ledger)),
        Input("row's evidence", packed.read_bytes(), packed.name, mixed(mutations.change_sealed),
              _Planted(board, packed)),
        Input("sealed evidence", packed.read_bytes(), "x.mtle", mixed(mutations.change_sealed), _sealed),
        Input("evidence.h5", (folder / "evidence.h5").read_bytes(), "evidence.h5", tree, _evidence),
        Input("checkpoint", checkpoint.read_bytes(), checkpoint.name, mixed(mutations.change_safetensors), _network),
        Input("unnamed checkpoint", checkpoint.read_bytes(), "mine.safetensors", mixed(mutations.change_safetensors),
              _network),
        Input("prepared data", small.read_bytes(), "rooms.h5", tree, _prepared),
        Input("images.h5", (folder / "images.h5").read_bytes(), "images.h5", tree, _Images(few)),
        Input("suite", suite_path.read_bytes(), "tiny.toml", mixed(mutations.change_text), _suite),
        Input("recipe", RECIPE.encode(), "tiny.toml", mixed(mutations.change_text), _recipe),
    ]  # fmt: skip


# The smallest network that there is.
TINY = {
    "backbone": "resnet10t", "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8}, "output_stride": 16,
    "head_width": 8,
}  # fmt: skip


def mixed(structured: Callable[[bytes, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    """A third of the changes to bytes, the others to what they mean."""
    return lambda data, random: (mutations.change_bytes if random.random() < 1 / 3 else structured)(data, random)


def make_board(root: Path, evidence: Evidence) -> Board:
    """A board of one row, of this evidence."""
    packed = pack(evidence)
    digest = hashlib.sha256(packed).hexdigest()
    reference = EvidenceReference(file=digest[:16] + EVIDENCE_SUFFIX, sha256=digest, bytes=len(packed))
    name = str(evidence.plan["model"]["name"])
    card = ModelCard(
        name=name, weights_sha256=evidence.plan["model"]["sha256"], checkpoint_sha256=file_hash(model_path(name)),
        parameters=evidence.plan["model"]["parameters"], layout="shared", sharing_degree=1.0,
        adversarial_training=None, extra_data=None, licence="MIT", paper=None, code=None,
    )  # fmt: skip
    row = build_row(evidence, card, Submitter(name="somebody", at=datetime.now(UTC)), reference)
    folder = root / "rows" / row.suite.name / row.model.name
    folder.mkdir(parents=True)
    identity = row_id(row_document(row))
    (folder / f"{identity}{ROW_SUFFIX}").write_text(row_text(row))
    (folder / row.evidence.file).write_bytes(packed)
    append(Board(root).ledger, Event(row=identity, status="self-reported", at=datetime.now(UTC), by="somebody"))
    return Board(root)


@dataclass(frozen=True)
class _Planted:
    """A file in place of one of a board that stands already, as a pull request brings it; refused by any finding."""

    board: Board
    place: Path

    def __call__(self, path: Path) -> Read:
        root = path.parent / "board"
        shutil.copytree(self.board.root, root)
        (root / self.place.relative_to(self.board.root)).write_bytes(path.read_bytes())
        refused = [str(finding) for finding in check_board(root, self.board.root) if finding.severity == "refused"]
        if any("please report" in text for text in refused):
            raise RuntimeError(refused[0])
        if refused:
            raise mta.InputError(refused[0])
        [row] = root.glob(f"rows/*/*/*{ROW_SUFFIX}")
        stored = read_row(row)
        events = [event.model_dump(mode="json") for event in read_ledger(Board(root).ledger)]
        return Read(digest([stored.row.model_dump(mode="json"), stored.record.model_dump(mode="json"), events]), "row")


def _sealed(path: Path) -> Read:
    data = path.read_bytes()
    return Read(arrays(unpack(data, "here")), digest(data))


def _evidence(path: Path) -> Read:
    run = mta.read_evidence(path)
    run.report()
    return Read(arrays(run), None)


def _network(path: Path) -> Read:
    network = load_checkpoint(path)
    with torch.no_grad():
        said = network(torch.full((1, 3, 32, 32), 0.5))
    return Read(digest({name: str(value.sum().item()) for name, value in said.items()}), file_hash(path))


def _prepared(path: Path) -> Read:
    found = verify(path)
    if not found.ok:
        raise mta.InputError(str(found.problems[0]))
    data = load_dataset(path, found.splits[0].name)
    batches = [data[place] for place in range(len(data))]
    content = b"".join(
        values.numpy().tobytes() for batch in batches for values in (batch.images, *batch.targets.values())
    )
    return Read(digest(content), found.splits[0].fingerprint)


@dataclass(frozen=True)
class _Images:
    data: Any

    def __call__(self, path: Path) -> Read:
        file = ImageFile(path)
        clean = torch.stack([self.data[place].images[0] for place in range(len(self.data))])
        content = b"".join(
            file.read(attack, slice(0, len(clean)), clean).images.numpy().tobytes() for attack in file.claims
        )
        return Read(digest(content + json.dumps(file.plan).encode()), None)


def _suite(path: Path) -> Read:
    suite = load_suite(str(path))
    attacks = suite.create_attacks(_tasks())
    shown = {"description", "model", "headline"}
    told = suite.model_dump(mode="json", exclude=shown)
    return Read(digest([told, [attack.config() for attack in attacks]]), suite.sha256)


@functools.cache
def _tasks() -> TaskMap:
    return create_model("rooms-resnet10t.shared").tasks


def _recipe(path: Path) -> Read:
    recipe = load_recipe(str(path))
    return Read(digest(recipe.model_dump(mode="json")), None)
