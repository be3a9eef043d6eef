"""The evidence file of a run: laid out anew, or gone on with."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mtlattack.errors import InputError
from mtlattack.evidence import WHOLE, EvidenceFile, Shard, differing, parts_of
from mtlattack.evidence.places import EVIDENCE, RECORD
from mtlattack.files import check_same_plan, set_aside
from mtlattack.locking import held


@contextmanager
def evidence_at(
    path: str | Path | None,
    plan: Mapping[str, Any],
    environment: Mapping[str, Any],
    ids: list[str],
    fresh: bool,
    shard: Shard = WHOLE,
) -> Iterator[EvidenceFile]:
    """The evidence file of a plan, to go on with or laid out anew for a shard of the images `ids`, its folder held; a
    passing one without a path.

    What is there is set aside where it is to be `fresh`. InputError if `path` holds another run or shard, or somebody
    else its folder. A run that goes on elsewhere, so that
    its numbers may differ by rounding, is warned of, and its environment says so.
    """
    own = [ids[position] for position in shard.positions(len(ids))]
    environment = dict(environment) if shard == WHOLE else {**environment, "shard": str(shard)}
    if path is None:
        with TemporaryDirectory() as folder:
            yield EvidenceFile.create(Path(folder) / EVIDENCE, plan, environment, own)
    else:
        with held(Path(path).parent):
            yield _open_or_create(Path(path), plan, environment, own, fresh)


def _open_or_create(
    path: Path, plan: Mapping[str, Any], environment: dict[str, Any], ids: list[str], fresh: bool
) -> EvidenceFile:
    if fresh:
        set_aside(path.parent, [path.name, RECORD])
    if not path.exists():
        return EvidenceFile.create(path, plan, environment, ids)
    file = EvidenceFile(path)
    found = file.environment()
    check_same_plan(path, "run", file.plan(), plan)
    if found.get("shard") != environment.get("shard"):
        raise InputError(f"{path} holds {_named(found)} of this run, not {_named(environment)}; choose another --out")
    file.check_laid_out(ids)
    parts = parts_of(found, file.plan())
    other = differing([parts[-1], environment])
    if other and not all(marks.all() for marks in file.done().values()):
        warnings.warn(f"{path} goes on with other {', '.join(other)}: numbers may differ by rounding", stacklevel=6)
        file.change_environment({**found, "parts": [*parts, *parts_of(environment)]})
    return file


def _named(environment: Mapping[str, Any]) -> str:
    return f"shard {environment['shard']}" if "shard" in environment else "the whole"
