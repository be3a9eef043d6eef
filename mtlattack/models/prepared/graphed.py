"""A prepared model whose passes on batches of one shape are replayed as CUDA graphs: launching kernels takes no time.

What a replay gives and keeps lies where the recorded pass put it, so each replay overwrites the last. Nothing of that
shows outside: predictions and gradients are copies, and a backward pass whose forward pass has been overwritten
replays that first.
"""

import time
import warnings
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtlattack.chance import same_chance
from mtlattack.devices import release_memory
from mtlattack.errors import one_line
from mtlattack.models.prepared.preparing import TOLERANCE, PreparedModel, are_close
from mtlattack.models.prepared.recording import Record, record_on_cuda
from mtlattack.tasks import Task
from mtlattack.tf32 import allows_tf32

_LEAST_SPEED_UP = 1.05
_ROUNDS, _PASSES = 5, 3
# Of the numbers that TensorFloat-32 multiplies.
_TF32_UNIT = 2.0**-10


class GraphedModel:
    """A prepared model, recorded for images of the shape, type and device of `images` `[B, 3, H, W]`.

    Other images, and shared features, go through the prepared model as it is. Gradients are those of the images alone,
    in as many backward passes as one likes, in any order; there are no gradients of gradients. A backward pass of one
    task replays the heads of all, with zeros: attacks that need T gradients gain less than others.
    """

    def __init__(self, prepared: PreparedModel, images: Tensor, record: Record = record_on_cuda) -> None:
        self.prepared = prepared
        self._recorded = (images.shape, images.dtype, images.device)
        self._recording: _Recording | None = _Recording(prepared, images, record)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Those of the model."""
        return self.prepared.tasks

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions of the prepared model."""
        recording = self._recording
        if recording is None or (images.shape, images.dtype, images.device) != self._recorded:
            predictions: dict[str, Tensor] = self.prepared(images)
            return predictions
        if torch.is_grad_enabled() and images.requires_grad:
            return dict(zip(recording.names, _Pass.apply(recording, images), strict=True))
        return {name: value.clone() for name, value in recording.replay(images).items()}

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of the prepared model."""
        return self.prepared.shared_features(images)

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Those of the prepared model."""
        return self.prepared.with_shared_features(images)

    def release(self) -> bool:
        """Go on without the recording, so that its memory is free again; whether there was one."""
        recording, self._recording = self._recording, None
        return recording is not None


class _Recording:
    """Forward and backward pass of a model on images of one shape; whoever replays it overwrites the last replay.

    `names` are those of the predictions, `cut_off` those of them that have no gradient, `held` tells one replay that a
    backward pass can follow from another.
    """

    def __init__(self, prepared: PreparedModel, images: Tensor, record: Record) -> None:
        self.names: list[str] = []
        self.cut_off: set[str] = set()
        self.held: Tensor | None = None
        self._outputs: dict[str, Tensor] = {}
        saved: list[Tensor] = []

        def keep(tensor: Tensor) -> Tensor:
            saved.append(tensor)
            return tensor

        def predict(points: Tensor) -> dict[str, Tensor]:
            saved.clear()
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                predictions: dict[str, Tensor] = prepared(points)
            self.names = list(predictions)
            self.cut_off = {name for name, value in predictions.items() if not value.requires_grad}
            return predictions

        with torch.inference_mode(False), torch.enable_grad():
            # A function: of a module, torch would replace the forward method. What it saves is held until the backward
            # pass is recorded too, which would otherwise write into that memory, and could be replayed once only.
            self._predict = record(predict, (images.detach().clone().requires_grad_(),))
        saved.clear()

    def replay(self, images: Tensor, differentiable: bool = False) -> dict[str, Tensor]:
        """The recorded predictions, to be copied before the next replay."""
        self.held, self._outputs = None, {}
        with torch.inference_mode(False), torch.set_grad_enabled(differentiable):
            points = images.detach()
            self._outputs = self._predict(points.requires_grad_() if differentiable else points)
        self.held = points if differentiable else None
        return {name: value.detach() for name, value in self._outputs.items()}

    def gradient(self, cotangents: Sequence[Tensor]) -> Tensor:
        """That of the last replay's images, `[B, 3, H, W]`, for one cotangent a prediction."""
        assert self.held is not None
        live = [(self._outputs[n], c) for n, c in zip(self.names, cotangents, strict=True) if n not in self.cut_off]
        outputs, along = zip(*live, strict=True)
        (gradient,) = torch.autograd.grad(outputs, self.held, along, retain_graph=True)
        return gradient.clone()


class _Pass(torch.autograd.Function):
    """One forward pass of a recording, and the backward passes that follow from it."""

    @staticmethod
    def forward(ctx: Any, recording: _Recording, images: Tensor) -> tuple[Tensor, ...]:
        predictions = {name: value.clone() for name, value in recording.replay(images, differentiable=True).items()}
        ctx.recording, ctx.held = recording, recording.held
        ctx.save_for_backward(images)
        ctx.mark_non_differentiable(*(predictions[name] for name in recording.cut_off))
        return tuple(predictions.values())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[None, Tensor]:
        if ctx.recording.held is not ctx.held:
            # Another pass has overwritten what this one saved.
            ctx.recording.replay(ctx.saved_tensors[0], differentiable=True)
            ctx.held = ctx.recording.held
        return None, ctx.recording.gradient(cotangents)


def graph_where_it_pays(
    prepared: PreparedModel, images: Tensor, record: Record = record_on_cuda
) -> tuple[PreparedModel | GraphedModel, float | None]:
    """The model recorded for batches like `images` `[B, 3, H, W]`, and how many times as fast a pass is then.

    The prepared model itself and None where that is not at least 1.05 times (forward and one gradient of the images);
    with a warning where recording raises, lack of memory included, or gives other predictions or gradients.
    """
    graphed, speed_up, reason = _try(prepared, images, record)
    if graphed is not None:
        return graphed, speed_up
    release_memory(images.device)
    if reason:
        warnings.warn(f"{type(prepared.model).__name__} {reason} as a CUDA graph: left as it was", stacklevel=2)
    return prepared, None


def _try(prepared: PreparedModel, images: Tensor, record: Record) -> tuple[GraphedModel | None, float | None, str]:
    """The graphed model and its speed-up if it is worth having, or nothing, and what went wrong, if anything did."""
    try:
        with same_chance(images.device):
            graphed = GraphedModel(prepared, images, record)
        if not _alike(graphed, prepared, images):
            return None, None, "gives other predictions or gradients"
        with same_chance(images.device):
            speed_up = _speed_up(graphed, prepared, images)
        return (graphed, speed_up, "") if speed_up >= _LEAST_SPEED_UP else (None, None, "")
    except Exception as error:  # whatever a model does that cannot be recorded
        first = error.__context__ or error  # Of a recording that fails torch says last that an operation failed.
        return None, None, f"raises {type(first).__name__} ({one_line(first)})"


def _alike(graphed: GraphedModel, prepared: PreparedModel, images: Tensor) -> bool:
    """Whether predictions and gradients are the same, also where passes overlap."""
    points = [images, 1 - images]
    with torch.inference_mode(False), torch.enable_grad():
        expected, again = (_one_by_one(prepared, points) for _ in range(2))
        with same_chance(images.device):
            found = _passes(graphed, points)
    least = _tolerance(prepared, images.device)
    # Kernels that add in any order differ from themselves; a model that is another at every call is not meant.
    tolerances = [least + 2 * min(_off(*pair), 2 * least) for pair in zip(again, expected, strict=True)]
    return len(found) == len(expected) and all(map(are_close, found, expected, tolerances))


def _one_by_one(prepared: PreparedModel, points: Sequence[Tensor]) -> list[Tensor]:
    with same_chance(points[0].device):
        return [tensor for each in points for tensor in _passes(prepared, [each])]


def _off(value: Tensor, expected: Tensor) -> float:
    """The largest difference as a share of the largest expected value; 0 where that is none."""
    largest = expected.nan_to_num(0, 0, 0).abs().amax()
    return float(((value - expected).nan_to_num(0, 0, 0).abs().amax() / largest).nan_to_num(0, 0, 0))


def _passes(model: PreparedModel | GraphedModel, points: Sequence[Tensor]) -> list[Tensor]:
    """Predictions and gradients at each of the points; all forward passes come before the first backward pass.

    Gradients of each task alone and then of all together, of random mixtures of the predicted values: their sum may be
    flat, as that of probabilities is.
    """
    points = [each.detach().clone().requires_grad_() for each in points]
    found, generator = [], torch.Generator()
    for image, predictions in zip(points, [model(each) for each in points], strict=True):
        generator.manual_seed(0)
        live = [value for value in predictions.values() if value.requires_grad]
        weights = [torch.randn(value.shape, generator=generator).to(value) for value in live]
        alone = [([value], [weight]) for value, weight in zip(live, weights, strict=True)]
        found += [value.detach() for value in predictions.values()]
        for values, along in [*alone, (live, weights)] if live else []:
            found += torch.autograd.grad(values, image, along, retain_graph=True)
    return found


def _tolerance(prepared: PreparedModel, device: torch.device) -> float:
    """Of the largest value: as when a model is prepared, or two units of what it multiplies in."""
    unit = torch.finfo(prepared.dtype).eps
    if device.type == "cuda" and allows_tf32():
        unit = max(unit, _TF32_UNIT)
    return max(TOLERANCE, 2 * unit)


def _speed_up(graphed: GraphedModel, prepared: PreparedModel, images: Tensor) -> float:
    """The time of the prepared model over that of the graphed one, medians of a few rounds, after one to warm up."""
    rounds = [(_seconds(prepared, images), _seconds(graphed, images)) for _ in range(1 + _ROUNDS)][1:]
    eager, replayed = (median(seconds) for seconds in zip(*rounds, strict=True))
    return eager / replayed


def _seconds(model: PreparedModel | GraphedModel, images: Tensor) -> float:
    """What a few forward passes take, each with the gradient of the summed predictions."""
    _wait(images.device)
    start = time.perf_counter()
    with torch.inference_mode(False), torch.enable_grad():
        for _ in range(_PASSES):
            points = images.detach().clone().requires_grad_()
            sums = [value.sum() for value in model(points).values() if value.requires_grad]
            if sums:
                torch.autograd.grad(sums, points)
    _wait(images.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
