"""DGBA as its authors released it beside ours, on one network; see README.md beside it.

Attacks by the rows: the authors' step sizes and losses, then ours. Judged by the columns: by what is right, and by the
authors' code with its faults. As many backward passes each; a row that lies in --work is not made again.
"""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn

from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.attacks import Attack, create_attack
from mtlattack.cli.script import run_script
from mtlattack.data import PreparedDataset, load_dataset, loader
from mtlattack.devices import choose_device
from mtlattack.epsilon import in_image_units
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json
from mtlattack.models import MultiTaskNetwork, create_model
from mtlattack.tasks import LOSS_FLOOR, Task
from mtlattack.tasks.published import published_tasks

COMPAT = "dgba"
OURS = ("apgd-dgba", "apgd-relative", "decay-relative")
_COLUMNS = ("miou", "delta1", "angle_mean")


class WithTasks(nn.Module):
    """A network that is attacked and judged by other tasks of the same names."""

    def __init__(self, network: MultiTaskNetwork, tasks: dict[str, Task]) -> None:
        super().__init__()
        self.network, self.tasks = network, tasks

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """The network's predictions."""
        predictions: dict[str, torch.Tensor] = self.network(images)
        return predictions


def main(
    model: Annotated[str, typer.Option(help="Zoo model.")] = "rooms-resnet10t.shared",
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many images.")] = 32,
    passes: Annotated[int, typer.Option(min=1, help="Backward passes an image.")] = 100,
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    work: Annotated[Path | None, typer.Option(help="Folder where every row is kept, and found again.")] = None,
    only: Annotated[str, typer.Option(help="Glob over the rows; several processes may share --work.")] = "*",
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """One table: official and ours."""
    network = create_model(model)
    data = load_dataset(model.partition("-")[0], tasks=network.tasks, limit=limit)
    published = WithTasks(network, published_tasks(COMPAT, network.tasks)).eval()
    size = in_image_units(eps, "linf")
    rows: list[dict[str, Any]] = []
    for label, source, name, compat in [
        ("official-bim-dgba", published, "bim-dgba", COMPAT),
        ("official-apgd-dgba", published, "apgd-dgba", COMPAT),
        *((name, network, name, None) for name in OURS),
    ]:
        if not fnmatch(label, only):
            continue
        attack = create_attack(name, eps=size, steps=passes, compat=compat)
        kept = work / f"{model}-{limit}-{passes}-eps{eps:g}-{label}.json" if work else None
        if kept is not None and kept.is_file():
            row = json.loads(kept.read_text(encoding="utf-8"))
        else:
            row = {"attack": label, "config": attack.config(), **compared(source, attack, network, data)}
            if kept is not None:
                write_json(kept, row)
        rows.append(row)
        print(line(row), flush=True)
    if json_path:
        document = {
            "benchmark": "registry/published",
            "circumstances": measured_on(choose_device()),
            "model": model,
            "images": len(data),
            "data": {"name": data.name, "split": "test", "fingerprint": data.fingerprint()},
            "eps_255": eps,
            "backward_passes": passes,
            "rows": rows,
        }
        write_json(json_path, document)


def compared(source: nn.Module, attack: Attack, network: MultiTaskNetwork, data: PreparedDataset) -> dict[str, Any]:
    """The mean relative change of our losses with its interval, and metrics as ours and the authors' code count."""
    wrong = published_tasks(COMPAT, network.tasks)
    judged: dict[str, list[Any]] = {"clean": [], "attacked": []}
    sums: dict[tuple[str, str, str], Any] = {}
    for batch in loader(data, 16):
        targets = batch.targets
        adversarial = attack(source, batch.images, targets, batch.ids)  # type: ignore[arg-type]
        for state, images in (("clean", batch.images), ("attacked", adversarial)):
            with torch.inference_mode():
                predictions = network(images)
            losses = [task.loss(predictions[name], targets[name]) for name, task in network.tasks.items()]
            judged[state].append(torch.stack(losses, 1).double().numpy())
            for judge, tasks in (("ours", network.tasks), ("official", wrong)):
                for name, task in tasks.items():
                    key = (judge, state, name)
                    sums[key] = sums.get(key, 0) + task.statistics(predictions[name], targets[name]).double().sum(0)
    clean, attacked = (np.concatenate(judged[state]) for state in ("clean", "attacked"))
    clean = np.maximum(clean, LOSS_FLOOR)
    change = ((attacked - clean) / clean).mean(1)
    weights = resampling_weights(len(change), RESAMPLES, BOOTSTRAP_SEED)
    metrics = {
        f"{judge}.{state}": {
            name: {key: float(value) for key, value in tasks[name].metrics(sums[judge, state, name].numpy()).items()}
            for name in tasks
        }
        for judge, tasks in (("ours", network.tasks), ("official", wrong))
        for state in ("clean", "attacked")
    }
    return {"loss_change": interval(weights @ change / len(change)).model_dump(), "metrics": metrics}


def line(row: dict[str, Any]) -> str:
    """A row of the README's table: clean → attacked of some metrics, as ours and the authors' code count."""
    change = row["loss_change"]

    def cell(judge: str) -> str:
        pairs = [
            f"{clean[key]:.1f} → {row['metrics'][f'{judge}.attacked'][name][key]:.1f}"
            for name, clean in row["metrics"][f"{judge}.clean"].items()
            for key in _COLUMNS
            if key in clean
        ]
        return " | ".join(pairs)

    interval_text = f"{change['value']:.2f} [{change['low']:.2f}, {change['high']:.2f}]"
    return f"| {row['attack']} | {interval_text} | {cell('ours')} | {cell('official')} |"


if __name__ == "__main__":
    run_script(main)
