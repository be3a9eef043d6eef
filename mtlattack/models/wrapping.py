"""Making a foreign module one of ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.tasks import Task, TaskMap

Outputs = Mapping[str, str | int]


class WrappedModel(nn.Module):
    """A foreign module behind the contract: RGB in [0, 1] in, one prediction a task out."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, module: nn.Module, tasks: TaskMap, mean: Sequence[float], std: Sequence[float], outputs: Outputs
    ) -> None:
        super().__init__()
        self.module, self.outputs = module, dict(outputs)
        self.tasks: dict[str, Task] = dict(tasks)
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions by task; InputError if the module does not return what `outputs` promises."""
        raw: Any = self.module((images - self.mean) / self.std)
        try:
            return {name: raw[self.outputs[name]] for name in self.tasks}
        except (KeyError, IndexError, TypeError):
            found = sorted(raw) if isinstance(raw, Mapping) else type(raw).__name__
            raise InputError(f"the module returned {found}, expected the outputs {self.outputs}") from None


def wrap(
    module: nn.Module,
    tasks: TaskMap,
    *,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    outputs: Outputs | None = None,
) -> WrappedModel:
    """`module` as a multi-task model.

    Images are RGB in [0, 1] and reach the module as (image − mean)/std. `outputs` says under which key or position
    the module returns each task; by default under the task's name.
    """
    outputs = outputs or {name: name for name in tasks}
    if set(outputs) != set(tasks):
        raise InputError(f"outputs are given for {sorted(outputs)}, the tasks are {sorted(tasks)}")
    return WrappedModel(module, tasks, mean, std, outputs)
