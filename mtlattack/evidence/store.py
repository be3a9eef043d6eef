"""Evidence in one HDF5 file that survives being killed.

Every array is laid out in full, contiguous and zero, before the first batch. A batch then only overwrites bytes of
arrays and, when these are flushed, its `done` marks; no metadata of the file changes, so a run killed at any moment
leaves a file that opens, and the batch that was under way is simply not marked.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
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
from mtlattack.files import check_room, whole_file
from mtlattack.hdf5 import open_hdf5
from mtlattack.tasks import TaskMap

FORMAT = "mtlattack-evidence"
FORMAT_VERSION = 3
# Version 2 knew no constant answer; it is read, and never gone on with.
_READABLE = (2, FORMAT_VERSION)
_CONSTANT = "constant"
# Only attacks with a target have it, so that files of others are as they were before there were any.
_ARRIVAL = "arrival"


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
        with _open(self.path, "r") as file:
            plan: dict[str, Any] = json.loads(file.attrs["plan"])
            return plan

    def done(self) -> dict[str, NDArray[np.bool_]]:
        """For each job which images are finished, `[N]`."""
        with _open(self.path, "r") as file:
            return {name: file[name]["done"][:].astype(bool) for name in job_names(json.loads(file.attrs["plan"]))}

    def write(
        self, job: str, rows: slice, measured: Measurement, seconds: float, arrival: NDArray[Any] | None = None
    ) -> None:
        """Store a batch of a job and mark it as done; `seconds` is spread over its images, `arrival` `[B, T, A]` is of
        an attack with a target."""
        with _open(self.path, "r+") as file:
            group = file[job]
            group["losses"][rows] = measured.losses
            group["perturbation"][rows] = measured.perturbation
            group["diagnostics"][rows] = measured.diagnostics
            group["seconds"][rows] = seconds / len(measured.losses)
            for name, values in measured.statistics.items():
                group["statistics"][name][rows] = values
            if arrival is not None:
                group[_ARRIVAL][rows] = arrival[: rows.stop - rows.start]
            file.flush()
            group["done"][rows] = 1

    def write_constant(self, rows: slice, statistics: Mapping[str, NDArray[Any]]) -> None:
        """Store the statistics of the best constant answers, by task, for some images: before their clean job, whose
        mark says that these are there too."""
        with _open(self.path, "r+") as file:
            for name, values in statistics.items():
                file[_CONSTANT][name][rows] = values

    def read(self) -> Evidence:
        """The finished evidence; InputError if some images are still missing."""
        with _open(self.path, "r") as file:
            plan, environment = json.loads(file.attrs["plan"]), json.loads(file.attrs["environment"])
            tasks = tasks_of_plan(plan)
            outcomes = []
            for name in job_names(plan):
                missing = int((file[name]["done"][:] == 0).sum())
                if missing:
                    raise InputError(
                        f"{self.path} is not finished: {name} lacks {missing} images; run it again to go on"
                    )
                outcomes.append(_read_outcome(file[name], tasks))
            ids = [x.decode() for x in file["id"][:]]
            constant = _read_statistics(file[_CONSTANT], tasks) if _CONSTANT in file else None
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
    tasks = tasks_of_plan(plan)
    file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
    file.attrs["plan"] = json.dumps(plan)
    file.attrs["environment"] = json.dumps(environment)
    file.create_dataset("id", data=ids, dtype=h5py.string_dtype())
    for name in job_names(plan):
        group = file.create_group(name)
        group.create_dataset("losses", data=np.zeros((len(ids), len(tasks)), np.float32))
        group.create_dataset("perturbation", data=np.zeros((len(ids), len(NORMS)), np.float64))
        group.create_dataset("diagnostics", data=np.zeros((len(ids), len(DIAGNOSTICS)), np.float64))
        group.create_dataset("seconds", data=np.zeros(len(ids), np.float32))
        group.create_dataset("done", data=np.zeros(len(ids), np.uint8))
        _lay_out_statistics(group.create_group("statistics"), tasks, len(ids))
    for name in targets_of(plan):
        file[name].create_dataset(_ARRIVAL, data=np.zeros((len(ids), len(tasks), len(ARRIVAL)), np.float64))
    _lay_out_statistics(file.create_group(_CONSTANT), tasks, len(ids))


def _lay_out_statistics(group: h5py.Group, tasks: TaskMap, images: int) -> None:
    for name, task in tasks.items():
        group.create_dataset(name, data=np.zeros((images, len(task.statistics_names)), np.float32))


def _read_outcome(group: h5py.Group, tasks: TaskMap) -> Outcome:
    return Outcome(
        group["losses"][:].astype(np.float64),
        _read_statistics(group["statistics"], tasks),
        group["perturbation"][:],
        group["diagnostics"][:],
        group["seconds"][:].astype(np.float64),
        group[_ARRIVAL][:] if _ARRIVAL in group else None,
    )


def _read_statistics(group: h5py.Group, tasks: TaskMap) -> dict[str, NDArray[np.float64]]:
    return {name: group[name][:].astype(np.float64) for name in tasks}


@contextmanager
def _open(path: Path, mode: str) -> Iterator[h5py.File]:
    """The file; InputError for what is no evidence, and where something that belongs into it is missing."""
    with open_hdf5(path, "evidence", format=FORMAT, versions=_READABLE, mode=mode) as file:
        try:
            yield file
        except (KeyError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is damaged ({error})") from None
