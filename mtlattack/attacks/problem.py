"""What an attack is set against: a model, its tasks, and what they ought to say about a batch."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mtlattack.tasks import Model, Task


@dataclass(frozen=True)
class Problem:
    """`model` judges points, `search` (the model itself, or a cheaper copy of it) gives the gradients.

    `images` `[B, 3, H, W]` are the clean ones, `targets` hold one tensor a task, batch first.
    """

    model: Model
    search: Model
    tasks: Mapping[str, Task]
    targets: Mapping[str, Tensor]
    images: Tensor
