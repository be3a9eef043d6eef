"""From a row's evidence to its record: computed when it is asked for, and kept where it is asked for again.

What is kept is named by the evidence and by the code that derived it, so that it is never out of date: another version
of this program, or a new number in a record, derives everything anew.
"""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import ValidationError

import mtlattack
from mtlattack.analysis import Record
from mtlattack.analysis.report import Report
from mtlattack.canonical import canonical_json
from mtlattack.data.cache import cache_folder
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.evidence.packing.compact import MOST_BYTES, unpack
from mtlattack.files import write_whole
from mtlattack.leaderboard.rows.plan import check_evidence
from mtlattack.reading.hostile import read_regular

# The rooms whose code makes a record of evidence.
_DERIVING = ("tasks", "evidence", "analysis")
# Images that are resampled, and statistics × jobs for which that is done: forty times what a real run has.
_MOST_IMAGES, _MOST_COLUMNS = 20_000, 1_000_000


def derive(evidence: Path, sha256: str) -> Record:
    """The record of the packed evidence in a file that must have this SHA-256, from the cache if it is there.

    InputError for another file, or none, and for evidence from which no record can be derived.
    """
    packed = read_packed(evidence, sha256)
    kept = cache_folder() / "records" / f"{sha256}-{code_digest()[:16]}.json"
    try:
        return Record.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        record = record_of(unpack(packed, str(evidence)))
        _keep(kept, record)
        return record


def read_packed(path: Path, sha256: str) -> bytes:
    """The content of an evidence file; InputError for a link, for what is too large, and for another SHA-256."""
    try:
        packed = read_regular(path, MOST_BYTES)
    except InputError as error:
        raise InputError(f"evidence.file: {path.name} {error}") from None
    found = hashlib.sha256(packed).hexdigest()
    if found != sha256:
        raise InputError(f"evidence.sha256 is {sha256}, {path.name} has {found}")
    return packed


def record_of(evidence: Evidence) -> Record:
    """The record of submitted evidence; InputError names what in its plan or circumstances is wrong, or what would take
    minutes or gigabytes to derive."""
    check_evidence(evidence)
    check_work(evidence)
    with np.errstate(over="ignore", invalid="ignore"):
        record = Report.from_evidence(evidence).record
    try:
        canonical_json(record.model_dump(mode="python"))
    except ValueError:
        raise InputError("evidence: a number that is derived from it is not finite") from None
    return record


def check_work(evidence: Evidence) -> None:
    """InputError if deriving would take minutes, or gigabytes: no suite needs that."""
    columns = sum(len(task.statistics_names) for task in evidence.tasks.values())
    ensembles = evidence.plan.get("ensembles")
    members = [e.get("members") for e in ensembles if isinstance(e, dict)] if isinstance(ensembles, list) else []
    jobs = len(evidence.attacked) + 1 + sum(2 + len(m) for m in members if isinstance(m, list))
    if len(evidence.ids) > _MOST_IMAGES:
        raise InputError(f"data.images: {len(evidence.ids):,} images, at most {_MOST_IMAGES:,} are resampled")
    if columns * jobs > _MOST_COLUMNS:
        raise InputError(
            f"attacks: {jobs:,} of them × {columns:,} statistics are {columns * jobs:,}, at most {_MOST_COLUMNS:,} are "
            "resampled"
        )


@cache
def code_digest() -> str:
    """SHA-256 over the source of all that derives, and the version of NumPy, which draws the resamples."""
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(mtlattack.__file__).parent
    for room in _DERIVING:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _keep(path: Path, record: Record) -> None:
    """Where nothing can be written nothing is kept."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, record.model_dump_json())
