"""torch, loaded when something in it is first used: reading numbers and printing tables need none of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch as torch
else:
    import lazy_loader

    torch = lazy_loader.load("torch")
