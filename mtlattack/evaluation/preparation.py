"""The two roles of a model in a run: one searches, the other judges; both are private copies of it."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.data import Batch
from mtlattack.devices import is_out_of_memory, multiplies_bfloat16, release_memory
from mtlattack.errors import InputError, UnknownNameError, one_line
from mtlattack.models import (
    GraphedModel,
    PreparedModel,
    graph_where_it_pays,
    lower_precision,
    model_name,
    prepare_for_attack,
)
from mtlattack.models.prepared import Record, how_to_reach, out_of_reach, record_on_cuda
from mtlattack.tasks import Model

Precision = Literal["float32", "bfloat16", "auto"]
CudaGraphs = Literal["auto", "on", "off"]
# Share of equal gradient signs below which attacks in bfloat16 are known to lose strength (trained networks: 95 %).
_LEAST_AGREEMENT = 0.9


@dataclass(frozen=True)
class Preparation:
    """`judge` computes in float32 and gives every number; `search` gives gradients, and may be the same.

    `description` holds what can change a number; `sign_agreement` is that of the two models' gradients, if measured.
    `speed_ups` say by role how many times as fast a pass is as a CUDA graph, None where it is none, if tried, and
    `graph_bytes` what the graphs hold of the device's memory.
    """

    judge: Model
    search: Model
    description: dict[str, Any]
    sign_agreement: float | None = None
    speed_ups: dict[str, float | None] | None = None
    graph_bytes: int = 0

    def laid_out(self, batch: Batch) -> Batch:
        """The batch with its images in the layout of the models: what is computed from them takes it too."""
        channels_last = self.description.get("channels_last")
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return replace(batch, images=batch.images.contiguous(memory_format=layout))

    @property
    def low(self) -> bool:
        """Whether the search has a precision of its own."""
        return self.search is not self.judge

    def release_graphs(self) -> bool:
        """Go on without CUDA graphs, so that their memory is free again; whether there were any."""
        return any([model.release() for model in (self.judge, self.search) if isinstance(model, GraphedModel)])


def check_precision(precision: str) -> None:
    """UnknownNameError unless it is float32, bfloat16 or auto."""
    if precision not in get_args(Precision):
        raise UnknownNameError("precision", precision, get_args(Precision))


def prepare(model: Model, batch: Batch, precision: str) -> Preparation:
    """A model's copies for a run, on the device of `batch`, which holds some of its images.

    `float32` searches with the judge; `bfloat16` with a copy in bfloat16, and warns if its gradients differ much;
    `auto` takes bfloat16 where the hardware multiplies in it and at least 90 % of the gradient signs agree on
    these images. A callable that is no module is taken as it is. InputError for one that cannot compute in bfloat16.
    """
    if not isinstance(model, nn.Module):
        if precision == "bfloat16":
            raise InputError(f"precision bfloat16 needs an nn.Module, the model is a {type(model).__name__}")
        return Preparation(model, model, {"search": "float32"})
    judge = prepare_for_attack(model, batch.images)
    description = {"batch_norms_folded": judge.folded, "channels_last": judge.channels_last, "search": "float32"}
    float32 = Preparation(judge, judge, description)
    if precision == "float32" or (precision == "auto" and not multiplies_bfloat16(batch.images.device)):
        return float32
    try:
        search = lower_precision(judge)
        agreement = gradient_agreement(judge, search, batch)
    except Exception as error:  # whatever a foreign module raises in a type it was not written for
        if is_out_of_memory(error):
            raise
        if precision == "auto":
            return float32
        reason = one_line(error)
        left = how_to_reach(out_of_reach(judge.model, batch.images.device, torch.bfloat16))
        raise InputError(f"{model_name(model)} cannot compute in bfloat16: {reason}{left}") from error
    if agreement < _LEAST_AGREEMENT:
        if precision == "auto":
            return replace(float32, sign_agreement=agreement)
        warnings.warn(f"only {agreement:.0%} of gradient signs agree between bfloat16 and float32", stacklevel=2)
    return Preparation(judge, search, description | {"search": "bfloat16"}, agreement)


def wants_graphs(mode: str, device: torch.device, model: Model) -> bool:
    """Whether CUDA graphs are tried: `auto` where the device has them and the model is an nn.Module.

    UnknownNameError unless it is auto, on or off; InputError for `on` where the device has none.
    """
    if mode not in get_args(CudaGraphs):
        raise UnknownNameError("cuda_graphs", mode, get_args(CudaGraphs))
    if mode == "on" and device.type != "cuda":
        raise InputError(f"cuda_graphs needs a CUDA device, the run is on {device}")
    return mode == "on" or (mode == "auto" and device.type == "cuda" and isinstance(model, nn.Module))


def with_graphs(prepared: Preparation, images: Tensor, size: int, record: Record = record_on_cuda) -> Preparation:
    """The same, with CUDA graphs where they pay for batches of `size` images `[B, 3, H, W]`, of which some are given.

    A callable that is no module stays as it is, with a warning.
    """
    batch = images[torch.arange(size, device=images.device) % len(images)]
    before = _held(images.device)
    judge, judging = _graph(prepared.judge, batch, record)
    search, searching = _graph(prepared.search, batch, record) if prepared.low else (judge, judging)
    speed_ups = {"judge": judging, "search": searching}
    held = max(_held(images.device) - before, 0)
    return replace(prepared, judge=judge, search=search, speed_ups=speed_ups, graph_bytes=held)


def _held(device: torch.device) -> int:
    """Bytes that torch holds of a CUDA device, what it does not use at the moment given back first."""
    release_memory(device)
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else 0


def _graph(model: Model, batch: Tensor, record: Record) -> tuple[Model, float | None]:
    if not isinstance(model, PreparedModel):
        warnings.warn(f"the model is a {type(model).__name__}, no nn.Module: no CUDA graph of it", stacklevel=3)
        return model, None
    layout = torch.channels_last if model.channels_last else torch.contiguous_format
    graphed, speed_up = graph_where_it_pays(model, batch.contiguous(memory_format=layout), record)
    return graphed, None if speed_up is None else round(speed_up, 2)


def gradient_agreement(model: PreparedModel, search: PreparedModel, batch: Batch) -> float:
    """Share of the pixel values of a batch where DGBA's directions by both models have the same sign, in [0, 1].

    Where the model itself has no gradient does not count.
    """
    aggregator = create_aggregator("dgba")
    equal = counting = 0
    for row in range(len(batch.ids)):  # One by one: nobody has said yet how many fit into memory.
        one = batch.part(slice(row, row + 1))
        expected, found = (
            Objective(Problem(each, each, model.tasks, one.targets, one.images), aggregator)
            .gradient(one.images)[1]
            .sign()
            for each in (model, search)
        )
        equal += int(((expected == found) & (expected != 0)).sum())
        counting += int((expected != 0).sum())
    return equal / max(counting, 1)
