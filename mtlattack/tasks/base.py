"""What a task is: a loss per image, additive statistics, metrics of their sums, and all else known of its kind."""

from __future__ import annotations

import copy
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.files import json_value
from mtlattack.lazily import torch
from mtlattack.tasks.contradictions import SUM, Array, Contradiction, somewhere
from mtlattack.tasks.doubts import Doubt
from mtlattack.tasks.goals import KEEP, Goal, kept
from mtlattack.tasks.metric import Metric
from mtlattack.tasks.painting import Painting, paint_scale
from mtlattack.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

# A loss below this counts as this where losses are compared: without valid pixels it is 0, and 1/0 would poison sums.
LOSS_FLOOR = 1e-8
# What stands in names of attacks (`single:NAME+dlr`), in targets (`NAME:keep`) and in files without being parsed there.
_NAME = re.compile(r"\w[\w-]{0,99}")


@dataclass(frozen=True)
class Task(ABC):
    """One thing predicted from an image.

    A `dense` task predicts `[B, channels, H, W]`, aligned with its labels `[B, *target_channels, H, W]`; one of the
    whole image `[B, channels]`, of labels `[B, *target_channels]`. What is said of pixels is then said of places: one
    an image, `[B, 1, 1]`, or as many as there are labels that may be missing one by one (`places`).

    Losses are means over the valid pixels of each image, and 0 (with zero gradient) for an image that has none.

    `statistics` are additive: summed over any set of images they give every metric of that set, so subsets, shards,
    batch sizes and bootstrap resamples need no second pass. Column 0 is always the number of valid pixels.

    All that is known of a kind of task is here: of one that says nothing else, a label is a number a pixel, or several.
    Fields of a kind, if it has any, are those of a frozen data class, and plain JSON.
    """

    kind: ClassVar[str]
    metric_table: ClassVar[tuple[Metric, ...]]
    dense: ClassVar[bool] = True
    """Whether there is a label a pixel; otherwise one an image."""
    target_channels: ClassVar[tuple[int, ...]] = ()
    stored_dtype: ClassVar[str] = "uint16"
    """Of the label in a prepared file, `[N, H, W, *target_channels]`, or `[N, *target_channels]` of whole images."""
    target_dtype: ClassVar[str] = "float32"
    """Of the target, as torch calls it: `int64` where its numbers are classes."""
    _name: ClassVar[str | None] = None
    always_reached: ClassVar[float] = inf
    """An error, by the headline metric, that some constant answer does not exceed on any labels."""
    scaled: ClassVar[bool] = True
    """Whether a stored label needs the attribute `scale`: what its number 1 means in the task's unit."""
    doubtful: ClassVar[tuple[str, ...]] = ()
    """The flags that `doubts` can raise."""
    goal_forms: ClassVar[tuple[str, ...]] = ()
    """How the goals of a targeted attack are written that this kind has, beside `keep`."""
    apart_factor: ClassVar[float] = 1.0
    """What a mean of `apart` is multiplied by to be in the unit of the first metric."""

    @property
    def name(self) -> str:
        """Key of this task in predictions, targets and evidence: its kind, unless it is called otherwise."""
        return self._name or self.kind

    def called(self, name: str) -> Self:
        """This task, equal to what it was, under a name of its own: a network may predict two of a kind.

        InputError for a name that is not made of letters, digits, `_` and `-`.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"a task cannot be called {name!r}, expected letters, digits, '_' and '-' inside")
        if name == self.name:
            return self
        twin = copy.copy(self)
        object.__setattr__(twin, "_name", name)  # Its class may be frozen.
        return twin

    @property
    def short_title(self) -> str:
        """The name where columns are narrow."""
        return self.name

    @property
    def heading(self) -> str:
        """What a narrow column is headed with: the short title, or the name that somebody gave it."""
        return self.short_title if self.name == self.kind else self.name

    @property
    def headline(self) -> str:
        """Name of the metric that stands for the task where there is room for one: by default the first."""
        return self.metric_table[0].name

    @property
    def headline_metric(self) -> Metric:
        """The metric that `headline` names."""
        return next(metric for metric in self.metric_table if metric.name == self.headline)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Output channels of a head for this task."""

    def prediction_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Of a prediction for one image of this (height, width)."""
        return (self.channels, *size) if self.dense else (self.channels,)

    def stored_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Of the label of one image of this (height, width) in a prepared file."""
        return (*size, *self.target_channels) if self.dense else self.target_channels

    def places(self, values: Tensor) -> Tensor:
        """One number a label, `[B, H, W]`: as they are, or of whole images `[B]`, `[B, n]` as columns `[B, n, 1]`."""
        return values if self.dense else values.reshape(len(values), -1, 1)

    def spread(self, answer: Tensor, target: Tensor) -> Tensor:
        """The constant `answer` `[channels]` as a prediction for each of these labels."""
        constant = answer[None, :, None, None] if self.dense else answer[None]
        return constant.expand(len(target), -1, *(target.shape[-2:] if self.dense else ()))

    @property
    @abstractmethod
    def statistics_names(self) -> tuple[str, ...]:
        """Names of the S columns of `statistics`."""

    @abstractmethod
    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Differentiable loss of each of `places` and whether it counts, `[B, H, W]` both; finite where it counts."""

    @abstractmethod
    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """How alike both are at each pixel, `[B, H, W]` in [0, 1], 1 where they agree; no account on invalid pixels."""

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Differentiable loss per image, `[B]`, non-negative: the mean of the pixel losses that count."""
        return masked_mean(*self.pixel_losses(prediction, target))

    @abstractmethod
    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Additive statistics per image, `[B, S]` float32 (counts stay exact below 2²⁴ pixels an image)."""

    @abstractmethod
    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        """Metrics from summed statistics `[..., S]`, each `[...]`; NaN where no valid pixel was seen."""

    @abstractmethod
    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """The one prediction `[channels]`, float32, the same at every place, that is best for the headline metric.

        `targets` are batches of labels; what is kept of them grows with the number of distinct values alone, and the
        answer does not depend on how they are cut into batches. Raises InputError if no pixel of them is valid.
        """

    def constants(self, target: Tensor) -> Tensor:
        """Of a dense task: for each image the answer, the same at every pixel, with the least loss on its own labels,
        `[B, channels]` float32 on their device; any for an image without valid pixels.

        By default what is best for the headline metric instead, found on the host.
        """
        unknown = torch.zeros(self.channels)
        found = [self.best_constant([own]) if self._is_known(own) else unknown for own in target.split(1)]
        return torch.stack(found).to(target.device)

    def _is_known(self, target: Tensor) -> bool:
        """Whether any pixel of these labels is valid."""
        answer = self.spread(torch.ones(self.channels, device=target.device), target)
        return bool((self.statistics(answer, target)[:, 0] > 0).any())

    def skill(self, value: ArrayLike, constant: ArrayLike) -> NDArray[np.float64]:
        """Skill of a value of the headline metric, given that of the best constant answer (`Metric.skill`)."""
        return self.headline_metric.skill(value, constant)

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """What `doubts` judges, from predictions and labels of the first images: numbers, none if there is no hint."""
        return {}

    def doubts(self, seen: Mapping[str, float]) -> list[Doubt]:
        """Flags of `doubtful`, each with a sentence, that what `look` has seen raises: labels in another scale."""
        return []

    @classmethod
    def serves(cls, name: str) -> bool:
        """Whether a label of this name in a prepared file is one of this kind."""
        return name == cls.kind

    def stored_options(self) -> dict[str, str]:
        """Attributes of a stored label by which `from_stored` makes this task again."""
        options = {name: value for name, value in self.config().items() if name not in ("kind", "name")}
        return {"options": json.dumps(options)} if options else {}

    @classmethod
    def from_stored(cls, attributes: Mapping[str, Any]) -> Self:
        """The task of a stored label with these attributes; InputError if they lack what it needs."""
        try:
            return cls(**json_value(attributes.get("options", "{}")))
        except (TypeError, ValueError) as error:
            raise InputError(f"options that make no {cls.kind} ({error})") from None

    def decode(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
        """A stored label of one image (`stored_shape`) as target: float32 in the task's unit, int64 classes.

        A number that the attribute `invalid` names is NaN, unless it is 0: 0 is no depth as it stands. InputError for
        a label without the `scale` that it needs, and for a class number that the task does not have.
        """
        if "scale" not in attributes:
            raise InputError(f"{self.name} has no attribute 'scale'")
        values = raw.astype(np.float32) * np.float32(attributes["scale"])
        if attributes.get("invalid"):
            values[raw == attributes["invalid"]] = np.nan
        return torch.from_numpy(values.transpose(2, 0, 1) if self.dense and self.target_channels else values)

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        """What is wrong with the numbers of a stored label of one image, if anything."""
        return None

    def fault(self, target: Tensor) -> str | None:
        """What is wrong with the numbers of targets `[…, *target_channels, H, W]`, if anything: one that is wrong and
        what was expected. Stricter than `loss`, which takes for no label what cannot be one."""
        return None

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        """The target of one image as a prepared file has it by default, `[H, W, *target_channels]`, and its `scale`;
        None if that would lose something."""
        return None

    def as_label(self, prediction: Tensor) -> Tensor:
        """A prediction in the form of the target."""
        return prediction if self.target_channels else prediction[:, 0]

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """Labels `[N, *target_channels, H, W]` as pictures; `names` are those of the classes, if it has any.

        Those of whole images become a picture of a pixel, or of one a label.
        """
        values = labels.mean(1) if self.target_channels else labels
        values = values if self.dense else values.reshape(len(values), 1, 1)
        return paint_scale(values, np.isfinite(values), "magma", start=0.0)

    def mirrored(self, label: Tensor) -> Tensor:
        """The label `[*target_channels, H, W]` of the image flipped left to right; that of a whole image stays."""
        return label.flip(-1) if self.dense else label

    def zoomed(self, label: Tensor, factor: float) -> Tensor:
        """What a label says of things that look `factor` times nearer; as it was, unless it is of distances."""
        return label

    def divergence(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """How far apart two predictions are at each pixel, `[B, H, W]`; non-negative, 0 where they are equal."""
        return self.places((prediction - reference).abs().mean(1))

    def goal(self, text: str) -> Goal:
        """What a targeted attack leads predictions to: `keep` (the labels), or of the `goal_forms`.

        UnknownNameError for what is written otherwise, InputError for a number that is out of range.
        """
        found = Goal(text, kept) if text == KEEP else self.goal_of_kind(text)
        if found is None:
            raise UnknownNameError(f"target of {self.name}", text, (KEEP, *self.goal_forms))
        return found

    def goal_of_kind(self, text: str) -> Goal | None:
        """A goal that only this kind of task has; None if there is none that is written so."""
        return None

    def apart(self, labels: Tensor, others: Tensor) -> Tensor:
        """How far apart two answers in the form of labels are, `[B, H, W]`, in the unit of the first metric over
        `apart_factor`; no account where one of them is invalid."""
        difference = (labels - others).abs()
        return self.places(difference.mean(1) if self.target_channels else difference)

    def labels_of(self, statistics: Array) -> Array:
        """Of statistics `[N, S]` what depends on the labels alone, `[N, K]`, whatever was predicted."""
        return statistics[:, :1]

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """What in statistics `[N, S]` and losses `[N]` of one attack excludes each other, whatever was predicted."""
        return iter(())

    def constant_contradictions(self, answer: Array, statistics: Array, clean: Array) -> Iterator[Contradiction]:
        """What statistics `[N, S]` of the constant `answer` `[channels]` cannot be, beside those of a run, `clean`."""
        says = "what depends on the labels alone is not as in the clean run"
        yield Contradiction(somewhere(self.labels_of(statistics) != self.labels_of(clean)), says)
        something = (statistics[:, 0] == 0) & somewhere(statistics != 0)
        yield Contradiction(something, "there is something without valid pixels")
        yield from self.contradictions(statistics, self.constant_losses(statistics))

    def constant_losses(self, statistics: Array) -> Array:
        """Losses `[N]` of a constant answer as they follow from its statistics `[N, S]`; NaN where they do not."""
        return np.full(len(statistics), np.nan)

    def constant_fault(self, statistics_sum: Array) -> str | None:
        """Why a constant answer with these summed statistics `[S]` is not the best, if one can tell without labels."""
        value = float(self.metrics(statistics_sum)[self.headline])
        if not value > self.always_reached * (1 + SUM):
            return None
        return f"{self.headline} {value:.4g}, some constant has at most {self.always_reached:g}"

    def config(self) -> dict[str, Any]:
        """What `task_from_config` needs to make this task again; plain JSON types."""
        named = {} if self.name == self.kind else {"name": self.name}
        return {"kind": self.kind, **asdict(self), **named}  # type: ignore[call-overload]


def check_aligned(task: Task, prediction: Tensor, target: Tensor) -> None:
    """Refuse a target as `check_target` does, and a prediction that is not `[B, *prediction_shape]`."""
    check_target(task, target)
    height, width = target.shape[-2:] if task.dense else (1, 1)
    expected = (len(target), *task.prediction_shape((height, width)))
    if tuple(prediction.shape) != expected:
        raise InputError(f"{task.name}: prediction has shape {tuple(prediction.shape)}, expected {expected}")


def check_target(task: Task, target: Tensor) -> None:
    """Refuse a target that is not `[B, *target_channels, H, W]`, or of whole images `[B, *target_channels]`."""
    wanted = ("B", *task.target_channels, *(("H", "W") if task.dense else ()))
    channels = tuple(target.shape[1:-2] if task.dense else target.shape[1:])
    if target.ndim != len(wanted) or channels != task.target_channels:
        shape = ", ".join(map(str, wanted)) + ("," if len(wanted) == 1 else "")
        raise InputError(f"{task.name}: target has shape {tuple(target.shape)}, expected ({shape})")


def no_valid_pixel(task: Task, images: int) -> InputError:
    """The error of a task whose labels say nothing about any of so many images."""
    return InputError(
        f"{task.name}: none of the {counted(images, 'image')} has a valid pixel, expected labels or to leave it out"
    )


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of `values` `[B, H, W]` over each image's valid pixels, `[B]`; 0 where an image has none."""
    return sum_of_image(torch.where(valid, values, 0.0)) / valid.sum((1, 2)).clamp_min(1)


def sum_of_image(values: Tensor) -> Tensor:
    """Sum over each image of `[B, H, W]`, `[B]`, the same whatever else is in the batch."""
    # By row first: the sum over a lone image, and over that alone, would be split over the threads.
    return values.sum(2).sum(1)


def is_finite(values: Tensor) -> Tensor:
    """As `torch.isfinite`, by arithmetic on floats, which takes a CPU a quarter of the time."""
    return (values * 0.0).eq_(0).bool()


TaskMap = Mapping[str, Task]
