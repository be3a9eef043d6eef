"""The runner: attacks × images → evidence, batch by batch; what is done stays done."""

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mtlattack.analysis import Run
from mtlattack.attacks import Attack
from mtlattack.data import Batch, PreparedDataset, read_ahead
from mtlattack.devices import choose_device, is_out_of_memory, release_memory
from mtlattack.errors import InputError
from mtlattack.evaluation.calls import first_calls
from mtlattack.evaluation.constants import Constants, best_constants, constant_statistics
from mtlattack.evaluation.crafting import craft_batch, first_images, in_words, no_autocast
from mtlattack.evaluation.environment import circumstances
from mtlattack.evaluation.fitting import fitted
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.members import expand
from mtlattack.evaluation.model import Model
from mtlattack.evaluation.plan import make_plan
from mtlattack.evaluation.preparation import (
    Precision,
    Preparation,
    check_cuda_graphs,
    check_precision,
    prepare,
    with_graphs,
)
from mtlattack.evidence import CLEAN, Evidence, EvidenceFile, job_names
from mtlattack.locking import held
from mtlattack.progress import progress_bar


@torch.inference_mode(False)
def evaluate(
    model: Model,
    data: PreparedDataset,
    attacks: Iterable[Attack],
    *,
    fit_data: PreparedDataset | None = None,
    path: str | Path | None = None,
    name: str | None = None,
    suite: Mapping[str, Any] | None = None,
    precision: Precision = "float32",
    cuda_graphs: bool = False,
    batch_size: int = 16,
    device: str | None = None,
    seed: int = 0,
    fresh: bool = False,
) -> Run:
    """Attack `model` on every image of `data` and measure what became of each task.

    Attacks that are fitted on images first, `universal`, are fitted on `fit_data`, or else on `data`; which it was
    stands in the plan. Of an ensemble the members are run, after the other attacks and each once. With a `path` the
    evidence is written there as it comes; a run that was killed goes on where it stopped and ends with the same numbers
    (`fresh` starts anew instead). `name`, `suite` and `seed` only stand in the record. Attacks take their gradients in
    `precision`: `auto` is bfloat16 where that is fast and agrees with float32 on the first images. Losses and
    statistics are computed in float32 on the final images. A batch that the device has no memory for is done in halves.
    With `cuda_graphs` passes on whole batches are replayed as CUDA graphs where these give the same, up to rounding,
    and are faster: the evidence's environment says how much when the run began. InputError if `path` holds another run,
    labels and tasks do not fit, the device has no CUDA graphs, or the model predicts something that is not finite; what
    is measured by then is kept.
    """
    check_precision(precision)
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size}, expected at least 1")
    chosen = choose_device(device)
    if cuda_graphs:
        check_cuda_graphs(chosen)
    fit_data = data if fit_data is None else fit_data
    check_labels(model, data, fit_data)
    first = first_images(data).to(chosen)
    jobs, ensembles = expand(attacks, model.tasks)
    with no_autocast(chosen):
        prepared = prepare(model, first, precision)
        environment: dict[str, Any] = circumstances() | {
            "precision_asked": precision,
            "sign_agreement": prepared.sign_agreement,
            "calls": first_calls(prepared.judge, first.part(slice(batch_size))),
        }
        if cuda_graphs:  # After the calls: they are compared without TF32, which a recording would hold on to.
            prepared = with_graphs(prepared, first.images, min(batch_size, len(data)))
            environment["cuda_graphs"] = prepared.speed_ups
    plan = make_plan(
        model, data, jobs, fit_data=fit_data, name=name, suite=suite, ensembles=ensembles, preparation=prepared,
        constants=best_constants(data), batch_size=batch_size, device=chosen, seed=seed,
    )  # fmt: skip
    with ExitStack() as stack:
        if path is None:
            path = Path(stack.enter_context(TemporaryDirectory())) / "evidence.h5"
        else:
            stack.enter_context(held(Path(path).parent))
        file = _open_or_create(Path(path), plan, environment, data.ids, fresh)
        return Run.of(_Loop(prepared, file, jobs, plan).finish(data, fit_data, chosen))


def check_labels(model: Model, data: PreparedDataset, fit_data: PreparedDataset) -> None:
    """InputError unless both have labels for just the tasks of the model."""
    if data.tasks != dict(model.tasks):
        raise InputError(
            f"the data gives labels for {', '.join(data.tasks)}, the model predicts {', '.join(model.tasks)}"
        )
    if fit_data.tasks != data.tasks:
        raise InputError(f"the images to fit on have labels for {', '.join(fit_data.tasks)}, not as those to attack")


class _Loop:
    """Jobs (`clean` first, then the attacks) × batches of images."""

    def __init__(
        self, prepared: Preparation, file: EvidenceFile, attacks: Sequence[Attack], plan: Mapping[str, Any]
    ) -> None:
        self.prepared, self.file = prepared, file
        self.jobs: list[tuple[str, Attack | None]] = list(zip(job_names(plan), [None, *attacks], strict=True))
        self.batch_size: int = plan["batch_size"]
        self.fitting = self.batch_size
        self.constants: Constants = plan["constants"]

    def finish(self, data: PreparedDataset, fit_data: PreparedDataset, device: torch.device) -> Evidence:
        """Do what is not done yet."""
        done = self.file.done()
        self.jobs = [
            (name, attack and (attack if done[name].all() else self._fitted(attack, fit_data, device)))
            for name, attack in self.jobs
        ]
        todo = {
            start: [
                (name, attack) for name, attack in self.jobs if not done[name][start : start + self.batch_size].all()
            ]
            for start in range(0, len(data), self.batch_size)
        }
        todo = {start: jobs for start, jobs in todo.items() if jobs}
        batches = [range(start, min(start + self.batch_size, len(data))) for start in todo]
        with progress_bar("attacking", len(data) * len(self.jobs), "images") as bar:
            bar.advance(sum(int(marks.sum()) for marks in done.values()))
            for (start, jobs), batch in zip(todo.items(), read_ahead(data, batches, device), strict=True):
                batch = self.prepared.laid_out(batch)
                for name, attack in jobs:
                    bar.describe(str(attack) if attack else CLEAN)
                    # A run that was stopped between portions has done the first of them.
                    finished = int(done[name][start : start + len(batch.ids)].sum())
                    for images in self._in_portions(name, attack, batch, start, finished):
                        bar.advance(images)
        return self.file.read()

    def _fitted(self, attack: Attack, data: PreparedDataset, device: torch.device) -> Attack:
        """The attack as it can be run; CUDA graphs make room if they must."""
        try:
            return fitted(attack, self.prepared, data, device)
        except Exception as error:
            if not is_out_of_memory(error) or not self.prepared.release_graphs():
                raise
        _free(device, "to fit beside CUDA graphs: going on without these")
        return fitted(attack, self.prepared, data, device)

    def _in_portions(self, job: str, attack: Attack | None, batch: Batch, start: int, finished: int) -> Iterator[int]:
        """One job on the rest of a batch: as a whole, or as many images at a time as the device had memory for so far.

        Gives the number of images each time some are done.
        """
        while finished < len(batch.ids):
            portion = batch.part(slice(finished, finished + self.fitting))
            if self._fits(job, attack, portion, start + finished):
                finished += len(portion.ids)
                yield len(portion.ids)

    def _fits(self, job: str, attack: Attack | None, batch: Batch, start: int) -> bool:
        """Do the job, or else drop the CUDA graphs, or if there are none, halve what is taken to fit."""
        images, device = len(batch.ids), batch.images.device
        try:
            self._do(job, attack, batch, start)
            return True
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            dropped = self.prepared.release_graphs()
            if images == 1 and not dropped:
                raise
        if dropped:
            _free(device, f"for {images} images beside CUDA graphs: going on without these")
        else:
            self.fitting = images // 2
            _free(device, f"for {images} images: going on with {self.fitting}")
        return False

    def _do(self, job: str, attack: Attack | None, batch: Batch, start: int) -> None:
        started = time.perf_counter()
        result = craft_batch(self.prepared, attack, batch)
        with in_words(attack, batch):
            measured = judge(self.prepared.judge, result.images, batch.targets, batch.images, result.diagnostics)
        rows = slice(start, start + len(batch.ids))
        if attack is None:
            tasks = self.prepared.judge.tasks
            self.file.write_constant(rows, constant_statistics(tasks, self.constants, batch.targets))
        self.file.write(job, rows, measured, seconds=time.perf_counter() - started)


def _free(device: torch.device, what: str) -> None:
    """Say what there was no memory for, and free what is no longer used."""
    release_memory(device)
    warnings.warn(f"{device} has no memory {what}", stacklevel=3)


def _open_or_create(
    path: Path, plan: dict[str, Any], environment: Mapping[str, Any], ids: list[str], fresh: bool
) -> EvidenceFile:
    if fresh or not path.exists():
        return EvidenceFile.create(path, plan, environment, ids)
    file = EvidenceFile(path)
    stored = file.plan()
    differing = [key for key, value in plan.items() if stored.get(key) != value]
    if differing:
        raise InputError(
            f"{path} holds another run (other {', '.join(differing)}); start anew with --fresh or choose another --out"
        )
    return file
