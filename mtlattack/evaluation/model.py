"""What a model is to an evaluation."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from mtlattack.tasks import Task


class Model(Protocol):
    """Images `[B, 3, H, W]` in [0, 1] → predictions by task."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """By name."""

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]: ...
