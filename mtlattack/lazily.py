"""torch, loaded when something in it is first used: reading numbers and printing tables need none of it."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch as torch
else:

    class _Torch(ModuleType):
        """Stands for torch, not in its place as importlib's lazy modules do: since Python 3.12 these cannot load it."""

        def __getattr__(self, name: str) -> Any:
            import torch

            return getattr(torch, name)

    torch = _Torch("torch")
