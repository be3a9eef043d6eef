"""Random numbers that are a function of an image: equal images draw alike, wherever they stand."""

import torch
from torch import Tensor

_BITS = {4: torch.int32, 2: torch.int16}
# Odd constants of splitmix64 (Steele et al. 2014), as signed numbers of 64 bits.
_GOLDEN, _FIRST, _SECOND = (c - 2**64 for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def uniform_by_content(images: Tensor, count: int, seed: int) -> Tensor:
    """Uniform in [0, 1), `[B, count]` float32, from the bits of each image `[B, 3, H, W]` and the seed.

    In whole numbers modulo 2⁶⁴ on the images' device: exact whatever the batch, its layout or order, and nothing waits.
    """
    plain = images.detach().contiguous()
    bits = plain.view(_BITS[plain.element_size()]).flatten(1).long()
    places = torch.arange(bits.shape[1], device=bits.device)
    key = _mixed((bits * (2 * places + 1) + places).mul(_GOLDEN).sum(1) + seed)
    draws = _mixed(key[:, None] + _GOLDEN * torch.arange(1, count + 1, device=bits.device))
    return _shifted(draws, 40).float() / 2**24


def _mixed(values: Tensor) -> Tensor:
    """splitmix64's output function."""
    values = (values ^ _shifted(values, 30)) * _FIRST
    values = (values ^ _shifted(values, 27)) * _SECOND
    return values ^ _shifted(values, 31)


def _shifted(values: Tensor, by: int) -> Tensor:
    """To the right, zeros from the left."""
    return (values >> by) & (2 ** (64 - by) - 1)
