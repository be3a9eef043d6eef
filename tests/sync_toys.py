"""What makes the host wait for the device, counted where there is no device."""

from typing import Any, Self

import torch
from dispatch_toys import Watching
from torch import Tensor
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten
# Results whose shape, or whose value in Python, depends on values. In inference mode some come whole that are taken
# apart before a dispatch mode sees them otherwise (`item`, `where`).
_WAITING_OPERATIONS = {
    _aten._local_scalar_dense, _aten.item, _aten.is_nonzero, _aten.equal, _aten.nonzero, _aten.nonzero_numpy,
    _aten.nonzero_static, _aten.argwhere, _aten.masked_select, _aten._unique, _aten._unique2, _aten.unique_dim,
    _aten.unique_consecutive, _aten.bincount,
}  # fmt: skip
# They move data, and are no operations where it is on the host already; `numpy` takes none that is not.
_TRANSFERS = {Tensor.cpu, Tensor.tolist}


class Waits(Watching):
    """Inside, counts what would wait for an accelerator: scalars read, shapes that depend on values, transfers."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._transfers = _Transfers(self)

    def __enter__(self) -> Self:
        self._transfers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._transfers.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        waits = func.overloadpacket in _WAITING_OPERATIONS or func is _aten.where.default or _picks_by_mask(func, args)
        self.count += waits
        return func(*args, **(kwargs or {}))


class _Transfers(TorchFunctionMode):
    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # By name only: a tensor that goes to another's device may well go to an accelerator.
        to_host = func is Tensor.to and "cpu" in args[1:2]
        self.waits.count += func in _TRANSFERS or to_host
        return func(*args, **(kwargs or {}))


def _picks_by_mask(func: Any, args: Any) -> bool:
    """x[mask]: how many values it has only the device knows."""
    picks = func.overloadpacket is _aten.index
    return picks and any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
