"""A picture of what an attack does to one image: the perturbation, and every task before and after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset
from mtlattack.data.previewing import draw_columns, paint
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.environment import describe_model
from mtlattack.figures import save_figure
from mtlattack.tasks import Model, Painting, Task, predict
from mtlattack.tasks.painting import masked

if TYPE_CHECKING:
    from mtlattack.evidence import Evidence

AMPLIFIED = 10
ROWS = ("labels", "clean", "its error", "attacked", "its error")
_ERRORS = "magma"
_GREY = 0.5


def closeup_of(
    run: Evidence, model: Model, data: PreparedDataset, path: Path, image: str | None = None, attack: str | None = None
) -> Path:
    """Draw `draw_closeup` of an image and an attack of a finished run, made again, and return the path.

    By default the first image, and the first attack with the largest ε. InputError for an image or attack that the run
    does not have, for another model, and for an attack that is not one perturbation of an image by itself.
    """
    found = describe_model(model)["sha256"]
    if found != run.plan["model"]["sha256"]:
        raise InputError(f"the model has the SHA-256 {found[:8]}…, the run's has {run.plan['model']['sha256'][:8]}…")
    if image is not None and image not in run.ids:
        raise UnknownNameError("image of the run", image, run.ids)
    image = run.ids[0] if image is None else image
    if image not in data.ids:
        raise InputError(f"the data have no image {image!r}, which the run has; say which it was with --data")
    config = _config_of(run, attack)
    made = create_attack(**config)
    title = f"{run.plan['model']['name']}, image {image}, {made}"
    return draw_closeup(title, model, data, list(data.ids).index(image), made, path)


def _config_of(run: Evidence, attack: str | None) -> dict[str, Any]:
    """Of the attack with this name, or any, the one with the largest ε, the first of equals."""
    configs = [planned["config"] for planned in run.plan["attacks"] if not planned["config"].get("source")]
    if not configs:
        raise InputError("a clean run has no attack to draw")
    chosen = [config for config in configs if attack in (None, config["name"])]
    names = list(dict.fromkeys(config["name"] for config in configs))
    if not chosen and attack in [ensemble["name"] for ensemble in run.plan["ensembles"]]:
        raise InputError(f"{attack} is of each image the worst of several attacks; choose one of: {', '.join(names)}")
    if not chosen:
        raise UnknownNameError("attack of the run", str(attack), names)
    config = max(chosen, key=lambda each: float(each["eps"] or 0))
    if str(config["name"]).startswith("universal"):
        raise InputError(f"{config['name']} is fitted on many images; choose an attack on each image by itself")
    return dict(config)


def draw_closeup(title: str, model: Model, data: PreparedDataset, position: int, attack: Attack, path: Path) -> Path:
    """Draw a PNG and return its path. Rows: labels, predictions on the clean image and their errors, predictions on
    what `attack` makes of it and their errors; columns: the image and each task.

    In the column of the image the perturbation, ten times as large around grey, stands beside the errors. Colours of a
    column mean the same in all rows; errors are black where there is none and brightest at the largest of both rows,
    which the legend names. InputError if the file cannot be written.
    """
    batch = data[position]
    hurt = attack(model, batch.images, batch.targets, batch.ids)
    with torch.inference_mode():
        clean, attacked = (predict(model, images) for images in (batch.images, hurt))
    columns = {"image": _image_column(batch.images, hurt)}
    for name, task in model.tasks.items():
        columns[name] = _task_column(data, task, batch.targets[name], clean[name], attacked[name])
    figure = draw_columns(title, list(ROWS), columns)
    return save_figure(figure, path, format="png", metadata={"Software": None})


def _image_column(images: Tensor, hurt: Tensor) -> Painting:
    clean, attacked = (each[0].permute(1, 2, 0).numpy().astype(np.float64) for each in (images, hurt))
    nothing = np.ones_like(clean)
    perturbation = np.clip(_GREY + AMPLIFIED * (attacked - clean), 0, 1)
    grey = (_GREY, _GREY, _GREY)
    pictures = np.stack([clean, clean, nothing, attacked, perturbation])
    return Painting(pictures, ((f"perturbation × {AMPLIFIED}, none", grey),))


def _task_column(data: PreparedDataset, task: Task, target: Tensor, clean: Tensor, attacked: Tensor) -> Painting:
    """Labels `[1, …, H, W]` and two predictions `[1, channels, H, W]` in the task's own colours, each prediction with
    its errors behind it."""
    labels = [task.as_label(prediction) for prediction in (clean, attacked)]
    painted = paint(data, task.name, np.concatenate([each.numpy() for each in (target, *labels)]))
    errors = np.concatenate([task.apart(target, each).numpy() for each in labels]) * task.apart_factor
    valid = np.repeat(task.pixel_losses(clean, target)[1].numpy(), 2, 0)
    pictures, largest, brightest = paint_errors(errors, valid)
    label, before, after = painted.pictures
    rows = np.stack([label, before, pictures[0], after, pictures[1]])
    legend = (f"{task.name}: error {largest:.3g}", brightest)
    return Painting(rows, (*painted.legend, legend), painted.scale, painted.unit)


def paint_errors(
    errors: NDArray[np.floating[Any]], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float, tuple[float, ...]]:
    """Errors `[N, H, W]` by brightness, with the largest valid one and its colour."""
    from matplotlib import colormaps

    colours = colormaps[_ERRORS]
    largest = float(errors[valid].max()) if valid.any() else 0.0
    shares = np.where(valid, errors, 0) / (largest or 1.0)
    return masked(colours(shares)[..., :3], valid), largest, tuple(colours(1.0)[:3])
