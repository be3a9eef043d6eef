"""Multi-label classification: which of several things are true of an image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task, check_aligned, check_target, is_finite, no_valid_pixel
from mtlattack.tasks.contradictions import SUM, Array, Contradiction, miscounted, somewhere
from mtlattack.tasks.doubts import Doubt, best_temperature, doubt_logits
from mtlattack.tasks.goals import Goal
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.painting import INVALID, Painting
from mtlattack.tasks.registry import TASKS

if TYPE_CHECKING:
    from torch import Tensor

NO_LABEL = -1
_MOST_LABELS = 4096
_COLOURS = {"absent": (0.20, 0.25, 0.45), "present": (0.95, 0.70, 0.20)}
_BECOMES = re.compile(r"([+-])(\d+)")


@TASKS.register("multilabel")
@dataclass(frozen=True)
class MultiLabel(Task):
    """Binary cross entropy, the mean over the known ones of `labels` answers; predictions are logits `[B, labels]`.

    Targets are float32 `[B, labels]`: 1 present, 0 absent, and what is negative or not finite is not known of this
    image. A label is predicted present where its logit is above 0. `f1` averages 2·tp/(2·tp + fp + fn) over the labels
    that occur; `label_accuracy` is the share of all answers that are right. "Present" gives every label that occurs
    more F1 than "absent", which has 0: so it is the best constant, and "absent" for those that do not occur.
    """

    kind: ClassVar[str] = "multilabel"
    dense: ClassVar[bool] = False
    scaled: ClassVar[bool] = False
    stored_dtype: ClassVar[str] = "int8"
    doubtful: ClassVar[tuple[str, ...]] = ("logit-scale",)
    goal_forms: ClassVar[tuple[str, ...]] = ("+5", "-5")
    apart_factor: ClassVar[float] = 100.0
    metric_table: ClassVar[tuple[Metric, ...]] = (
        Metric("f1", "%", True, 100.0),
        Metric("label_accuracy", "%", True, 100.0),
    )

    labels: int

    def __post_init__(self) -> None:
        if not isinstance(self.labels, int) or not 1 <= self.labels <= _MOST_LABELS:
            raise InputError(f"{self.kind}: {self.labels!r} labels, expected 1 to {_MOST_LABELS}")

    @property
    def target_channels(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.labels,)

    @property
    def short_title(self) -> str:
        return "labels"

    @property
    def channels(self) -> int:
        return self.labels

    @property
    def statistics_names(self) -> tuple[str, ...]:
        counts = (f"{name}_{c}" for name in ("tp", "fp", "fn", "tn") for c in range(self.labels))
        return ("pixels", *counts)

    def valid(self, target: Tensor) -> Tensor:
        """Which labels are known, bool `[B, labels]`."""
        return is_finite(target) & (target >= 0)

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """A label is a place: `[B, labels, 1]` both."""
        check_aligned(self, prediction, target)
        valid = self.valid(target)
        wanted = torch.where(valid, target, 0).to(prediction.dtype)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(prediction, wanted, reduction="none")
        return self.places(losses), self.places(valid)

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Cosine of (p, 1 − p) and the truth as (1, 0) or (0, 1), p the predicted probability."""
        check_aligned(self, prediction, target)
        present, absent = prediction.sigmoid(), (-prediction).sigmoid()
        right = torch.where(target > 0.5, present, absent)
        return self.places(right / (present.square() + absent.square()).sqrt())

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        said, true, valid = prediction > 0, target > 0.5, self.valid(target)
        counts = (said & true, said & ~true, ~said & true, ~said & ~true)
        return torch.cat([valid.sum(1, keepdim=True), *(count & valid for count in counts)], 1).float()

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        sums = np.asarray(statistics_sum, np.float64)
        known, (tp, fp, fn, tn) = sums[..., 0], np.split(sums[..., 1:], 4, axis=-1)
        occurs = tp + fn > 0
        f1 = np.where(occurs, divide(2 * tp, 2 * tp + fp + fn), 0.0)
        accuracy = divide((tp + tn).sum(-1), known)
        return {"f1": 100 * divide(f1.sum(-1), occurs.sum(-1)), "label_accuracy": 100 * accuracy}

    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """Logits 1 for the labels that occur, −1 for the others."""
        occurs, known, images = torch.zeros(self.labels, dtype=torch.bool), False, 0
        for target in targets:
            check_target(self, target)
            occurs |= (target > 0.5).any(0).cpu()
            known |= bool(self.valid(target).any())
            images += len(target)
        if not known:
            raise no_valid_pixel(self, images)
        return torch.where(occurs, 1.0, -1.0)

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """`temperature`: the T for which the sigmoid of z/T fits the labels best."""
        check_aligned(self, prediction, target)
        valid = self.valid(target)
        logits = prediction.detach()[valid]
        # A sigmoid is the softmax of (0, z).
        temperature = best_temperature(torch.stack([torch.zeros_like(logits), logits], 1), target[valid].long())
        return {} if temperature is None else {"temperature": temperature}

    def doubts(self, seen: Mapping[str, float]) -> list[Doubt]:
        return doubt_logits(self.name, seen["temperature"]) if "temperature" in seen else []

    @classmethod
    def from_stored(cls, attributes: Mapping[str, Any]) -> Self:
        """The attribute `classes` holds the labels' names, or their number."""
        labels = attributes.get("classes")
        if labels is None:
            raise InputError("no attribute 'classes'")
        return cls(len(labels) if np.ndim(labels) else int(labels))

    def decode(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
        fault = self.stored_fault(raw, attributes)
        if fault:
            raise InputError(f"{self.name}: {fault}")
        return torch.from_numpy(np.where(raw == NO_LABEL, np.nan, raw).astype(np.float32))

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        wrong = raw[(raw != 0) & (raw != 1) & (raw != NO_LABEL)]
        return f"the label {wrong[0]}, expected 0, 1 or {NO_LABEL}" if wrong.size else None

    def fault(self, target: Tensor) -> str | None:
        wrong = target[(target > 0) & (target != 1)]
        return f"the label {wrong[0]:g}, expected 1 or 0, or -1 or NaN for unknown" if wrong.numel() else None

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        return torch.where(self.valid(target), target, NO_LABEL).numpy().astype(self.stored_dtype), 1

    def as_label(self, prediction: Tensor) -> Tensor:
        return (prediction > 0).float()

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """A stripe a label, from the top."""
        colours = np.array([*_COLOURS.values(), INVALID])
        kind = np.where(np.isfinite(labels) & (labels >= 0), labels > 0.5, len(_COLOURS)).astype(int)
        return Painting(colours[kind][:, :, None], tuple((name, colour) for name, colour in _COLOURS.items()))

    def divergence(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """KL(reference ‖ prediction) of each label's probabilities, in nats."""
        pairs = ((logits.unsqueeze(-1) * logits.new_tensor([1, -1])) for logits in (prediction, reference))
        said, was = (torch.nn.functional.logsigmoid(pair) for pair in pairs)
        return self.places(torch.nn.functional.kl_div(said, was, reduction="none", log_target=True).sum(-1))

    def goal_of_kind(self, text: str) -> Goal | None:
        """`+5`: label 5 becomes present, `-5`: absent, wherever it is known; the others have no goal."""
        found = _BECOMES.fullmatch(text)
        if found is None:
            return None
        number = int(found[2])
        if not number < self.labels:
            raise InputError(f"{self.name}: label {number} of the target {text!r}, expected 0 to {self.labels - 1}")

        def of(labels: Tensor) -> Tensor:
            wanted = torch.full_like(labels, torch.nan)
            wanted[:, number] = torch.where(self.valid(labels)[:, number], float(found[1] == "+"), torch.nan)
            return wanted

        return Goal(text, of)

    def apart(self, labels: Tensor, others: Tensor) -> Tensor:
        """1 where a label is present in one of both alone."""
        return self.places((labels != others).float())

    def labels_of(self, statistics: Array) -> Array:
        """Known labels, then whether each is known present, and absent, `[N, 1 + 2·labels]`."""
        tp, fp, fn, tn = np.split(statistics[:, 1:], 4, axis=1)
        return np.concatenate([statistics[:, :1], tp + fn, fp + tn], 1)

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Counts that do not add up, and a cross entropy that they do not allow: a wrong answer loses ln 2 or more, one
        that is right ln 2 or less."""
        known, counts = statistics[:, 0], np.split(statistics[:, 1:], 4, axis=1)
        yield from miscounted(known, **dict(zip(("tp", "fp", "fn", "tn"), counts, strict=True)))
        yield Contradiction(somewhere(np.add.reduce(counts) > 1), "an answer counts more than once")
        yield Contradiction(statistics[:, 1:].sum(1) != known, "the counts of all labels are not the known ones")
        wrong = (counts[1] + counts[2]).sum(1)
        says = "the loss is less than the wrong labels alone make it"
        yield Contradiction(losses * known < np.log(2) * wrong * (1 - SUM), says)
        says = "the loss is more than labels that all are right can make it"
        yield Contradiction((wrong == 0) & (losses > np.log(2) * (1 + SUM)), says)

    def constant_fault(self, statistics_sum: Array) -> str | None:
        missed = np.split(statistics_sum[1:], 4)[2]
        return f"it leaves out the label {missed.argmax()}, which occurs" if missed.any() else None
