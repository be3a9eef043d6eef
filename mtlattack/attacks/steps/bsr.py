"""BSR: the gradient of copies whose blocks have changed places."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mtlattack.attacks.balls import Ball
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.options import check_whole
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.registry import STEPS
from mtlattack.attacks.views import Shuffled


@STEPS.register("bsr")
@dataclass(frozen=True, kw_only=True)
class BSR(MIM):
    """MIM on (1/N) Σ ∇L(B(x)), N `copies`: B cuts the image into `blocks` strips of random width, across or down, each
    strip into as many blocks, and shuffles the strips, and the blocks of each (Wang et al. 2024, arXiv 2308.10299).

    There N is 20 and blocks are turned by up to 24° too. Here they are not: labels would have to be turned with them,
    normals would change, and what is turned out of a block has a label and is not seen. Dense predictions are brought
    back to where the labels are, pixel by pixel. Chance is by image, start, step and copy. Costs N times what MIM does:
    forward and backward passes are N a step.
    """

    kind: ClassVar[str] = "bsr"

    copies: int = 20
    blocks: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("copies", self.copies)
        check_whole("blocks", self.blocks)

    @property
    def looks(self) -> int:
        return self.copies

    def views(self, ball: Ball, noise: Noise, restart: int) -> Iterator[Shuffled]:
        n = self.blocks
        # Of the strips and, n times, of a strip's blocks: n widths and n keys. Cuts and ranks are made where they are
        # drawn, so that no device rounds them otherwise.
        draws = noise.apart("bsr").uniform((self.steps * self.copies, 1 + (1 + n) * 2 * n), restart)
        across, widths, keys = draws.split([1, (1 + n) * n, (1 + n) * n], 2)
        parts = (len(ball.images), -1, 1 + n, n)
        cuts, ranks = _cuts(widths.reshape(parts)), keys.reshape(parts).argsort(-1)
        across, cuts, ranks = (part.to(ball.images.device) for part in (across[..., 0] < 0, cuts, ranks))
        for i in range(self.steps * self.copies):
            yield Shuffled(cuts[:, i, 0], ranks[:, i, 0], cuts[:, i, 1:], ranks[:, i, 1:], across[:, i])


def _cuts(draws: Tensor) -> Tensor:
    """Where parts end, as shares, for uniform draws in [−1, 1): no part is more than twice as wide as another."""
    widths = draws + 3
    return (widths / widths.sum(-1, keepdim=True)).cumsum(-1)
