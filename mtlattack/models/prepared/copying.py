"""A copy of somebody's module that shares no tensor with it, and what stands in for one that cannot be copied."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mtlattack.tasks import TaskMap, undisturbed

M = TypeVar("M", bound=nn.Module)


def private_copy(module: M) -> M:
    """A deep copy whose parameters want no gradient and take part in backward passes, in inference mode too.

    What the module keeps of an earlier pass, as `torch.nn.utils.weight_norm` does, is copied by value, without its
    history; what `torch.compile` made, as the module that it was made of, whose layers can be replaced. Raises what a
    part raises that cannot be copied: a lock, a generator, an open file.
    """
    # TorchScript copies what wants a gradient as part of a graph.
    with torch.inference_mode(False), torch.no_grad(), _ByValue():
        twin = _as_written(copy.deepcopy(module))
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    # TorchScript copies none of what Python code has added to a module.
    if hasattr(module, "tasks") and not hasattr(twin, "tasks"):
        twin.tasks = module.tasks
    return twin


def _as_written(module: nn.Module) -> Any:
    """The module without what `torch.compile` put around it and its parts."""
    for part in list(module.modules()):
        if not isinstance(part, torch.jit.ScriptModule):
            # Not `|=`: what torch.compile made sets attributes of the module inside.
            part._modules.update({name: _original(inside) for name, inside in part._modules.items()})
    return _original(module)


def _original(module: nn.Module | None) -> nn.Module | None:
    return module if module is None or "_orig_mod" not in vars(module)["_modules"] else module._modules["_orig_mod"]


class BorrowedModule(nn.Module):
    """Somebody's module itself, hidden from all that would change it: at each call in eval mode, left as it was."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # In a tuple: no submodule, whose parameters, layout and mode would be taken for ours.
        self.borrowed = (module,)
        if hasattr(module, "shared_features"):
            self.shared_features = lambda images: self._calling(module.shared_features, images)
        if hasattr(module, "with_shared_features"):
            self.with_shared_features = lambda images: self._calling(module.with_shared_features, images)

    @property
    def tasks(self) -> TaskMap:
        """Those of the module."""
        return self.borrowed[0].tasks  # type: ignore[return-value]

    def forward(self, images: Tensor) -> Any:
        """What the module returns."""
        return self._calling(self.borrowed[0], images)

    def _calling(self, call: Any, images: Tensor) -> Any:
        with undisturbed(self.borrowed[0]):
            return call(images)


class _ByValue(TorchFunctionMode):
    """Inside, the deep copy of a tensor that was computed is its value, where torch refuses to copy one."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            # Wherever else the module keeps it, the copy keeps the same one.
            return memo.setdefault(id(tensor), tensor.detach().clone())
        return func(*args, **(kwargs or {}))
