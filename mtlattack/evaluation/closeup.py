"""A picture of what an attack does to one image: the perturbation, and every task before and after it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.data.preview import draw_columns, paint
from mtlattack.figures import save_figure
from mtlattack.tasks import Model, Painting, Task, predict
from mtlattack.tasks.painting import masked

AMPLIFIED = 10
ROWS = ("labels", "clean", "its error", "attacked", "its error")
_ERRORS = "magma"
_GREY = 0.5


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
