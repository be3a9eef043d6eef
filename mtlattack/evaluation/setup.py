"""What a run starts with: the model's copies, what is done to which images, and the plan of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtlattack.attacks import Attack, UniversalAttack
from mtlattack.data import AnyData, Batch, LabelledImages, labelled_images
from mtlattack.devices import choose_device, is_out_of_memory
from mtlattack.errors import InputError
from mtlattack.evaluation.batching import BatchSize, check_batch_size, largest_batch
from mtlattack.evaluation.belonging import check_labels_alone
from mtlattack.evaluation.calls import compare_calls
from mtlattack.evaluation.crafting import first_images, no_autocast
from mtlattack.evaluation.environment import describe_environment
from mtlattack.evaluation.fitting import fitted
from mtlattack.evaluation.loop import Done, full_size, make_room
from mtlattack.evaluation.members import expand
from mtlattack.evaluation.plan import make_plan, plan_attacks
from mtlattack.evaluation.preparation import (
    CudaGraphs,
    Precision,
    Preparation,
    check_precision,
    prepare,
    wants_graphs,
    with_graphs,
)
from mtlattack.evaluation.ranks import ALONE, Ranks
from mtlattack.evidence import job_names
from mtlattack.models import SourceModel
from mtlattack.schemas import check_seed
from mtlattack.tasks import Model


@dataclass(frozen=True)
class Setup:
    """A run before its first batch: `jobs` are the attacks that are run, `plan` and `environment` what evidence says of
    it."""

    prepared: Preparation
    jobs: list[Attack]
    plan: dict[str, Any]
    environment: dict[str, Any]
    fit_data: LabelledImages
    device: torch.device
    batch_size: int
    ranks: Ranks = ALONE

    def named_attacks(self, done: Done) -> dict[str, Attack | None]:
        """By job the attacks as they can be run (None for the clean pass): those that have to be fitted on images are,
        by one of the ranks, unless all have done them already. Jobs that `done` does not know are left out."""
        named = dict(zip(job_names(self.plan), [None, *self.jobs], strict=True))
        return {name: attack and self._runnable(attack, done[name]) for name, attack in named.items() if name in done}

    def _runnable(self, attack: Attack, done: NDArray[np.bool_]) -> Attack:
        if isinstance(attack, UniversalAttack) and self.ranks.any(not done.all()):
            return self.ranks.once(lambda: self._fitted(attack))
        return attack

    def _fitted(self, attack: Attack) -> Attack:
        """An attack as it can be run; CUDA graphs make room if they must."""
        try:
            return fitted(attack, self.prepared, self.fit_data, self.device)
        except Exception as error:
            if not is_out_of_memory(error) or not self.prepared.release_graphs():
                raise
        make_room(self.device, "to fit beside CUDA graphs: going on without these")
        return fitted(attack, self.prepared, self.fit_data, self.device)


def set_up(
    model: Model,
    data: LabelledImages,
    attacks: Iterable[Attack],
    *,
    fit_data: AnyData | None,
    name: str | None,
    suite: Mapping[str, Any] | None,
    precision: Precision,
    cuda_graphs: CudaGraphs,
    batch_size: BatchSize,
    device: str | None,
    seed: int,
    ranks: Ranks = ALONE,
) -> Setup:
    """Prepare a run of `attacks` on a model and data; arguments and errors as for `evaluate`."""
    check_precision(precision)
    check_seed(seed)
    chosen = choose_device(device)
    graphs = wants_graphs(cuda_graphs, chosen, model)
    images_to_fit = data if fit_data is None else labelled_images(fit_data, model.tasks)
    jobs, ensembles = expand(attacks, model.tasks)
    for job in jobs:
        job.goals(model.tasks)  # What does not fit is said before anything is done.
    first = first_batch(model, data, batch_size, ranks).to(chosen)
    if images_to_fit.tasks != data.tasks:
        raise InputError(
            f"the images to fit on have labels for {', '.join(images_to_fit.tasks)}, not as those to attack"
        )
    with no_autocast(chosen):
        prepared = prepare(model, first, precision)
        for job in jobs:
            job.check_model(prepared.search, prepared.laid_out(first).images[:1])
        size: int = (
            ranks.once(lambda: largest_batch(prepared, prepared.laid_out(first), len(data)))
            if batch_size == "auto"
            else batch_size
        )
        calls = compare_calls(prepared.judge, first.images[:size], first.targets)
        environment = describe_environment(chosen, precision, prepared.sign_agreement, calls)
        if graphs:  # After the calls: they are compared without TF32, which a recording would hold on to.
            prepared = with_graphs(prepared, first.images, full_size(size, len(data)))
            environment["cuda_graphs"] = prepared.speed_ups
            environment["cuda_graphs_bytes"] = prepared.graph_bytes
    plan = make_plan(
        model, data, plan_attacks(jobs, len(model.tasks), prepared, images_to_fit, ranks), name=name, suite=suite,
        ensembles=ensembles, preparation=prepared, batch_size=size, seed=seed, ranks=ranks,
    )  # fmt: skip
    return Setup(prepared, jobs, plan, environment, images_to_fit, chosen, size, ranks)


def first_batch(model: Model, data: LabelledImages, batch_size: BatchSize, ranks: Ranks = ALONE) -> Batch:
    """The images that a model is prepared with; InputError for a batch size, labels or tasks that do not fit.

    One of `ranks` reads all images, for which it is known what they are, and whether labels are what they should be.
    """
    check_batch_size(batch_size)
    if isinstance(model, SourceModel):
        raise InputError(
            f"{type(model).__name__} is a source of adversarial images for others (`craft`, `transfer`): "
            "its own numbers would say nothing of a model"
        )
    check_labels_alone(model.tasks, data)
    ranks.once(data.identify)
    return first_images(data)
