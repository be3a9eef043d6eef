"""Evidence in one HDF5 file that survives being killed.

Every array is laid out in full, contiguous and zero, before the first batch. A batch then only overwrites bytes of
arrays and, when these are flushed, its `done` marks; no metadata of the file changes, so a run killed at any moment
leaves a file that opens, and the batch that was under way is simply not marked.

The evidence of a shard has the plan of the whole run and its own images alone; its environment says which shard it is.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.evidence.mapped import mapped
from mtlattack.evidence.outcome import (
    ARRIVAL,
    DIAGNOSTICS,
    NORMS,
    Evidence,
    Measurement,
    Outcome,
    job_names,
    targets_of,
    tasks_of_plan,
)
from mtlattack.evidence.plans import check_environment, check_ids, check_plan
from mtlattack.files import check_room, whole_file
from mtlattack.hdf5 import DamagedError, array_of, check_array, count_of, document_of, group_of, opened_hdf5, strings_of
from mtlattack.tasks import Task, TaskMap, UnknownKindError
from mtlattack.wording import counted

FORMAT = "mtlattack-evidence"
FORMAT_VERSION = 3
# Version 2 knew no constant answer; it is read, and never gone on with.
_READABLE = (2, FORMAT_VERSION)
CONSTANT = "constant"
# Only attacks with a target have it, so that files of others are as they were before there were any.
_ARRIVAL = "arrival"
# Of more images than these the numbers stay in the file.
IN_MEMORY = 20_000


class EvidenceFile:
    """An evidence file being filled, batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path, plan: Mapping[str, Any], environment: Mapping[str, Any], ids: list[str]) -> "EvidenceFile":
        """Lay out the file for a plan (whole or not at all); InputError where it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial:
                check_room(partial, _room(plan, environment, ids))
                with h5py.File(partial, "w") as file:
                    _lay_out(file, plan, environment, ids)
        except OSError as error:
            raise InputError(f"cannot write {path} ({error})") from None
        return EvidenceFile(path)

    def plan(self) -> dict[str, Any]:
        """The plan that the file was laid out for."""
        with open_evidence(self.path) as file:
            return document_of(file, "plan")

    def environment(self) -> dict[str, Any]:
        """What it was made on; a shard says here which it is."""
        with open_evidence(self.path) as file:
            return document_of(file, "environment")

    def change_environment(self, environment: Mapping[str, Any]) -> None:
        """Say otherwise what it was made on (whole or not at all: the file is copied); InputError where it cannot be
        written."""
        try:
            with whole_file(self.path) as partial:
                text = json.dumps(environment)
                check_room(partial, self.path.stat().st_size + 2 * len(text) + 8192)
                shutil.copyfile(self.path, partial)
                with h5py.File(partial, "r+") as file:
                    file.attrs["environment"] = text
        except OSError as error:
            raise InputError(f"cannot write {self.path} ({error})") from None

    def done(self) -> dict[str, NDArray[np.bool_]]:
        """For each job which images are finished, `[N]`."""
        with open_evidence(self.path) as file:
            images = count_of(file, "id")
            return {name: _done(group_of(file, name), images) for name in job_names(document_of(file, "plan"))}

    def check_laid_out(self, ids: list[str]) -> None:
        """InputError unless the file is laid out as `create` does for its plan and these images: it can be gone on
        with."""
        with open_evidence(self.path) as file:
            if strings_of(file, "id") != ids:
                raise DamagedError("it is of other images than it was laid out for")
            for place, shape, dtype in _arrays(document_of(file, "plan"), len(ids)):
                check_array(file, place, shape, dtype)

    def write(
        self, job: str, rows: slice, measured: Measurement, seconds: float, arrival: NDArray[Any] | None = None
    ) -> None:
        """Store a batch of a job and mark it as done; `seconds` is spread over its images, `arrival` `[B, T, A]` is of
        an attack with a target.

        What is measured beyond the `rows` is left out: it filled up the batch.
        """
        count = rows.stop - rows.start
        with open_evidence(self.path, "r+") as file:
            group = file[job]
            group["losses"][rows] = measured.losses[:count]
            group["perturbation"][rows] = measured.perturbation[:count]
            group["diagnostics"][rows] = measured.diagnostics[:count]
            group["seconds"][rows] = seconds / count
            for name, values in measured.statistics.items():
                group["statistics"][name][rows] = values[:count]
            if arrival is not None:
                group[_ARRIVAL][rows] = arrival[:count]
            file.flush()
            group["done"][rows] = 1

    def write_constant(self, rows: slice, statistics: Mapping[str, NDArray[Any]]) -> None:
        """Store the statistics of the best constant answers, by task, for some images: before their clean job, whose
        mark says that these are there too; as in `write`, some may be left out."""
        with open_evidence(self.path, "r+") as file:
            for name, values in statistics.items():
                file[CONSTANT][name][rows] = values[: rows.stop - rows.start]

    def read(self) -> Evidence:
        """The finished evidence; InputError if some images are still missing.

        Of more than IN_MEMORY images the arrays are views of the file, of the type that they are stored in; `part_of`
        and `Outcome.part` read some rows of them without keeping any.
        """
        with open_evidence(self.path) as file:
            plan, environment = document_of(file, "plan"), document_of(file, "environment")
            tasks, ids = _checked(self.path, plan, environment, strings_of(file, "id"))
            targets, outcomes = targets_of(plan), []
            for name in job_names(plan):
                group = group_of(file, name)
                missing = int((~_done(group, len(ids))).sum())
                if missing:
                    raise InputError(
                        f"{self.path} is not finished: {name} lacks {counted(missing, 'image')}; run it again to go on"
                    )
                outcomes.append(_read_outcome(group, tasks, len(ids), name in targets))
            constant = _read_statistics(group_of(file, CONSTANT), tasks, len(ids)) if CONSTANT in file else None
        return Evidence(plan, environment, ids, tasks, outcomes[0], outcomes[1:], constant)


def read_evidence(path: str | Path) -> Evidence:
    """The evidence stored at `path`; InputError for a file that is missing, damaged or unfinished."""
    return EvidenceFile(Path(path)).read()


def _room(plan: Mapping[str, Any], environment: Mapping[str, Any], ids: list[str]) -> int:
    """Bytes that a file laid out for a plan takes at most."""
    tasks, jobs = tasks_of_plan(plan), job_names(plan)
    statistics = 4 * sum(len(task.statistics_names) for task in tasks.values())
    image = 4 * len(tasks) + 8 * (len(NORMS) + len(DIAGNOSTICS)) + 5 + statistics
    objects = (len(jobs) + 1) * (len(tasks) + 8)
    texts = len(json.dumps(plan)) + len(json.dumps(environment)) + sum(64 + len(identity.encode()) for identity in ids)
    return len(ids) * (len(jobs) * image + statistics) + 2048 * objects + texts


def _lay_out(file: h5py.File, plan: Mapping[str, Any], environment: Mapping[str, Any], ids: list[str]) -> None:
    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
    file.attrs["plan"] = json.dumps(plan)
    file.attrs["environment"] = json.dumps(environment)
    file.create_dataset("id", data=ids, dtype=h5py.string_dtype())
    for place, shape, dtype in _arrays(plan, len(ids)):
        _zeros(file, place, shape, dtype)


def _arrays(plan: Mapping[str, Any], images: int) -> Iterator[tuple[str, tuple[int, ...], type[np.generic]]]:
    """Place, shape and type of every array in the evidence of a plan."""
    tasks = tasks_of_plan(plan)
    statistics = {name: (images, len(task.statistics_names)) for name, task in tasks.items()}
    for job in job_names(plan):
        yield f"{job}/losses", (images, len(tasks)), np.float32
        yield f"{job}/perturbation", (images, len(NORMS)), np.float64
        yield f"{job}/diagnostics", (images, len(DIAGNOSTICS)), np.float64
        yield f"{job}/seconds", (images,), np.float32
        yield f"{job}/done", (images,), np.uint8
        yield from ((f"{job}/statistics/{name}", shape, np.float32) for name, shape in statistics.items())
    for job in targets_of(plan):
        yield f"{job}/{_ARRIVAL}", (images, len(tasks), len(ARRIVAL)), np.float64
    yield from ((f"{CONSTANT}/{name}", shape, np.float32) for name, shape in statistics.items())


def _zeros(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """An array of zeros, written in full, though never in memory as a whole."""
    array = group.create_dataset(name, shape, dtype)
    for begin in range(0, shape[0], IN_MEMORY):
        rows = min(IN_MEMORY, shape[0] - begin)
        array[begin : begin + rows] = np.zeros((rows, *shape[1:]), dtype)  # h5py would broadcast a 0 row by row


def _checked(
    path: Path, plan: dict[str, Any], environment: dict[str, Any], ids: list[str]
) -> tuple[dict[str, Task], list[str]]:
    try:
        check_environment(environment)
        return check_plan(plan), check_ids(ids)
    except UnknownKindError as error:  # nothing is damaged
        raise InputError(f"{path}: {error}") from None
    except InputError as error:
        raise DamagedError(str(error)) from None


def _done(group: h5py.Group, images: int) -> NDArray[np.bool_]:
    return array_of(group, "done", (images,), "u")[:].astype(bool)  # type: ignore[no-any-return]


def _read_outcome(group: h5py.Group, tasks: TaskMap, images: int, is_led: bool) -> Outcome:
    return Outcome(
        _finite(group, "losses", (images, len(tasks))),
        _read_statistics(group_of(group, "statistics"), tasks, images),
        _finite(group, "perturbation", (images, len(NORMS))),
        _values(group, "diagnostics", (images, len(DIAGNOSTICS))),
        _finite(group, "seconds", (images,)),
        # Of a task without a goal nothing arrives.
        _values(group, _ARRIVAL, (images, len(tasks), len(ARRIVAL))) if is_led else None,
    )


def _read_statistics(group: h5py.Group, tasks: TaskMap, images: int) -> dict[str, NDArray[np.float64]]:
    return {name: _finite(group, name, (images, len(task.statistics_names))) for name, task in tasks.items()}


def _finite(group: h5py.Group, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Values of which a run stores none that is not finite; of very many images they are not looked at."""
    values = _values(group, name, shape)
    if len(values) <= IN_MEMORY and not np.isfinite(values).all():
        raise DamagedError(f"{group.name}/{name} holds values that are not finite")
    return values


def _values(group: h5py.Group, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """What an array holds: float64 in memory, or of very many images a view of the file, as it is stored."""
    array = array_of(group, name, shape, "f")
    offset = array.id.get_offset()
    if len(array) <= IN_MEMORY or offset is None:
        return array[:].astype(np.float64)  # type: ignore[no-any-return]
    return mapped(array.file.filename, array.dtype, offset, array.shape)


def open_evidence(path: Path, mode: str = "r") -> AbstractContextManager[h5py.File]:
    """The HDF5 file; InputError for what is no evidence, and where something that belongs into it is missing."""
    return opened_hdf5(path, "evidence", format=FORMAT, versions=_READABLE, mode=mode)
