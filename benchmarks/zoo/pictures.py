"""What models of the zoo see in one image, before and after the attack."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import mtlattack as mta
from mtlattack.data.preview import Column, draw_columns, paint
from mtlattack.tasks import Task

IMAGE = 10
ATTACK = mta.create_attack("apgd-dgba", eps=4 / 255, steps=10)


def draw_predictions(names: list[str], path: Path) -> None:
    """Rows: the labels, and each model's predictions on the clean and on the attacked image; columns: image, tasks."""
    models = {name: mta.create_model(name) for name in names}
    tasks = next(iter(models.values())).tasks
    data = mta.load_dataset("rooms", tasks=tasks)
    batch = data[IMAGE]
    rows = [("labels", batch.images, {name: target.numpy() for name, target in batch.targets.items()})]
    for name, model in models.items():
        short = name.removeprefix("rooms-resnet10t.")
        for state, images in (
            ("clean", batch.images),
            ("attacked", ATTACK(model, batch.images, batch.targets, batch.ids)),
        ):
            rows.append((f"{short}\n{state}", images, predict(model, images)))
    columns = {"image": Column(np.concatenate([image.permute(0, 2, 3, 1).numpy() for _, image, _ in rows]))}
    for name in tasks:
        columns[name] = paint(data, name, np.concatenate([values[name] for _, _, values in rows]))
    title = f"{batch.ids[0]}, {ATTACK.name} at ε = 4/255, {ATTACK.config()['steps']} steps"
    draw_columns(title, [label for label, _, _ in rows], columns).savefig(path, format="png")


def predict(model: mta.models.MultiTaskNetwork, images: Tensor) -> dict[str, NDArray[np.generic]]:
    """Predictions as labels."""
    with torch.inference_mode():
        predictions = model(images)
    return {name: as_label(task, predictions[name]).numpy() for name, task in model.tasks.items()}


def as_label(task: Task, prediction: Tensor) -> Tensor:
    """A prediction in the form of the task's target."""
    if task.kind == "segmentation":
        return prediction.argmax(1)
    if task.kind == "normals":
        return torch.nn.functional.normalize(prediction, dim=1)
    return prediction[:, 0]
