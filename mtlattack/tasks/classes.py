"""What the tasks share that choose one of several classes, for each pixel or for the image: all but the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.base import Task, check_aligned, check_target, no_valid_pixel
from mtlattack.tasks.contradictions import SUM, Array, Contradiction, miscounted, somewhere
from mtlattack.tasks.doubts import Doubt, best_temperature, doubt_logits
from mtlattack.tasks.goals import Goal, read_classes
from mtlattack.tasks.painting import Painting, class_colours, masked
from mtlattack.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

_MOST_CLASSES = 4096


@dataclass(frozen=True)
class Classes(Task):
    """Cross entropy over `classes` logits; targets are int64 class numbers, `ignore` marks what has no label.

    Statistics are the labelled pixels and, of each class, those that were found (tp), taken for it wrongly (fp) and
    missed (fn).
    """

    target_dtype: ClassVar[str] = "int64"
    scaled: ClassVar[bool] = False
    doubtful: ClassVar[tuple[str, ...]] = ("logit-scale",)
    goal_forms: ClassVar[tuple[str, ...]] = ("1->5", "*->5")
    apart_factor: ClassVar[float] = 100.0
    stored_ignore: ClassVar[int]
    """The class number of a prepared file that means no label."""

    classes: int
    ignore: int

    def __post_init__(self) -> None:
        if not isinstance(self.classes, int) or not 2 <= self.classes <= _MOST_CLASSES:
            raise InputError(f"{self.kind}: classes {self.classes!r}, expected 2 to {_MOST_CLASSES}")
        if not isinstance(self.ignore, int):
            raise InputError(f"{self.kind}: ignore={self.ignore!r}, expected a class number")

    @property
    def channels(self) -> int:
        return self.classes

    @property
    def statistics_names(self) -> tuple[str, ...]:
        counts = (f"{name}_{c}" for name in ("tp", "fp", "fn") for c in range(self.classes))
        return ("pixels", *counts)

    def pixel_losses(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        check_aligned(self, prediction, target)
        values = torch.nn.functional.cross_entropy(prediction, target, ignore_index=self.ignore, reduction="none")
        return self.places(values), self.places(target != self.ignore)

    def similarity(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Cosine of the predicted probabilities and the true class as a unit vector: p_y/‖p‖₂."""
        check_aligned(self, prediction, target)
        probabilities = prediction.softmax(1)
        known = torch.where(target == self.ignore, 0, target).unsqueeze(1)
        return self.places(probabilities.gather(1, known).squeeze(1) / probabilities.square().sum(1).sqrt())

    def statistics(self, prediction: Tensor, target: Tensor) -> Tensor:
        check_aligned(self, prediction, target)
        # As `argmax`, the first of equals; on a CPU in half its time.
        predicted = prediction.max(1).indices
        valid = (target != self.ignore).long()
        actual = target * valid
        hit = (predicted == actual) * valid
        tp = self._count(actual, hit)
        n_predicted, n_actual = self._count(predicted, valid), self._count(actual, valid)
        return torch.cat([n_actual.sum(1, keepdim=True), tp, n_predicted - tp, n_actual - tp], 1).float()

    def _count(self, labels: Tensor, counting: Tensor) -> Tensor:
        """Pixels of each class in each image, `[B, classes]`, where `counting` is 1 and not 0."""
        counts = labels.new_zeros(labels.shape[0], self.classes)
        return counts.scatter_add_(1, self.places(labels).flatten(1), self.places(counting).flatten(1))

    def best_constant(self, targets: Iterable[Tensor]) -> Tensor:
        """Logits 1 for the most frequent class, the first of equals, and 0 for the others."""
        counts, images = torch.zeros(self.classes, dtype=torch.int64), 0
        for target in targets:
            check_target(self, target)
            counts += torch.bincount(target[target != self.ignore], minlength=self.classes).cpu()
            images += len(target)
        if not counts.any():
            raise no_valid_pixel(self, images)
        return torch.nn.functional.one_hot(counts.max(0).indices, self.classes).float()

    def look(self, prediction: Tensor, target: Tensor) -> dict[str, float]:
        """`temperature`: the T for which softmax(z/T) fits the labels best."""
        check_aligned(self, prediction, target)
        known = target != self.ignore
        temperature = best_temperature(prediction.movedim(1, -1)[known], target[known])
        return {} if temperature is None else {"temperature": temperature}

    def doubts(self, seen: Mapping[str, float]) -> list[Doubt]:
        return doubt_logits(self.name, seen["temperature"]) if "temperature" in seen else []

    @classmethod
    def serves(cls, name: str) -> bool:
        """Also of a second one of the same images, which carries its class count in its name (`segmentation40`)."""
        return name.rstrip("0123456789") == cls.kind

    @classmethod
    def from_stored(cls, attributes: Mapping[str, Any]) -> Self:
        """The attribute `classes` holds the names, or their number."""
        classes = attributes.get("classes")
        if classes is None:
            raise InputError("no attribute 'classes'")
        if np.ndim(classes):
            return cls(len(classes), cls.stored_ignore)
        if not isinstance(classes, int | np.integer):
            raise InputError(f"attribute 'classes' is {str(classes)[:60]!r}, expected names or their number")
        return cls(int(classes), cls.stored_ignore)

    def decode(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
        wrong = self._unknown(raw, self.ignore)
        if wrong.size:
            raise InputError(
                f"class {wrong[0]} in a {self.kind} of {counted(self.classes, 'class')} ({self.ignore} = ignore)"
            )
        return torch.from_numpy(np.asarray(raw, np.int64))

    def stored_fault(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> str | None:
        wrong = self._unknown(raw, self.stored_ignore)
        return f"class {wrong[0]}, expected 0 to {self.classes - 1} or {self.stored_ignore}" if wrong.size else None

    def _unknown(self, raw: NDArray[Any], ignore: int) -> NDArray[Any]:
        numbers = np.ravel(raw)
        return numbers[((numbers < 0) | (numbers >= self.classes)) & (numbers != ignore)]

    def fault(self, target: Tensor) -> str | None:
        wrong = target[((target < 0) | (target >= self.classes)) & (target != self.ignore)]
        return f"class {wrong[0]}, expected 0 to {self.classes - 1} or {self.ignore}" if wrong.numel() else None

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        values = torch.where(target == self.ignore, self.stored_ignore, target).numpy()
        fits = self.classes - 1 <= np.iinfo(self.stored_dtype).max and not 0 <= self.stored_ignore < self.classes
        return (values.astype(self.stored_dtype), 1) if fits else None

    def as_label(self, prediction: Tensor) -> Tensor:
        return prediction.argmax(1)

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """A colour a class, with a legend of those that are seen."""
        labels = labels if self.dense else labels.reshape(len(labels), 1, 1)
        palette = class_colours(self.classes)
        names = names or [f"class {number}" for number in range(self.classes)]
        known = labels != self.ignore
        pictures = masked(palette[np.where(known, labels, 0)], known)
        return Painting(pictures, tuple((names[number], tuple(palette[number])) for number in np.unique(labels[known])))

    def divergence(self, prediction: Tensor, reference: Tensor) -> Tensor:
        """KL(reference ‖ prediction) of the softmax, in nats."""
        pair = prediction.log_softmax(1), reference.log_softmax(1)
        return self.places(torch.nn.functional.kl_div(*pair, reduction="none", log_target=True).sum(1))

    def goal_of_kind(self, text: str) -> Goal | None:
        """`1->5`, or `1to5` where a shell would take the arrow: pixels of class 1 become 5, the others have no goal;
        `*->5`: every labelled pixel becomes 5."""
        found = read_classes(self.name, text, self.classes, self.ignore)
        if found is None:
            return None
        before, after = found

        def of(labels: Tensor) -> Tensor:
            # The others are not led to their labels: that so many are wrong already would be mended first.
            return torch.where(labels != self.ignore if before is None else labels == before, after, self.ignore)

        return Goal(text, of)

    def apart(self, labels: Tensor, others: Tensor) -> Tensor:
        """1 where the classes differ."""
        return self.places((labels != others).float())

    def labels_of(self, statistics: Array) -> Array:
        """Valid pixels, then those of each class in the labels, `[N, 1 + classes]`."""
        hits, _, missed = np.split(statistics[:, 1:], 3, axis=1)
        return np.concatenate([statistics[:, :1], hits + missed], 1)

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Counts that do not add up, and a cross entropy that they do not allow.

        A wrong pixel gives its class at most probability ½, and so loses ln 2 or more; one that is right gives it
        1/classes or more.
        """
        pixels, (hits, false, missed) = statistics[:, 0], np.split(statistics[:, 1:], 3, axis=1)
        yield from miscounted(pixels, tp=hits, fp=false, fn=missed)
        yield Contradiction((hits + missed).sum(1) != pixels, "tp + fn of all classes are not the valid pixels")
        yield Contradiction((hits + false).sum(1) != pixels, "tp + fp of all classes are not the valid pixels")
        wrong = np.maximum(pixels - hits.sum(1), 0)
        least = np.log(2) * wrong * (1 - SUM)
        yield Contradiction(losses * pixels < least, "the loss is less than the pixels of a wrong class alone make it")
        most = np.log(hits.shape[1]) * (1 + SUM)
        says = "the loss is more than pixels that all are right can make it"
        yield Contradiction((wrong == 0) & (losses > most), says)

    def constant_contradictions(self, answer: Array, statistics: Array, clean: Array) -> Iterator[Contradiction]:
        """Also counts other than those of one class at every pixel."""
        yield from super().constant_contradictions(answer, statistics, clean)
        pixels, of_class = clean[:, :1], self.labels_of(clean)[:, 1:]
        chosen = np.arange(self.classes) == answer.argmax()
        counts = [np.where(chosen, of_class, 0), np.where(chosen, pixels - of_class, 0), np.where(chosen, 0, of_class)]
        wrong = somewhere(statistics != np.concatenate([pixels, *counts], 1))
        yield Contradiction(wrong, "they are not those of one class at every pixel")

    def constant_fault(self, statistics_sum: Array) -> str | None:
        hits, of_class = statistics_sum[1 : 1 + self.classes].sum(), self.labels_of(statistics_sum[None])[0, 1:]
        if of_class.max() <= hits:
            return None
        return f"its class has {hits:.0f} pixels, the most frequent one {of_class.max():.0f}"
