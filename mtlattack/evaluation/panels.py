"""Pictures of what models see in one image, before and after an attack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.data.previewing import draw_columns, paint
from mtlattack.figures import save_figure
from mtlattack.tasks import Model, Painting, predict


def draw_panels(
    title: str, data: PreparedDataset, position: int, models: Mapping[str, Model], attack: Attack, path: Path
) -> Path:
    """Draw a PNG and return its path. Rows: the labels, and each model's predictions on the clean image and on the one
    that `attack` made for it; columns: the image and each task.

    Models go by their keys and have the tasks of `data`; colours of a column mean the same in all rows. InputError if
    the file cannot be written.
    """
    batch = data[position]
    rows = [("labels", batch.images, {name: target.numpy() for name, target in batch.targets.items()})]
    for name, model in models.items():
        for state, images in (
            ("clean", batch.images),
            ("attacked", attack(model, batch.images, batch.targets, batch.ids)),
        ):
            rows.append((f"{name}\n{state}".strip(), images, _predict(model, images)))
    columns = {"image": Painting(np.concatenate([image.permute(0, 2, 3, 1).numpy() for _, image, _ in rows]))}
    for name in data.tasks:
        columns[name] = paint(data, name, np.concatenate([values[name] for _, _, values in rows]))
    figure = draw_columns(title, [label for label, _, _ in rows], columns)
    # No version of the library that drew it: the same picture is the same bytes.
    return save_figure(figure, path, format="png", metadata={"Software": None})


def _predict(model: Model, images: Tensor) -> dict[str, NDArray[Any]]:
    """Predictions as labels."""
    with torch.inference_mode():
        predictions = predict(model, images)
    return {name: task.as_label(predictions[name]).numpy() for name, task in model.tasks.items()}
