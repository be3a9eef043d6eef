"""What an attack costs: comparisons are made at equal backward passes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Forward and backward passes through the model for each image."""

    forward: int
    backward: int
