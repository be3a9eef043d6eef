"""Training: all tasks together, on clean or attacked images, resumable after every epoch."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mtlattack.data import Batch, PreparedDataset, load_dataset, loader
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network, resolve_model
from mtlattack.models.pretrained import IMAGENET, load_imagenet
from mtlattack.progress import progress_bar
from mtlattack.tasks import UnknownKindError
from mtlattack.training.augmentation import Augmentation, AugmentedDataset
from mtlattack.training.determinism import deterministic
from mtlattack.training.finite import DivergedError, not_finite_gradient, not_finite_loss, not_finite_weights
from mtlattack.training.objectives import Term, create_objective
from mtlattack.training.optimization import create_optimizer, one_cycle
from mtlattack.training.precision import MixedPrecision, mixed_precision
from mtlattack.training.recipes import Recipe
from mtlattack.training.state import Row, TrainingState, averaged
from mtlattack.training.validation import validate

# Of a gradient that is not finite at this scale the scale is not the reason.
_LEAST_SCALE = 1.0


def train(
    recipe: Recipe,
    state_path: Path,
    *,
    data: str | None = None,
    limit: int | None = None,
    device: str | None = None,
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> TrainingState:
    """Train the recipe's network; the state is saved after every epoch and found again by the next call.

    `data` overrides the recipe's data set and `limit` its number of images; `device` is by default the best there is.
    A recipe gives the same weights to the last bit however often it was stopped, on CUDA unless the state says which
    operations have no deterministic kernel there. Raises InputError for
    labels that the data does not have, and a `start` that does not fit; DivergedError for a loss or a gradient that is
    no longer finite, of which nothing is saved.
    """
    chosen = choose_device(device)
    dataset = training_data(recipe, data, limit)
    validation = _validation_data(recipe, dataset, data)
    state = _fresh_state(recipe, dataset, chosen)
    model = mixed_precision(state.network, recipe.precision, chosen)
    if state_path.is_file():
        state.load(state_path)
        report(f"resuming {recipe.name} after epoch {state.epoch}")
    augmented = AugmentedDataset(
        dataset, dataset.tasks, Augmentation(recipe.mirror, recipe.zoom, recipe.colour), recipe.seed
    )
    while state.epoch < recipe.epochs:
        started = time.monotonic()
        known = len(state.not_deterministic)
        with deterministic(chosen, state.not_deterministic):
            losses = _train_epoch(state, model, augmented, recipe, chosen, workers)
        for operation in state.not_deterministic[known:]:
            report(f"not deterministic: {operation}")
        state.epoch += 1
        _check_weights(state)
        state.seconds += time.monotonic() - started
        row: Row = {"epoch": state.epoch, "seconds": round(state.seconds, 1)}
        row |= {f"train.{name}": value for name, value in losses.items()}
        if validation is not None and _is_due(recipe, state.epoch):
            judged = mixed_precision(state.result, recipe.precision, chosen)
            measured = validate(judged, validation, recipe.batch_size, chosen)
            row |= {f"validation.{name}": value for name, value in measured.items()}
        state.curves.append(row)
        state.save(state_path)
        text = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        report(f"epoch {state.epoch}/{recipe.epochs}  {text}  {state.seconds:.0f} s")
    return state


def training_data(recipe: Recipe, data: str | None = None, limit: int | None = None) -> PreparedDataset:
    """The training split with the recipe's tasks, which go by the names of their labels: `segmentation40` is the one
    of 40 classes."""
    everything = load_dataset(data or recipe.data, "train", limit=limit)
    known = everything.label_tasks
    missing = [name for name in recipe.tasks if name not in known]
    if missing:
        strange = "".join(f"; {UnknownKindError(name)}" for name in missing if name in everything.labels)
        raise InputError(
            f"{everything.path} has no labels for {', '.join(missing)}; it has {', '.join(known)}{strange}"
        )
    tasks = {name: known[name].called(name) for name in recipe.tasks}
    return load_dataset(data or recipe.data, "train", tasks=tasks, limit=limit)


def _validation_data(recipe: Recipe, dataset: PreparedDataset, data: str | None) -> PreparedDataset | None:
    if recipe.validation is None:
        return None
    options = recipe.validation
    return load_dataset(data or recipe.data, options.split, tasks=dataset.tasks, limit=options.images)


def _is_due(recipe: Recipe, epoch: int) -> bool:
    assert recipe.validation is not None
    return epoch % recipe.validation.every == 0 or epoch == recipe.epochs


def _fresh_state(recipe: Recipe, dataset: PreparedDataset, device: torch.device) -> TrainingState:
    torch.manual_seed(recipe.seed)
    tasks = [task.config() for task in dataset.tasks.values()]
    network = create_network({**recipe.network, "tasks": tasks})
    if recipe.start is not None:
        _start_from(network, recipe.start)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = {"data": dataset.name, "images": len(dataset), "fingerprint": dataset.fingerprint()}
    identity = {**recipe.model_dump(), **data}
    scaler = GradScaler(device.type, enabled=recipe.precision == "float16")
    return TrainingState(
        network,
        create_optimizer(network, recipe.learning_rate, recipe.weight_decay),
        identity,
        scaler,
        averaged(network, recipe.average),
    )


def _start_from(network: MultiTaskNetwork, start: str) -> None:
    """Take over the weights of another network of the same description, or in its stages those of ImageNet."""
    if start == IMAGENET:
        load_imagenet(network)
        return
    other, name = resolve_model(start)
    if not isinstance(other, MultiTaskNetwork) or other.config != network.config:
        raise InputError(f"training cannot start from {name!r}: its network is not the recipe's")
    network.load_state_dict(other.state_dict())


def _train_epoch(
    state: TrainingState,
    model: MixedPrecision,
    dataset: AugmentedDataset,
    recipe: Recipe,
    device: torch.device,
    workers: int,
) -> dict[str, float]:
    """One pass over the data; mean loss by term and task."""
    dataset.epoch = state.epoch
    seed = recipe.seed * 100_003 + state.epoch
    torch.manual_seed(seed)  # For dropout: a resumed run draws what an uninterrupted one would.
    batches = loader(dataset, recipe.batch_size, workers=workers, shuffle_seed=seed)
    objective, weights = create_objective(recipe.adversarial, seed), recipe.loss_weights()
    totals: dict[str, float] = {}
    pending: list[Batch] = []
    model.train()
    with progress_bar(f"epoch {state.epoch + 1}/{recipe.epochs}", len(dataset)) as bar:
        for index, batch in enumerate(batches):
            factor = one_cycle((state.epoch + (index + 0.5) / len(batches)) / recipe.epochs)
            for group in state.optimizer.param_groups:
                group["lr"] = recipe.learning_rate * factor
            first = index - index % recipe.accumulation
            place = f", step {index + 1} of {len(batches)}"
            share = 1 / min(recipe.accumulation, len(batches) - first)
            pending.append(_channels_last(batch.to(device)))
            terms = objective(model, pending[-1])
            total = share * torch.stack([_weighted(term, weights) for term in terms]).sum()
            if not torch.isfinite(total):
                raise DivergedError(not_finite_loss(terms), state.epoch + 1, place)
            state.scaler.scale(total).backward()
            for name, value in _values(terms).items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.ids)
            if index + 1 == len(batches) or (index + 1) % recipe.accumulation == 0:
                if not _step(state):
                    again = [term for each in pending for term in objective(model, each)]
                    what = not_finite_gradient(again, state.network)
                    raise DivergedError(what, state.epoch + 1, place)
                pending.clear()
            bar.advance(len(batch.ids))
    return {name: total / len(dataset) for name, total in totals.items()}


def _channels_last(batch: Batch) -> Batch:
    return Batch(batch.ids, batch.images.contiguous(memory_format=torch.channels_last), batch.targets)


def _values(terms: list[Term]) -> dict[str, float]:
    """The losses by term and task."""
    return {
        f"{term.name}.{task}".lstrip("."): float(loss.detach()) for term in terms for task, loss in term.losses.items()
    }


def _weighted(term: Term, weights: dict[str, float]) -> Tensor:
    total = sum(weights[name] * loss for name, loss in term.losses.items())
    assert isinstance(total, Tensor)
    return term.factor * total


def _step(state: TrainingState) -> bool:
    """Move along the gradient that was added up; False, and nothing has moved, where it is not finite.

    With a scaler such a step is left out, and the next scale is half: that is how it finds the largest that fits.
    """
    state.scaler.unscale_(state.optimizer)
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    scaled = state.scaler.is_enabled() and state.scaler.get_scale() > _LEAST_SCALE
    if not scaled and not torch.isfinite(norm):
        return False
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    if state.average is not None:
        state.average.update_parameters(state.network)
    return True


def _check_weights(state: TrainingState) -> None:
    """DivergedError, before they are saved, for weights that the last step has left without a finite value."""
    wrong = not_finite_weights(state.network) or not_finite_weights(state.result)
    if wrong is not None:
        raise DivergedError(f"{wrong} is not finite", state.epoch, ", after its last step")
