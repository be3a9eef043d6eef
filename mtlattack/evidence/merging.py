"""Shards of one run become its evidence, as one process would have written it."""

import hashlib
import json
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mtlattack.errors import InputError
from mtlattack.evidence.parts import differing, parts_of
from mtlattack.evidence.places import RECORD
from mtlattack.evidence.shard import WHOLE, Shard
from mtlattack.evidence.store import EvidenceFile, open_evidence
from mtlattack.files import check_same_plan, set_aside, whole_file
from mtlattack.hdf5 import document_of, strings_of
from mtlattack.locking import held
from mtlattack.wording import counted

# Images whose rows are in memory at a time.
_BLOCK = 8192
_SHOWN = 8


@dataclass(frozen=True)
class Part:
    """The finished evidence of a shard."""

    path: Path
    shard: Shard
    plan: dict[str, Any]
    environment: dict[str, Any]
    ids: list[str]

    @property
    def positions(self) -> range:
        """Which of the run's images it holds."""
        return self.shard.positions(self.plan["data"]["images"])

    def __str__(self) -> str:
        return f"{self.path} (shard {self.shard})"


def merge_shards(shards: Sequence[Path], path: Path, *, fresh: bool = False) -> EvidenceFile:
    """Write at `path` the evidence of the whole run of which the evidence files `shards` are the parts, in any order.

    Its numbers are those of the shards, bit for bit; its environment lists theirs under `parts`, and where they ran on
    different devices, threads or versions, so that some may differ by rounding from those of one machine, there is a
    warning. The file is written whole or not at all, in memory that does not grow with the images. InputError names the
    file for evidence that is missing, damaged, unfinished, of another run or given twice, for shards that
    overlap, the shards that are missing, and a `path` that holds another run (unless `fresh`) or that somebody uses.
    """
    parts = [_read(shard) for shard in shards]
    _check(parts)
    for part in parts:
        if part.path.resolve() == path.resolve():
            raise InputError(f"{part} cannot be what it is merged to; choose another --out")
    with held(path.parent):
        if fresh:
            set_aside(path.parent, [path.name, RECORD])
        if path.exists():
            check_same_plan(path, "run", EvidenceFile(path).plan(), parts[0].plan)
        try:
            _write(parts, path)
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None
    unlike = differing(parts_of(_environment(parts)))
    if unlike:
        warnings.warn(
            f"the shards ran with different {', '.join(unlike)}: numbers may differ by rounding from those of one "
            "machine; the environment lists them",
            stacklevel=2,
        )
    return EvidenceFile(path)


def _write(parts: Sequence[Part], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        EvidenceFile.create(partial, parts[0].plan, _environment(parts), _joined_ids(parts))
        with h5py.File(partial, "r+") as whole, ExitStack() as stack:
            files = [stack.enter_context(open_evidence(part.path)) for part in parts]
            for name, array in _arrays(whole):
                _copy(parts, [file[name] for file in files], array)


def _read(path: Path) -> Part:
    """A shard; InputError for what is none, or is not finished."""
    with open_evidence(path) as file:
        plan, environment = document_of(file, "plan"), document_of(file, "environment")
        ids = strings_of(file, "id")
    part = Part(path, Shard.parse(environment.get("shard", str(WHOLE))), plan, environment, ids)
    for job, done in EvidenceFile(path).done().items():
        if missing := int((~done).sum()):
            raise InputError(f"{part} is not finished: {job} lacks {counted(missing, 'image')}; run it again to go on")
    if len(part.ids) != len(part.positions):
        raise InputError(f"{part} is damaged: it has {counted(len(part.ids), 'image')}, expected {len(part.positions)}")
    return part


def _check(parts: Sequence[Part]) -> None:
    """InputError unless these are the shards of one run, each image once."""
    if not parts:
        raise InputError("there are no shards to merge")
    first = parts[0]
    for place, part in enumerate(parts):
        other = sorted(key for key in {*first.plan, *part.plan} if first.plan.get(key) != part.plan.get(key))
        if other:
            raise InputError(f"{part} is of another run than {first} (other {', '.join(other)})")
        for earlier in parts[:place]:
            if part.path.resolve() == earlier.path.resolve():
                raise InputError(f"{part} is given twice")
            if part.shard == earlier.shard:
                raise InputError(f"{part} is the same shard as {earlier}")
            if (part.shard.number - earlier.shard.number) % math.gcd(part.shard.of, earlier.shard.of) == 0:
                raise InputError(f"{part} and {earlier} have images in common")
    _check_complete(parts)
    ids = hashlib.sha256(json.dumps(_joined_ids(parts)).encode()).hexdigest()
    if ids != first.plan["data"]["sha256"]["id"]:
        raise InputError(f"the ids in {', '.join(map(str, parts))} are not those that their plan was made of")


def _check_complete(parts: Sequence[Part]) -> None:
    images, of = parts[0].plan["data"]["images"], math.lcm(*(part.shard.of for part in parts))
    if sum(len(part.positions) for part in parts) == images:  # disjoint, so that is all of them
        return
    covered = {number for part in parts for number in range(part.shard.number, of + 1, part.shard.of)}
    missing = [Shard(number, of) for number in range(1, min(of, images) + 1) if number not in covered]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    named = ", ".join(map(str, missing[:_SHOWN]))
    raise InputError(f"of the run's shards {named}{more} {'is' if len(missing) == 1 else 'are'} missing")


def _joined_ids(parts: Sequence[Part]) -> list[str]:
    """The ids of all images, in their order."""
    ids = [""] * parts[0].plan["data"]["images"]
    for part in parts:
        ids[part.positions.start :: part.shard.of] = part.ids
    return ids


def _environment(parts: Sequence[Part]) -> dict[str, Any]:
    """That of the first shard, and all of theirs."""
    ordered = sorted(parts, key=lambda part: (part.shard.of, part.shard.number))
    first = {key: value for key, value in ordered[0].environment.items() if key not in ("shard", "parts")}
    listed = [{**each, "shard": str(part.shard)} for part in ordered for each in parts_of(part.environment, part.plan)]
    return {**first, "parts": listed}


def _arrays(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """All arrays with a row an image, by their place in the file."""
    found: list[tuple[str, h5py.Dataset]] = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return ((name, array) for name, array in found if name != "id")


def _copy(parts: Sequence[Part], sources: Sequence[h5py.Dataset], target: h5py.Dataset) -> None:
    """Rows of an array to their places, block by block."""
    for begin in range(0, len(target), _BLOCK):
        end = min(begin + _BLOCK, len(target))
        block = np.empty((end - begin, *target.shape[1:]), target.dtype)
        for part, source in zip(parts, sources, strict=True):
            first, of = part.positions.start, part.shard.of
            rows = slice(max(0, -(-(begin - first) // of)), max(0, -(-(end - first) // of)))
            block[first + rows.start * of - begin :: of] = source[rows]
        target[begin:end] = block
