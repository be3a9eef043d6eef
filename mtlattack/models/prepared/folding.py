"""Batch norm in eval mode is a scale and a shift: it folds into the convolution before it."""

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mtlattack.models.prepared.copying import private_copy
from mtlattack.models.prepared.frozen import FrozenConv2d, FrozenConvTranspose2d

_CONVOLUTIONS = (nn.Conv2d, Conv2dSame, nn.ConvTranspose2d, FrozenConv2d, FrozenConvTranspose2d)
_BATCH_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, BatchNormAct2d)


def fold_batch_norms(model: nn.Module) -> int:
    """Fold what can be folded of a model in eval mode, in place; how many batch norms that were.

    torch.fx finds the pairs: a convolution whose output goes to one batch norm and nowhere else. A module that cannot
    be traced as a whole is searched part by part, and keeps its own code: only its layers are replaced. Code that
    torch.fx cannot follow may still reach into such a part: compare predictions before and after.
    """
    times_registered = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    folded = 0
    # A trace runs a module's code, which may keep what it meets: better in a copy.
    for name, graph in list(_traceable(private_copy(model), "")):
        part = model.get_submodule(name)
        for convolution, norm in _pairs(part, graph):
            if times_registered[id(convolution[1])] == times_registered[id(norm[1])] == 1:
                _fold(part, convolution, norm)
                folded += 1
    return folded


_Named = tuple[str, nn.Module]


class _Tracer(fx.Tracer):
    """Stops at every layer that may take part, and at every module whose code depends on values or shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.opaque: list[str] = []

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _CONVOLUTIONS + _BATCH_NORMS) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        traced, depth = len(self.graph.nodes), len(self.module_stack)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:  # a foreign forward raises what it likes when it meets a proxy
            for node in list(self.graph.nodes)[traced:][::-1]:
                self.graph.erase_node(node)
            while len(self.module_stack) > depth:
                self.module_stack.popitem()
            path = self.path_of_module(m)
            self.opaque.append(path)
            return self.create_proxy("call_module", path, args, kwargs)


def _traceable(module: nn.Module, name: str) -> Iterator[tuple[str, fx.Graph]]:
    """Graphs, by name, of the module and of what lies inside the parts of it that torch.fx cannot follow; TorchScript
    has none: there is no code that would take other layers."""
    if isinstance(module, torch.jit.ScriptModule):
        return
    tracer = _Tracer()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = tracer.trace(module)
    except Exception:  # as above
        tracer.opaque = [""]
    else:
        yield name, graph
    for path in tracer.opaque:
        for child, inside in module.get_submodule(path).named_children():
            yield from _traceable(inside, ".".join(filter(None, (name, path, child))))


def _pairs(part: nn.Module, graph: fx.Graph) -> Iterator[tuple[_Named, _Named]]:
    """Convolutions and batch norms that are only ever called one after the other."""
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    in_turn = Counter((before.target, norm.target) for before, norm in _in_turn(graph))
    for (before, norm), times in in_turn.items():
        if calls[before] == calls[norm] == times:
            pair = (str(before), part.get_submodule(str(before))), (str(norm), part.get_submodule(str(norm)))
            if _can_fold(pair[0][1], pair[1][1]):
                yield pair


def _in_turn(graph: fx.Graph) -> Iterator[tuple[fx.Node, fx.Node]]:
    """Calls of two modules where the second, and nothing else, takes what the first gives."""
    for node in graph.nodes:
        before = node.args[0] if node.args else None
        if isinstance(before, fx.Node) and node.op == before.op == "call_module" and len(before.users) == 1:
            yield before, node


def _can_fold(convolution: nn.Module, norm: nn.Module) -> bool:
    """Exact types only: a subclass may compute something else. Hooks would no longer see what they saw."""
    return (
        type(convolution) in _CONVOLUTIONS
        and type(norm) in _BATCH_NORMS
        and norm.running_mean is not None
        and not (isinstance(convolution, nn.ConvTranspose2d) and convolution.groups > 1)
        and not any(
            m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks
            for m in (convolution, norm)
        )
    )


def _fold(part: nn.Module, convolution: _Named, norm: _Named) -> None:
    transposed = isinstance(convolution[1], nn.ConvTranspose2d)
    part.set_submodule(convolution[0], fuse_conv_bn_eval(convolution[1], norm[1], transpose=transposed))  # type: ignore
    # timm's batch norm with activation leaves its activation behind.
    rest = nn.Sequential(norm[1].drop, norm[1].act) if isinstance(norm[1], BatchNormAct2d) else nn.Identity()
    part.set_submodule(norm[0], rest.eval())
