"""CUDA graphs without CUDA: torch's own `make_graphed_callables`, over a recorder of operations in fixed memory.

As with the real ones: no Python runs in a replay; what an operation gave lies where it lay when it was recorded, and is
garbage until the first replay; memory that was freed while recording is used again by what is recorded later, here by
filling it with NaN; reading a value while recording is an error.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from dispatch_toys import Watching
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from mtlattack.models.prepared import Predict, Record, record_on_cuda

# Where tests run that would find the same with real graphs.
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]
_READS = (torch.ops.aten._local_scalar_dense.default,)


class Pool:
    """The memory that graphs share, by address; it stays where it is as long as they do."""

    def __init__(self) -> None:
        self.blocks: dict[int, NDArray[np.uint8]] = {}
        self.recording: Graph | None = None

    def place(self, value: Tensor) -> Tensor:
        """The same values in memory of the pool. When the last tensor there is gone, that memory is used again."""
        size = sum((n - 1) * step for n, step in zip(value.shape, value.stride(), strict=True)) + 1
        block = np.empty(size * value.element_size(), np.uint8)
        self.blocks[block.ctypes.data] = block
        owner = block[:]
        weakref.finalize(owner, self._freed, block)
        return _tensor(owner, value, 0).copy_(value)

    def alias(self, tensor: Tensor) -> Tensor:
        """The same memory without keeping it from being used again."""
        block = self.blocks.get(tensor.untyped_storage().data_ptr())
        return tensor if block is None else _tensor(block, tensor, tensor.storage_offset())

    def fill(self) -> None:
        """Garbage everywhere."""
        for block in self.blocks.values():
            block.fill(0xFF)

    def _freed(self, block: NDArray[np.uint8]) -> None:
        if self.recording is not None:
            self.recording.tape.append(lambda: block.fill(0xFF))


class Graph:
    """A `torch.cuda.CUDAGraph`: operations on fixed memory."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.tape: list[Callable[[], object]] = []

    @torch.inference_mode(False)
    @torch.no_grad()
    def replay(self) -> None:
        """All of them, in order."""
        for operation in self.tape:
            operation()


class _Recorder(Watching):
    """Runs operations and puts them on a graph's tape."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph, self.pool = graph, graph.pool

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in _READS:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = function(*args, **kwargs)
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}

        def is_new(tensor: Tensor) -> bool:
            return tensor.numel() > 0 and tensor.untyped_storage().data_ptr() not in given

        fixed = tree_map_only(Tensor, lambda t: self.pool.place(t) if is_new(t) else t, result)
        made = [self.pool.alias(t) if is_new(r) else None for r, t in _pairs(result, fixed)]
        if function._schema.is_mutable or any(tensor is not None for tensor in made):
            again, more = tree_map_only(Tensor, lambda t: self.pool.alias(t.detach()), (args, kwargs))

            def operation() -> None:
                results = [t for t in tree_leaves(function(*again, **more)) if isinstance(t, Tensor)]
                for target, value in zip(made, results, strict=True):
                    if target is not None:
                        target.copy_(value)

            self.graph.tape.append(operation)
        return fixed


@contextmanager
def recording(graph: Graph, **_: Any) -> Iterator[None]:
    """In place of `torch.cuda.graph`."""
    with _Recorder(graph):
        graph.pool.recording = graph
        try:
            yield
        finally:
            graph.pool.recording = None


def record_on_cpu(predict: Predict, sample: tuple[Tensor]) -> Predict:
    """`torch.cuda.make_graphed_callables` with graphs of this file."""
    pool = Pool()
    with (
        patch("torch.cuda.CUDAGraph", lambda: Graph(pool)),
        patch("torch.cuda.graph", recording),
        patch("torch.cuda.graphs.graph_pool_handle", lambda: None),
        patch("torch.cuda.synchronize"),
        patch("torch.cuda.Stream"),
        patch("torch.cuda.stream"),
    ):
        recorded: Predict = torch.cuda.make_graphed_callables(predict, sample)
    pool.fill()
    return recorded


def record_for(device: str) -> Record:
    """The real thing where there is one."""
    return record_on_cuda if device == "cuda" else record_on_cpu


class Counting:
    """A recorder that counts the replays of forward passes by the shape of the images."""

    def __init__(self, record: Record) -> None:
        self.record, self.replays = record, Counter[tuple[int, ...]]()

    def __call__(self, predict: Predict, sample: tuple[Tensor]) -> Predict:
        recorded = self.record(predict, sample)

        def counted(images: Tensor) -> dict[str, Tensor]:
            self.replays[tuple(images.shape)] += 1
            return recorded(images)

        return counted


def _pairs(one: Any, other: Any) -> list[tuple[Tensor, Tensor]]:
    leaves = zip(tree_leaves(one), tree_leaves(other), strict=True)
    return [(a, b) for a, b in leaves if isinstance(a, Tensor)]


def _tensor(block: NDArray[np.uint8], like: Tensor, offset: int) -> Tensor:
    """A tensor in this memory."""
    return torch.from_numpy(block).view(like.dtype).as_strided(like.shape, like.stride(), offset)
