"""Somebody's image as ours: RGB float32 `[3, H, W]` in [0, 1], the same bits that a prepared file gives."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlattack.data.own.arrays import as_tensor, channels_first
from mtlattack.epsilon import LEVELS
from mtlattack.errors import InputError

_HOW = "give uint8, or divide by what makes them [0, 1]"


@dataclass(frozen=True)
class Scale:
    """What the first image of a set shows of all: whether its numbers are grey levels, 0 to 255, or shares."""

    levels: bool

    @staticmethod
    def of(value: Any, what: str) -> "Scale":
        """Whole numbers are levels, and so are floating-point ones that are whole, if one of them is above 1."""
        image = as_tensor(value, what)
        return Scale(not image.is_floating_point() or bool(image.numel() and image.max() > 1))

    def image(self, value: Any, what: str) -> Tensor:
        """The image `[3, H, W]`; InputError for one that is none, or has not this scale."""
        image = channels_first(as_tensor(value, what), 3, what)
        if image.dtype == torch.bool or image.is_complex() or image.numel() == 0:
            raise InputError(f"{what} is {image.dtype} {tuple(image.shape)}, expected three colours a pixel")
        low, high = (float(edge) for edge in image.aminmax())
        span = f"{what} has values from {low:g} to {high:g}"
        if not (low >= 0 and high <= LEVELS):
            meant = "; they look normalised, which `wrap(…, mean=…, std=…)` does" if low < 0 else ""
            raise InputError(f"{span}, expected [0, 1], or whole numbers from 0 to 255{meant}")
        if not self.levels:
            if high > 1 or not image.is_floating_point():
                raise InputError(f"{span}, the first one in [0, 1], expected one range for all: {_HOW}")
            return image.float().contiguous()
        if image.is_floating_point() and not torch.equal(image, image.round()):
            raise InputError(f"{span} that are not whole, expected [0, 1], or whole numbers from 0 to 255: {_HOW}")
        return (image.float() / LEVELS).contiguous()


def levels_of(image: Tensor) -> Tensor:
    """An image in [0, 1] as a prepared file has it, uint8 `[H, W, 3]`; as float32 where that would round it."""
    levels = (image * LEVELS).round()
    exact = torch.equal(levels / LEVELS, image)
    return (levels.to(torch.uint8) if exact else image).movedim(0, -1)
