"""What models of the zoo see in one image, before and after the attack."""

from pathlib import Path

import mtlattack as mta
from mtlattack.evaluation.panels import draw_panels

IMAGE = 10
ATTACK = mta.create_attack("apgd-dgba", eps=4 / 255, steps=10)


def draw_predictions(names: list[str], path: Path) -> None:
    """Rows: the labels, and each model's predictions on the clean and on the attacked image; columns: image, tasks."""
    models = {name.removeprefix("rooms-resnet10t."): mta.create_model(name) for name in names}
    data = mta.load_dataset("rooms", tasks=next(iter(models.values())).tasks)
    title = f"{data.ids[IMAGE]}, {ATTACK.name} at ε = 4/255, {ATTACK.config()['steps']} steps"
    draw_panels(title, data, IMAGE, models, ATTACK, path)
