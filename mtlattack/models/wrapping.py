"""Making a foreign module one of ours."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Self, TypeVar, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlattack.devices import is_out_of_memory
from mtlattack.errors import InputError, one_line
from mtlattack.models.features import (
    FeatureSource,
    check_source,
    describe_source,
    read_features,
    read_on_the_way,
)
from mtlattack.models.identity import identity
from mtlattack.models.naming import model_name
from mtlattack.models.normalisation import NormalisingModule
from mtlattack.models.outputs import Key, Output
from mtlattack.models.ranges import warn_of_range
from mtlattack.tasks import Task, TaskMap

ChannelOrder = Literal["RGB", "BGR"]
T = TypeVar("T")
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class WrappedModel(NormalisingModule):
    """A foreign module behind the contract: RGB in [0, 1] in, one prediction a task out. Made by `wrap`."""

    def __init__(
        self,
        module: nn.Module,
        tasks: TaskMap,
        outputs: Mapping[str, Output],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        channel_order: ChannelOrder,
        value_range: tuple[float, float],
        size_multiple: int,
        features: FeatureSource | None,
        name: str | None,
    ) -> None:
        super().__init__(mean, std)
        self.module, self.outputs, self.feature_source = module, dict(outputs), features
        self.given_name = name or model_name(module)
        self.tasks: dict[str, Task] = {key: task.called(key) for key, task in tasks.items()}
        self.channel_order, self.value_range, self.size_multiple = channel_order, value_range, size_multiple
        # A model is known by the digest of its buffers: another convention must not pass for the same model.
        places = [(name, output.key, output.channels, output.resize) for name, output in self.outputs.items()]
        source = () if features is None else (describe_source(features),)
        transforms = {name: identity(output.transform) for name, output in self.outputs.items() if output.transform}
        # Stored rows name digests: without a transform, nothing of transforms stands here.
        parts = (channel_order, value_range, size_multiple, places, *source, *([transforms] if transforms else []))
        text = repr(parts).encode()
        self.register_buffer("conventions", torch.tensor(list(text), dtype=torch.uint8), persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions by task for images `[B, 3, H, W]`: `[B, channels, H, W]`, or of whole images `[B, channels]`.

        InputError if the module gives others.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise InputError(f"images have shape {tuple(images.shape)}, expected [B, 3, H, W]")
        x = self._prepared(images)
        return self._read(self._guarded(self.module, x), images, x)

    def train(self, mode: bool = True) -> Self:
        """As any module, but for what `torch.export` made: it has the mode that it was exported in, and no other."""
        self.training = mode
        with suppress(NotImplementedError):
            self.module.train(mode)
        return self

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Predictions, and what the submodule named by `features` gave on the way; InputError where none is named."""
        source = self.feature_source
        if not isinstance(source, str):
            told = "nobody said where" if source is None else "no submodule's name says where"
            raise InputError(
                f"{told} {model_name(self)} keeps the features that its predictions come from: "
                "wrap(…, features='submodule')"
            )
        x = self._prepared(images)
        returned, features = self._guarded(lambda x: read_on_the_way(self.module, source, x), x)
        return self._read(returned, images, x), features

    def _read(self, returned: object, images: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Predictions of what the module returned for `x`, which `images` became."""
        batch, _, height, width = images.shape
        predictions = {}
        for name, task in self.tasks.items():
            shape = (batch, *task.prediction_shape((x.shape[-2], x.shape[-1])))
            value = self.outputs[name].read(returned, name, shape)
            if images.requires_grad and torch.is_grad_enabled() and not value.requires_grad:
                raise InputError(f"task {name!r}: the prediction has no gradient in the image (detached, or no_grad?)")
            predictions[name] = (value[..., :height, :width] if task.dense else value).to(images.dtype)
        return predictions

    def shared_features(self, images: Tensor) -> Tensor:
        """What `features` of `wrap` says that the tasks share, `[B, …]`; InputError if it said nothing."""
        source = self.feature_source
        if source is None:
            raise InputError(
                f"nobody said where {model_name(self)} keeps the features that its tasks share: "
                "wrap(…, features='submodule'), or features=function of (module, images)"
            )
        features = self._guarded(lambda x: read_features(self.module, source, x), self._prepared(images))
        if images.requires_grad and torch.is_grad_enabled() and not features.requires_grad:
            raise InputError("the shared features have no gradient in the image (detached, or no_grad?)")
        return features.to(images.dtype)

    def _prepared(self, images: Tensor) -> Tensor:
        """The images as the module wants them: order, range, normalisation, and size, in this order."""
        x = images.flip(1) if self.channel_order == "BGR" else images
        low, high = self.value_range
        x = self.normalise(x * (high - low) + low)
        below, right = (-x.shape[side] % self.size_multiple for side in (-2, -1))
        # Padded after the normalisation, hence with the mean colour.
        return F.pad(x, (0, right, 0, below)) if below or right else x

    def _guarded(self, call: Callable[[Tensor], T], x: Tensor) -> T:
        try:
            return call(x)
        except Exception as error:  # a foreign module raises what it likes
            if is_out_of_memory(error) or isinstance(error, InputError):
                raise
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise InputError(f"{model_name(self)} on images {tuple(x.shape)} raised {reason}") from error


def wrap(
    module: nn.Module,
    tasks: TaskMap,
    *,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    channel_order: ChannelOrder = "RGB",
    value_range: tuple[float, float] = (0.0, 1.0),
    size_multiple: int = 1,
    outputs: Mapping[str, Output | Key] | None = None,
    features: FeatureSource | None = None,
    name: str | None = None,
) -> WrappedModel:
    """`module` as a multi-task model, in eval mode.

    Images, RGB in [0, 1], reach the module in its own `channel_order` and stretched to its `value_range`, as
    (image − mean)/std: `mean` and `std` are given per channel in that order and range. They are padded below and on the
    right to a multiple of `size_multiple`; predictions are cut back. `outputs` says where the module returns a task, as
    an `Output` or its key alone; by default under the task's name. `features` says what the tasks share, for attacks on
    it: a submodule by its dotted name, whose first output counts and ends the pass, or a function of the module (a copy
    of it, when prepared) and the images as the module wants them. `name` is what reports call the model; by default
    that of the module's class. A task may have any key: `{"seg": Segmentation(13)}`.
    InputError for an option that makes no sense, and for a module whose batch norm has no running statistics: its
    predictions of an image would depend on the batch. Warns where normalised images are next to constant or outside
    of what they are meant to be: numbers for images from 0 to 255 on images in [0, 1], or the reverse.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"the module is a {type(module).__name__}, expected an nn.Module")
    _check_tasks(tasks)
    if name is not None and not (isinstance(name, str) and name):
        raise InputError(f"name={name!r}, expected what reports are to call the model, as 'my-net'")
    _check_batch_norms(module)
    _check_input(mean, std, channel_order, value_range, size_multiple)
    warn_of_range(model_name(module), mean, std, value_range, stacklevel=2)
    if features is not None:
        check_source(module, features)
    return WrappedModel(
        module,
        tasks,
        _places(tasks, outputs or {}),
        mean=[float(value) for value in mean],
        std=[float(value) for value in std],
        channel_order=channel_order,
        value_range=(float(value_range[0]), float(value_range[1])),
        size_multiple=size_multiple,
        features=features,
        name=name,
    ).eval()


def are_tasks(tasks: object) -> bool:
    """Whether this is what a model carries as `tasks`: at least one, by name."""
    return isinstance(tasks, Mapping) and bool(tasks) and all(isinstance(task, Task) for task in tasks.values())


def _check_tasks(tasks: object) -> None:
    if not are_tasks(tasks):
        raise InputError(f"tasks={tasks!r}, expected tasks by name like {{'depth': create_task('depth')}}")


def _check_batch_norms(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, _BATCH_NORMS) and part.running_mean is None:
            raise InputError(
                f"{name or 'the module'} is a {type(part).__name__} without running statistics: "
                f"the prediction of an image would depend on its batch"
            )


def _check_input(
    mean: Sequence[float], std: Sequence[float], order: str, span: tuple[float, float], multiple: int
) -> None:
    for name, values in (("mean", mean), ("std", std)):
        if not _are_numbers(values, 3):
            raise InputError(f"{name}={values!r}, expected three finite numbers, one a channel")
    if min(std) <= 0:
        raise InputError(f"std={std!r}, expected positive numbers")
    if order not in get_args(ChannelOrder):
        raise InputError(f"channel_order={order!r}, expected one of {', '.join(get_args(ChannelOrder))}")
    if not _are_numbers(span, 2) or not span[0] < span[1]:
        raise InputError(f"value_range={span!r}, expected (low, high) like (0, 255)")
    if not isinstance(multiple, int) or multiple < 1:
        raise InputError(f"size_multiple={multiple!r}, expected a whole number of at least 1")


def _are_numbers(values: object, count: int) -> bool:
    try:
        return len(values) == count and all(math.isfinite(value) for value in values)  # type: ignore[arg-type,attr-defined]
    except TypeError:
        return False


def _places(tasks: TaskMap, outputs: Mapping[str, Output | Key]) -> dict[str, Output]:
    """One `Output` a task."""
    if not isinstance(outputs, Mapping):
        raise InputError(
            f"outputs={outputs!r}, expected a key by task: {{{', '.join(f'{name!r}: {name!r}' for name in tasks)}}} "
            "where the module returns a mapping, 0, 1, … where it returns a tuple"
        )
    if not set(outputs) <= set(tasks):
        raise InputError(f"outputs are given for {sorted(outputs)}, the tasks are {sorted(tasks)}")
    places = {name: outputs.get(name, Output()) for name in tasks}
    return {name: place if isinstance(place, Output) else Output(place) for name, place in places.items()}
