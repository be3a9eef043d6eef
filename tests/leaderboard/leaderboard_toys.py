"""A tiny suite, a run of it, and a board with its row."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtlattack.attacks.standard import Member
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing.compact import pack
from mtlattack.leaderboard.board import EVIDENCE_SUFFIX, ROW_SUFFIX, ROWS, Board, StoredRow, read_row
from mtlattack.leaderboard.ledger import Event, append
from mtlattack.leaderboard.rows.building import build_row
from mtlattack.leaderboard.rows.identity import row_document, row_id, row_text
from mtlattack.leaderboard.rows.schema import EvidenceReference, ModelCard, Row, Submitter
from mtlattack.models.checkpoint_files import file_hash
from mtlattack.models.zoo import model_path

MODEL = "rooms-resnet10t.shared"
IMAGES = 3
TINY_SUITE = f"""
name = "tiny"
version = 1
description = "Three rooms, two steps"
model = "{MODEL}"
data = "rooms"
limit = {IMAGES}
eps = [2, 4]
headline = 4
attacks = ["noise-dgba", "fgsm-dgba", "apgd-single:*", "apgd-dgba", "pgd-maxmin", "standard"]
options = {{apgd = {{steps = 2}}, pgd = {{steps = 2}}, noise = {{restarts = 2}}}}
"""

# What `standard` takes here: attacks that the suite has anyway.
COMPOSITION = (Member("apgd-dgba", {"steps": 2}), Member("fgsm-dgba"))


def write_suite(folder: Path, text: str = TINY_SUITE) -> Path:
    """The tiny suite, with the hashes of its images."""
    data: PreparedDataset = load_dataset("rooms", limit=IMAGES)
    hashes = "".join(f'{name} = "{digest}"\n' for name, digest in data.digests().items())
    path = folder / "tiny.toml"
    path.write_text(f"{text}\n[data_sha256]\n{hashes}")
    return path


def card_of(evidence: Evidence, **changes: Any) -> ModelCard:
    """What a submitter would say of the shipped model."""
    said: dict[str, Any] = {
        "name": MODEL,
        "weights_sha256": evidence.plan["model"]["sha256"],
        "checkpoint_sha256": file_hash(model_path(MODEL)),
        "parameters": evidence.plan["model"]["parameters"],
        "layout": "shared",
        "sharing_degree": 1.0,
        "adversarial_training": None,
        "extra_data": None,
        "licence": "MIT",
        "paper": None,
        "code": None,
    }
    return ModelCard(**said | changes)


def row_of(evidence: Evidence, **changes: Any) -> tuple[Row, bytes]:
    """A row and its packed evidence; `changes` are of the model card."""
    packed = pack(evidence)
    digest = hashlib.sha256(packed).hexdigest()
    reference = EvidenceReference(file=digest[:16] + EVIDENCE_SUFFIX, sha256=digest, bytes=len(packed))
    submitter = Submitter(name="somebody", at=datetime.now(UTC))
    return build_row(evidence, card_of(evidence, **changes), submitter, reference), packed


def board_of(root: Path, runs: Mapping[str, Evidence]) -> Board:
    """A board with a row for each run, by the model's name."""
    (root / ROWS).mkdir(parents=True, exist_ok=True)
    for name, evidence in runs.items():
        store(root, *row_of(evidence, name=name))
    return Board(root)


def store(root: Path, row: Row, packed: bytes) -> StoredRow:
    """Put a row on a board as a submission would, with its first line in the ledger."""
    folder = root / ROWS / row.suite.name / row.model.name
    folder.mkdir(parents=True, exist_ok=True)
    identity = row_id(row_document(row))
    (folder / f"{identity}{ROW_SUFFIX}").write_text(row_text(row))
    (folder / row.evidence.file).write_bytes(packed)
    append(Board(root).ledger, Event(row=identity, status="self-reported", at=datetime.now(UTC), by="somebody"))
    return read_row(folder / f"{identity}{ROW_SUFFIX}")
