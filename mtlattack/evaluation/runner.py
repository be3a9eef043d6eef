"""The runner: attacks × images → evidence, batch by batch; what is done stays done."""

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtlattack.attacks import Attack
from mtlattack.attacks.guard import undisturbed
from mtlattack.data import Batch, PreparedDataset, loader
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation.environment import circumstances, describe_model, numeric_environment
from mtlattack.evaluation.evidence import CLEAN, Evidence, EvidenceFile, job_names
from mtlattack.progress import progress_bar
from mtlattack.tasks import Task


class Model(Protocol):
    """Images `[B, 3, H, W]` in [0, 1] → predictions by task."""

    tasks: Mapping[str, Task]

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]: ...


def evaluate(
    model: Model,
    data: PreparedDataset,
    attacks: Iterable[Attack],
    *,
    path: str | Path | None = None,
    name: str | None = None,
    suite: Mapping[str, Any] | None = None,
    batch_size: int = 16,
    device: str | None = None,
    seed: int = 0,
    fresh: bool = False,
) -> Evidence:
    """Attack `model` on every image of `data` and measure what became of each task.

    With a `path` the evidence is written there as it comes; a run that was killed goes on where it stopped and ends
    with the same numbers (`fresh` starts anew instead). `name`, `suite` and `seed` only stand in the record. Losses and
    statistics are computed in float32 on the final images. InputError if `path` holds another run, labels and tasks do
    not fit, or the model predicts something that is not finite; what is measured by then is kept.
    """
    attacks = list(attacks)
    chosen = choose_device(device)
    model = _working_copy(model, chosen)
    plan = make_plan(model, data, attacks, name=name, suite=suite, batch_size=batch_size, device=chosen, seed=seed)
    if path is not None:
        return _run(model, data, attacks, plan, Path(path), chosen, fresh)
    with TemporaryDirectory() as folder:
        return _run(model, data, attacks, plan, Path(folder) / "evidence.h5", chosen)


def make_plan(
    model: Model,
    data: PreparedDataset,
    attacks: Sequence[Attack],
    *,
    name: str | None,
    suite: Mapping[str, Any] | None,
    batch_size: int,
    device: torch.device,
    seed: int,
) -> dict[str, Any]:
    """Everything that determines a run's numbers, as plain JSON: two runs with equal plans end with equal numbers."""
    if data.tasks != dict(model.tasks):
        raise InputError(
            f"the data gives labels for {', '.join(data.tasks)}, the model predicts {', '.join(model.tasks)}"
        )
    costs = [attack.cost(len(model.tasks)) for attack in attacks]
    return {
        "suite": dict(suite) if suite else None,
        "model": describe_model(model, name),
        "data": {
            "name": data.name,
            "split": data.split,
            "images": len(data),
            "fingerprint": data.fingerprint(),
        },
        "tasks": [task.config() for task in model.tasks.values()],
        "attacks": [
            {"config": attack.config(), "forward_passes": cost.forward, "backward_passes": cost.backward}
            for attack, cost in zip(attacks, costs, strict=True)
        ],
        "seed": seed,
        "batch_size": batch_size,
        "environment": numeric_environment(device),
    }


def measure(model: Model, images: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Losses `[B, T]` and statistics by task `[B, S]` of a model on these images, without gradients.

    InputError if a prediction is missing, of the wrong shape, or not finite.
    """
    with torch.inference_mode(), undisturbed(model):
        predictions = model(images)
        for name in model.tasks:
            if name not in predictions:
                raise InputError(f"the model predicts {', '.join(predictions)}, not its task {name!r}")
            if not torch.isfinite(predictions[name]).all():
                raise InputError(f"the model's prediction of {name} is not finite")
        outputs = {name: predictions[name].float() for name in model.tasks}
        losses = torch.stack([task.loss(outputs[n], targets[n]) for n, task in model.tasks.items()], 1)
        return losses, {n: task.statistics(outputs[n], targets[n]) for n, task in model.tasks.items()}


def _working_copy(model: Model, device: torch.device) -> Model:
    """The caller's model stays as it is; the copy is frozen and laid out channels-last, which convolutions prefer."""
    if not isinstance(model, nn.Module):
        return model
    twin: Any = copy.deepcopy(model).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    return twin


def _run(
    model: Model,
    data: PreparedDataset,
    attacks: Sequence[Attack],
    plan: dict[str, Any],
    path: Path,
    device: torch.device,
    fresh: bool = False,
) -> Evidence:
    file = _open_or_create(path, plan, data.ids, fresh)
    done = file.done()
    finished = sum(int(marks.sum()) for marks in done.values())
    jobs: list[tuple[str, Attack | None]] = list(zip(job_names(plan), [None, *attacks], strict=True))
    total = len(data) * len(jobs)
    if finished < total:
        with progress_bar("attacking", total, "images") as bar:
            bar.advance(finished)
            start = 0
            for batch in loader(data, plan["batch_size"]):
                rows = slice(start, start + len(batch.ids))
                start = rows.stop
                todo = [(name, attack) for name, attack in jobs if not done[name][rows].all()]
                moved = batch.to(device) if todo else batch
                for name, attack in todo:
                    bar.describe(str(attack) if attack else CLEAN)
                    _run_batch(model, moved, attack, file, name, rows)
                    bar.advance(len(batch.ids))
    return file.read()


def _run_batch(model: Model, batch: Batch, attack: Attack | None, file: EvidenceFile, job: str, rows: slice) -> None:
    started = time.perf_counter()
    try:
        images = attack(model, batch.images, batch.targets, batch.ids) if attack else batch.images
        losses, statistics = measure(model, images, batch.targets)
    except InputError as error:
        raise InputError(f"{attack or CLEAN} on images {batch.ids[0]} to {batch.ids[-1]}: {error}") from None
    file.write(
        job,
        rows,
        losses=losses.cpu().numpy(),
        statistics={name: values.cpu().numpy() for name, values in statistics.items()},
        perturbation=_norms(images, batch.images),
        seconds=time.perf_counter() - started,
    )


def _norms(images: Tensor, clean: Tensor) -> NDArray[np.float64]:
    """l_inf and l_2 norm of each image's perturbation, `[B, 2]`, in float64."""
    delta = (images.cpu().double() - clean.cpu().double()).flatten(1)
    return torch.stack([delta.abs().amax(1), delta.norm(dim=1)], 1).numpy()


def _open_or_create(path: Path, plan: dict[str, Any], ids: list[str], fresh: bool) -> EvidenceFile:
    if fresh or not path.exists():
        return EvidenceFile.create(path, plan, circumstances(), ids)
    file = EvidenceFile(path)
    stored = file.plan()
    differing = [key for key, value in plan.items() if stored.get(key) != value]
    if differing:
        raise InputError(
            f"{path} holds another run (other {', '.join(differing)}); start anew with --fresh or choose another --out"
        )
    return file
