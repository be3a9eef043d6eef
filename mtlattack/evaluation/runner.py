"""The runner: attacks × images → evidence, batch by batch; what is done stays done."""

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mtlattack.analysis import Run
from mtlattack.attacks import Attack
from mtlattack.data import Batch, PreparedDataset
from mtlattack.devices import choose_device, is_out_of_memory
from mtlattack.errors import InputError
from mtlattack.evaluation.calls import first_calls
from mtlattack.evaluation.constants import best_constants, constant_statistics
from mtlattack.evaluation.crafting import craft_batch, first_images, in_words, no_autocast
from mtlattack.evaluation.environment import circumstances
from mtlattack.evaluation.fitting import fitted
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.loop import Done, Loop, make_room
from mtlattack.evaluation.members import expand
from mtlattack.evaluation.plan import make_plan
from mtlattack.evaluation.preparation import (
    Precision,
    Preparation,
    check_cuda_graphs,
    check_precision,
    prepare,
    with_graphs,
)
from mtlattack.evidence import CLEAN, EvidenceFile, job_names
from mtlattack.locking import held
from mtlattack.tasks import Model


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
        done = file.done()
        named = fitted_jobs(prepared, dict(zip(job_names(plan), [None, *jobs], strict=True)), done, fit_data, chosen)

        def do(job: str, batch: Batch, rows: slice) -> None:
            started, attack = time.perf_counter(), named[job]
            result = craft_batch(prepared, attack, batch)
            with in_words(attack, batch):
                measured = judge(prepared.judge, result.images, batch.targets, batch.images, result.diagnostics)
            if attack is None:
                file.write_constant(rows, constant_statistics(data.tasks, plan["constants"], batch.targets))
            file.write(job, rows, measured, seconds=time.perf_counter() - started)

        titles = {job: str(attack or CLEAN) for job, attack in named.items()}
        Loop(prepared, titles, batch_size, do).finish(data, done, chosen, "attacking")
        return Run.of(file.read())


def check_labels(model: Model, data: PreparedDataset, fit_data: PreparedDataset) -> None:
    """InputError unless both have labels for just the tasks of the model."""
    if data.tasks != dict(model.tasks):
        raise InputError(
            f"the data gives labels for {', '.join(data.tasks)}, the model predicts {', '.join(model.tasks)}"
        )
    if fit_data.tasks != data.tasks:
        raise InputError(f"the images to fit on have labels for {', '.join(fit_data.tasks)}, not as those to attack")


def fitted_jobs(
    prepared: Preparation,
    jobs: Mapping[str, Attack | None],
    done: Done,
    fit_data: PreparedDataset,
    device: torch.device,
) -> dict[str, Attack | None]:
    """The attacks as they can be run: those that have to be fitted on images are, unless they are done already."""
    return {
        name: attack and (attack if done[name].all() else _fitted(attack, prepared, fit_data, device))
        for name, attack in jobs.items()
    }


def _fitted(attack: Attack, prepared: Preparation, data: PreparedDataset, device: torch.device) -> Attack:
    """An attack as it can be run; CUDA graphs make room if they must."""
    try:
        return fitted(attack, prepared, data, device)
    except Exception as error:
        if not is_out_of_memory(error) or not prepared.release_graphs():
            raise
    make_room(device, "to fit beside CUDA graphs: going on without these")
    return fitted(attack, prepared, data, device)


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
