"""Evidence: per attack, image and task what was measured, in one HDF5 file that survives being killed.

Every array is laid out in full, contiguous and zero, before the first batch. A batch then only overwrites bytes of
arrays and, when these are flushed, its `done` marks; no metadata of the file changes, so a run killed at any moment
leaves a file that opens, and the batch that was under way is simply not marked.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.evaluation.measuring import DIAGNOSTICS, NORMS, Measurement
from mtlattack.files import whole_file
from mtlattack.hdf5 import open_hdf5
from mtlattack.tasks import Task, task_from_config

FORMAT = "mtlattack-evidence"
FORMAT_VERSION = 2
CLEAN = "clean"


@dataclass(frozen=True)
class Outcome:
    """What one attack (or none) did to N images: losses `[N, T]`, statistics by task `[N, S]`, `perturbation` `[N, 4]`
    (columns NORMS), `diagnostics` `[N, D]` (columns DIAGNOSTICS, NaN where nothing was noted), `seconds` `[N]` spent.
    """

    losses: NDArray[np.float64]
    statistics: dict[str, NDArray[np.float64]]
    perturbation: NDArray[np.float64]
    diagnostics: NDArray[np.float64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """A finished run: its plan, the images' ids, and one outcome a job in the plan's order, `clean` first."""

    plan: dict[str, Any]
    environment: dict[str, Any]
    ids: list[str]
    tasks: dict[str, Task]
    clean: Outcome
    attacked: list[Outcome]

    def report(self) -> Any:
        """The results as a report that prints as tables."""
        from mtlattack.evaluation.report import Report

        return Report.from_evidence(self)


class EvidenceFile:
    """An evidence file being filled, batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path, plan: Mapping[str, Any], environment: Mapping[str, Any], ids: list[str]) -> "EvidenceFile":
        """Lay out the file for a plan (whole or not at all); InputError where it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial, h5py.File(partial, "w") as file:
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

    def write(self, job: str, rows: slice, measured: Measurement, seconds: float) -> None:
        """Store a batch of a job and mark it as done; `seconds` is spread over its images."""
        with _open(self.path, "r+") as file:
            group = file[job]
            group["losses"][rows] = measured.losses
            group["perturbation"][rows] = measured.perturbation
            group["diagnostics"][rows] = measured.diagnostics
            group["seconds"][rows] = seconds / len(measured.losses)
            for name, values in measured.statistics.items():
                group["statistics"][name][rows] = values
            file.flush()
            group["done"][rows] = 1

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
        return Evidence(plan, environment, ids, tasks, outcomes[0], outcomes[1:])


def read_evidence(path: str | Path) -> Evidence:
    """The evidence stored at `path`; InputError for a file that is missing, damaged or unfinished."""
    return EvidenceFile(Path(path)).read()


def job_names(plan: Mapping[str, Any]) -> list[str]:
    """Names of the groups in the file: `clean`, then one a planned attack, numbered as the plan orders them."""
    return [CLEAN, *(f"attacks/{index:04d}" for index in range(len(plan["attacks"])))]


def tasks_of_plan(plan: Mapping[str, Any]) -> dict[str, Task]:
    """The tasks that were evaluated, by name, in the order of the loss columns."""
    tasks = [task_from_config(config) for config in plan["tasks"]]
    return {task.name: task for task in tasks}


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
        for task in tasks.values():
            shape = (len(ids), len(task.statistics_names))
            group.create_dataset(f"statistics/{task.name}", data=np.zeros(shape, np.float32))


def _read_outcome(group: h5py.Group, tasks: Mapping[str, Task]) -> Outcome:
    return Outcome(
        group["losses"][:].astype(np.float64),
        {name: group["statistics"][name][:].astype(np.float64) for name in tasks},
        group["perturbation"][:],
        group["diagnostics"][:],
        group["seconds"][:].astype(np.float64),
    )


@contextmanager
def _open(path: Path, mode: str) -> Iterator[h5py.File]:
    """The file; InputError for what is no evidence, and where something that belongs into it is missing."""
    with open_hdf5(path, "evidence", format=FORMAT, version=FORMAT_VERSION, mode=mode) as file:
        try:
            yield file
        except (KeyError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is damaged ({error})") from None
