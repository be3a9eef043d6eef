"""Crafting: adversarial images made on a source model, which judging then shows to any."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

from mtlattack.attacks import Attack, Result
from mtlattack.data import AnyData, Batch, LabelledImages, join_batches, labelled_images, read_ahead
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation.batching import BatchSize, check_batch_size, largest_batch
from mtlattack.evaluation.belonging import check_labels
from mtlattack.evaluation.fitting import fitted
from mtlattack.evaluation.loop import full_size
from mtlattack.evaluation.preparation import Precision, Preparation, check_precision, prepare
from mtlattack.evidence import CLEAN
from mtlattack.tasks import Model

# So many are looked at when a model is prepared, and by `precision="auto"`.
FIRST_IMAGES = 8


@dataclass(frozen=True)
class Crafted:
    """A batch under attack: the clean images with ids and labels, and what the attack made of them and noted."""

    clean: Batch
    result: Result


@torch.inference_mode(False)
def craft(
    source: Model,
    data: AnyData,
    attack: Attack,
    *,
    fit_data: AnyData | None = None,
    precision: Precision = "float32",
    batch_size: BatchSize = 16,
    device: str | None = None,
) -> Iterator[Crafted]:
    """Adversarial images for all of `data`, batch by batch, made on `source`.

    They are those that `evaluate` judges with the same options, bit for bit (on CUDA up to rounding). An attack
    that is fitted on images first is fitted on `fit_data`, or else on `data`. InputError as for `evaluate`.
    """
    check_precision(precision)
    check_batch_size(batch_size)
    chosen = choose_device(device)
    attack.goals(source.tasks)  # What does not fit is said before anything is done.
    images = labelled_images(data, source.tasks)
    check_labels(source.tasks, images)
    with no_autocast(chosen):
        first = first_images(images).to(chosen)
        prepared = prepare(source, first, precision)
        attack.check_model(prepared.search, prepared.laid_out(first).images[:1])
    attack = fitted(attack, prepared, images if fit_data is None else labelled_images(fit_data, source.tasks), chosen)
    if batch_size == "auto":
        batch_size = largest_batch(prepared, prepared.laid_out(first), len(images))
    size = full_size(batch_size, len(images))
    rows = [range(start, min(start + size, len(images))) for start in range(0, len(images), size)]
    for batch in read_ahead(images, rows, chosen):
        result = craft_batch(prepared, attack, prepared.laid_out(batch.filled(size)))
        noted = {name: values[: len(batch.ids)] for name, values in result.diagnostics.items()}
        yield Crafted(batch, Result(result.images[: len(batch.ids)], noted))


def craft_batch(prepared: Preparation, attack: Attack | None, batch: Batch) -> Result:
    """What an attack makes of a batch and notes of it; without one the images as they are.

    InputError names the attack and the images.
    """
    if attack is None:
        return Result(batch.images, {})
    with in_words(attack, batch), no_autocast(batch.images.device):
        return attack.run(prepared.judge, batch.images, batch.targets, batch.ids, search=prepared.search)


def first_images(data: LabelledImages) -> Batch:
    """Those that a model is prepared with."""
    if not len(data):
        raise InputError(f"{data.split} of {data.name} has no images to attack")
    return join_batches([data[i] for i in range(min(FIRST_IMAGES, len(data)))])


@contextmanager
def in_words(attack: Attack | None, batch: Batch) -> Iterator[None]:
    """Whose mistake it was, and on which images."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{attack or CLEAN} on images {batch.ids[0]} to {batch.ids[-1]}: {error}") from None


@contextmanager
def no_autocast(device: torch.device) -> Iterator[None]:
    """Inside, somebody's `torch.autocast` around us changes nothing: numbers have the precision that the plan says."""
    with ExitStack() as stack:
        for kind in {"cpu", device.type}:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield
