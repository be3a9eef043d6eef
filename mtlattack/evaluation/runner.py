"""The runner: attacks × images → evidence, batch by batch; what is done stays done."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from mtlattack.analysis import Run
from mtlattack.attacks import Attack
from mtlattack.data import AnyData, Batch, labelled_images
from mtlattack.errors import InputError
from mtlattack.evaluation.arriving import measure_arrival
from mtlattack.evaluation.batching import BatchSize
from mtlattack.evaluation.constants import constant_statistics
from mtlattack.evaluation.crafting import craft_batch, in_words
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.loop import Loop
from mtlattack.evaluation.opening import evidence_at
from mtlattack.evaluation.preparation import CudaGraphs, Precision
from mtlattack.evaluation.ranks import ALONE, Ranks
from mtlattack.evaluation.setup import set_up
from mtlattack.evidence import CLEAN, WHOLE, EvidenceFile, Shard, targets_of
from mtlattack.tasks import Model


@torch.inference_mode(False)
def evaluate(
    model: Model,
    data: AnyData,
    attacks: Iterable[Attack],
    *,
    fit_data: AnyData | None = None,
    path: str | Path | None = None,
    name: str | None = None,
    suite: Mapping[str, Any] | None = None,
    precision: Precision = "float32",
    cuda_graphs: CudaGraphs = "auto",
    batch_size: BatchSize = 16,
    device: str | None = None,
    seed: int = 0,
    fresh: bool = False,
    shard: Shard = WHOLE,
    ranks: Ranks = ALONE,
) -> Run:
    """Attack `model` on every image of `data` and measure what became of each task.

    `data` is prepared, or anybody's own: a data set of (image, labels by task), a loader or list of such, or images and
    labels stacked (`data.labelled_images` says how they are read). All of it is read once before the first attack, and
    labels that are none are refused by their images.

    Of a `shard` that is not the whole the evidence has the plan of the whole run and its own images alone, with the
    numbers that the whole run has, bit for bit on one kind of CPU (on CUDA up to rounding): `merge` makes one of them.
    `ranks` do one run together: what is found out about the data, and attacks that are fitted, come from one of them.

    Attacks that are fitted on images first, `universal`, are fitted on `fit_data`, or else on `data`; which it was
    stands in the plan. Of an ensemble the members are run, after the other attacks and each once. With a `path` the
    evidence is written there as it comes; a run that was killed goes on where it stopped and ends with the same numbers
    (`fresh` starts anew instead). `name`, `suite` and `seed` only stand in the record. Attacks take their gradients in
    `precision`: `auto` is bfloat16 where that is fast and agrees with float32 on the first images. Losses and
    statistics are computed in float32 on the final images. A batch that the device has no memory for is done in halves.
    Passes on whole batches are replayed as CUDA graphs where these give the same, up to rounding, and are faster: the
    evidence's environment says how much when the run began; with `cuda_graphs="off"` none are tried, with `"on"` a
    device without them is refused. `batch_size="auto"` takes as many images at a time as the memory at hand holds; the
    plan says how many, and a run that goes on keeps to it. InputError if `path` holds another run,
    labels and tasks do not fit, the device has no CUDA graphs, or the model predicts something that is not finite; what
    is measured by then is kept.
    """
    images = labelled_images(data, model.tasks)
    if batch_size == "auto":
        batch_size = ranks.once(lambda: _begun_with(path, fresh))
        if batch_size == "auto" and shard != WHOLE and ranks is ALONE:
            raise InputError(f"batch_size auto for shard {shard}: all shards need the same, so give a number")
    setup = set_up(
        model, images, attacks, fit_data=fit_data, name=name, suite=suite, precision=precision, cuda_graphs=cuda_graphs,
        batch_size=batch_size, device=device, seed=seed, ranks=ranks,
    )  # fmt: skip
    prepared, plan = setup.prepared, setup.plan
    with evidence_at(path, plan, setup.environment, images.ids, fresh, shard) as file:
        done = file.done()
        named = setup.named_attacks(done)
        targets = targets_of(plan)

        def do(job: str, batch: Batch, rows: slice) -> None:
            started, attack = time.perf_counter(), named[job]
            result = craft_batch(prepared, attack, batch)
            with in_words(attack, batch):
                measured = judge(prepared.judge, result.images, batch.targets, batch.images, result.diagnostics)
                arrival = measure_arrival(prepared.judge, result.images, batch, targets.get(job))
            if attack is None:
                file.write_constant(rows, constant_statistics(images.tasks, plan["constants"], batch.targets))
            file.write(job, rows, measured, time.perf_counter() - started, arrival)

        titles = {job: str(attack or CLEAN) for job, attack in named.items()}
        Loop(prepared, titles, setup.batch_size, do).finish(images, done, setup.device, "attacking", shard)
        return Run.of(file.read())


def _begun_with(path: str | Path | None, fresh: bool) -> BatchSize:
    """The batch size of the run that goes on at `path`; auto where one begins."""
    if path is not None and not fresh and Path(path).exists():
        size: int = EvidenceFile(Path(path)).plan()["batch_size"]
        return size
    return "auto"
