"""Other looks at an image through which a gradient is taken, and the way back for dense predictions."""

from dataclasses import dataclass

import torch
from torch import Tensor

# What stands around an image that was made smaller: the middle of the range, as in the code of Xie et al.
_GREY = 0.5


@dataclass(frozen=True)
class Shrunk:
    """Each image made smaller and set somewhere on grey; what is said of it is enlarged again to where it belongs.

    `size` `[B]`, in (0, 1], is the share of height and width that the image keeps, `top` and `left` `[B]`, in [0, 1],
    are shares of the room beside it; where `size` is 1 nothing happens. Bilinear, with pixel centres that do not move;
    as matrix products, whose backward pass adds in a fixed order on every device, unlike `grid_sample`.
    """

    size: Tensor
    top: Tensor
    left: Tensor

    def image(self, points: Tensor) -> Tensor:
        """`[B, 3, H, W]` on grey."""
        height, width = points.shape[-2:]
        rows = (_centres(height, points) - self._start(self.top)) / self.size[:, None]
        columns = (_centres(width, points) - self._start(self.left)) / self.size[:, None]
        shown = _sampled(points - _GREY, rows, columns) + _GREY
        # Resampled in place an image would be itself only up to rounding.
        return torch.where(self.size[:, None, None, None] < 1, shown, points)

    def prediction(self, prediction: Tensor) -> Tensor:
        """`[B, channels, h, w]` for what `image` showed, aligned with the image; of other shape, it has no place."""
        if prediction.ndim != 4:
            return prediction
        height, width = prediction.shape[-2:]
        rows = _centres(height, prediction) * self.size[:, None] + self._start(self.top)
        columns = _centres(width, prediction) * self.size[:, None] + self._start(self.left)
        aligned = _sampled(prediction, _inside(rows, height), _inside(columns, width))
        return torch.where(self.size[:, None, None, None] < 1, aligned, prediction)

    def _start(self, share: Tensor) -> Tensor:
        """Where the image begins, `[B, 1]`, as a share of the height or width."""
        return (share * (1 - self.size))[:, None]


def _centres(length: int, like: Tensor) -> Tensor:
    """Centres of pixels along an axis of length 1, `[length]`."""
    return (torch.arange(length, device=like.device, dtype=torch.float32) + 0.5) / length


def _inside(positions: Tensor, length: int) -> Tensor:
    """Between the first and the last pixel's centre."""
    return positions.clamp(0.5 / length, 1 - 0.5 / length)


def _sampled(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`values` `[B, C, h, w]` at `rows` `[B, h']` and `columns` `[B, w']` in shares of height and width; 0 outside."""
    down, across = (_weights(at, length) for at, length in ((rows, values.shape[-2]), (columns, values.shape[-1])))
    return down.to(values.dtype) @ values @ across.to(values.dtype).mT


def _weights(positions: Tensor, length: int) -> Tensor:
    """Bilinear weights of the pixels at `positions` `[B, n]`, `[B, 1, n, length]`: a hat around each."""
    pixels = torch.arange(length, device=positions.device, dtype=positions.dtype)
    away = (positions[..., None] * length - 0.5 - pixels).abs()
    return (1 - away).clamp_min(0)[:, None]
