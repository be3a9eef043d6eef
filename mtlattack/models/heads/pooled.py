"""A head for tasks of the whole image."""

from collections.abc import Sequence

from torch import Tensor, nn


class PooledHead(nn.Module):
    """The mean of the deepest feature over the image, then one linear layer, as classifiers have it.

    What every network has for a task that is not dense, whatever `head` the others have; `strides` and `width` are of
    no account.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, outputs: int) -> None:
        super().__init__()
        self.predict = nn.Linear(channels[-1], outputs)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features of each stride, finest first → `[B, outputs]`."""
        answer: Tensor = self.predict(features[-1].mean(3).mean(2))
        return answer
