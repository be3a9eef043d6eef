"""What an attack costs: comparisons are made at equal backward passes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Forward and backward passes through the model for each image."""

    forward: int
    backward: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forward + other.forward, self.backward + other.backward)
