"""Images of 8 bits: float32 values k/255, which survive saving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlattack.epsilon import LEVELS
from mtlattack.errors import InputError
from mtlattack.lazily import torch

if TYPE_CHECKING:
    from torch import Tensor

# In grey levels: k · (1/255) in float32, as some loaders have it, is a float or two away from k/255.
_TOLERANCE = 1e-4


def to_levels(images: Tensor) -> Tensor:
    """The nearest grey levels 0 to 255 of images in [0, 1], int64."""
    return (LEVELS * images.double()).round().long()


def from_levels(levels: Tensor) -> Tensor:
    """float32 k/255, the very floats that an 8-bit image has when it is read."""
    return levels.float() / LEVELS


def check_levels(images: Tensor) -> None:
    """InputError, which names the first value that is off, unless images `[B, 3, H, W]` are 8-bit."""
    images = images.cpu()
    off = (LEVELS * images.double() - to_levels(images)).abs() > _TOLERANCE
    if off.any():
        place = torch.nonzero(off)[0].tolist()
        value = images[tuple(place)].item()
        raise InputError(
            f"image {place[0]} holds {value:.9g} at channel {place[1]}, row {place[2]}, column {place[3]}, which is no "
            f"grey level k/{LEVELS}: 8-bit attacks need 8-bit images"
        )
