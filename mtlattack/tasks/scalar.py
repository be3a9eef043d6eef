"""One number an image: how large a room is, how many people are in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlattack.errors import InputError
from mtlattack.lazily import torch
from mtlattack.tasks.contradictions import SUM, Array, Contradiction
from mtlattack.tasks.metric import Metric, divide
from mtlattack.tasks.painting import Painting, paint_scale
from mtlattack.tasks.registry import TASKS
from mtlattack.tasks.regression import Regression

if TYPE_CHECKING:
    from torch import Tensor

_LONGEST_UNIT = 16


@TASKS.register("scalar")
@dataclass(frozen=True)
class Scalar(Regression):
    """L1; predictions `[B, 1]`, targets `[B]` in the same `unit`, a target that is not finite is none.

    Prepared files hold float32, NaN for none. An image without a label counts nowhere.
    """

    kind: ClassVar[str] = "scalar"
    dense: ClassVar[bool] = False
    stored_dtype: ClassVar[str] = "float32"
    scaled: ClassVar[bool] = False

    unit: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.unit, str) and len(self.unit) <= _LONGEST_UNIT and self.unit.isprintable()):
            raise InputError(f"{self.kind}: unit {self.unit!r}, expected at most {_LONGEST_UNIT} printable characters")

    @property
    def metric_table(self) -> tuple[Metric, ...]:  # type: ignore[override]
        return Metric("abs_error", self.unit, False), Metric("rmse", self.unit, False)

    @property
    def statistics_names(self) -> tuple[str, ...]:
        return ("pixels", "abs_sum", "square_sum")

    def metrics(self, statistics_sum: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float64]]:
        images, absolute, square = np.moveaxis(np.asarray(statistics_sum, np.float64), -1, 0)
        return {"abs_error": divide(absolute, images), "rmse": np.sqrt(divide(square, images))}

    def contradictions(self, statistics: Array, losses: Array) -> Iterator[Contradiction]:
        """Also more than one label an image, and a square that is none."""
        yield from super().contradictions(statistics, losses)
        images, absolute, square = statistics.T
        yield Contradiction((images != 0) & (images != 1), "an image has another number of labels than 0 or 1")
        wrong = ~np.isclose(square, absolute**2, rtol=SUM, atol=1e-37)
        yield Contradiction(wrong, "square_sum is not the square of abs_sum, the error of one image")

    def _more_columns(self, prediction: Tensor, target: Tensor, error: Tensor) -> list[Tensor]:
        return [error.square()]

    def paint(self, labels: NDArray[Any], names: Sequence[str] = ()) -> Painting:
        """A picture of a pixel each; its colours begin at the least value, which may be negative."""
        values = labels.reshape(-1, 1, 1)
        return paint_scale(values, np.isfinite(values), "magma", self.unit)

    def decode(self, raw: NDArray[Any], attributes: Mapping[str, Any]) -> Tensor:
        return torch.from_numpy(np.array(raw, np.float32))

    def fault(self, target: Tensor) -> str | None:
        wrong = target[target.isinf()]
        return f"the value {wrong[0]}, expected finite numbers, or NaN for none" if wrong.numel() else None

    def as_stored(self, target: Tensor) -> tuple[NDArray[Any], float] | None:
        return target.numpy().astype(self.stored_dtype), 1

    def encode(self, values: NDArray[np.float64], valid: NDArray[np.bool_], step: float) -> NDArray[Any]:
        """As they are: `step` is of no account."""
        return np.where(valid, values, np.nan).astype(np.float32)
