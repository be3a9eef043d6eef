"""Other looks at an image through which a gradient is taken, and the way back for dense predictions."""

from dataclasses import dataclass

import torch
from torch import Tensor

# What stands around an image that was made smaller: the middle of the range, as in the code of Xie et al.
_GREY = 0.5


@dataclass(frozen=True)
class Darkened:
    """Every value times `factor`, in (0, 1]; what is said of that needs no way back."""

    factor: float

    def image(self, points: Tensor) -> Tensor:
        """`[B, 3, H, W]`, nearer to black."""
        return self.factor * points

    def prediction(self, prediction: Tensor) -> Tensor:
        """As it is: what there is, and where, does not change with the light."""
        return prediction


@dataclass(frozen=True)
class Shuffled:
    """Each image cut into n strips, which change places, and every strip into n blocks, which change places in it.

    Places of cuts are shares of a length, rising to 1; ranks are the new order, a permutation of 0 to n − 1.
    `cuts` and `ranks` `[B, n]` are those of the strips, `cuts_inside` and `ranks_inside` `[B, n, n]` those of each
    strip's blocks. Strips run across the image where `across` `[B]`, else down. Every pixel is moved, none is changed,
    so that the way back is exact; it is taken by indices, each of which occurs once.
    """

    cuts: Tensor
    ranks: Tensor
    cuts_inside: Tensor
    ranks_inside: Tensor
    across: Tensor

    def image(self, points: Tensor) -> Tensor:
        """`[B, 3, H, W]`, its blocks at their new places."""
        return _taken(points, self._sources(points.shape[-2], points.shape[-1]))

    def prediction(self, prediction: Tensor) -> Tensor:
        """`[B, channels, h, w]` for what `image` showed, its blocks back where they were; of other shape, it has no
        place."""
        if prediction.ndim != 4:
            return prediction
        return _taken(prediction, self._sources(prediction.shape[-2], prediction.shape[-1]).argsort(1))

    def _sources(self, height: int, width: int) -> Tensor:
        """From which pixel each of a shuffled image's comes, counted along rows, `[B, h·w]`."""
        rows, columns = self._strips(height, width)
        across = rows[:, :, None] * width + columns
        columns, rows = self._strips(width, height)
        down = rows.mT * width + columns[:, None, :]
        return torch.where(self.across[:, None, None], across, down).flatten(1)

    def _strips(self, length: int, inside: int) -> tuple[Tensor, Tensor]:
        """Sources along the axis that is cut into strips, `[B, length]`, and along the other, `[B, length, inside]`."""
        strip, order = _shuffled(self.cuts, self.ranks, length)
        _, orders = _shuffled(self.cuts_inside, self.ranks_inside, inside)
        return order, orders.gather(1, strip.gather(1, order)[:, :, None].expand(-1, -1, inside))


def _shuffled(cuts: Tensor, ranks: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """For cuts and ranks `[…, n]` of an axis the part that each pixel is in, and the pixel that comes to each place,
    both `[…, length]`."""
    pixels = torch.arange(length, device=cuts.device)
    # A pixel belongs to the part that its centre is in; the last cut is beyond all.
    part = (pixels[:, None] >= (cuts * length).round()[..., None, :-1]).sum(-1)
    return part, ranks.gather(-1, part).argsort(dim=-1, stable=True)


def _taken(values: Tensor, sources: Tensor) -> Tensor:
    """The pixels of `values` `[B, C, h, w]` that `sources` `[B, h·w]` names, in their order."""
    chosen = sources[:, None].expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, chosen).view(values.shape)


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
