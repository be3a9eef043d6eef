"""A victim that takes images of its own size: the MobileNetV3 of rooms-mobilenetv3.shared.toml, 1.25 × as large.

    mtlattack transfer … --victim sized:enlarged --resize

The weights are found in MTLATTACK_MOBILENET, the file that `mtlattack train` makes.
"""

import os
from pathlib import Path

from torch import Tensor, nn

from mtlattack.models import load_checkpoint

SCALE = 1.25
SIZE = (120, 160)


class Enlarged(nn.Module):
    """A network that sees everything 1.25 × as large, and knows that it is not as near as that."""

    input_size = SIZE

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions of images `[B, 3, 120, 160]`."""
        predictions = self.network(images)
        return predictions | {"depth": SCALE * predictions["depth"]}


def enlarged() -> Enlarged:
    """The victim, in eval mode."""
    return Enlarged(load_checkpoint(Path(os.environ["MTLATTACK_MOBILENET"]))).eval()
