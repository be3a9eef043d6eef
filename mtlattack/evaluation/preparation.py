"""The two roles of a model in a run: one searches, the other judges; both are private copies of it."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from torch import nn

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.data import Batch
from mtlattack.devices import is_out_of_memory, multiplies_bfloat16
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.model import Model
from mtlattack.models import PreparedModel, lower_precision, prepare_for_attack

Precision = Literal["float32", "bfloat16", "auto"]
# Share of equal gradient signs below which attacks in bfloat16 are known to lose strength (trained networks: 95 %).
_LEAST_AGREEMENT = 0.9


@dataclass(frozen=True)
class Preparation:
    """`judge` computes in float32 and gives every number; `search` gives gradients, and may be the same.

    `description` holds what can change a number; `sign_agreement` is that of the two models' gradients, if measured.
    """

    judge: Model
    search: Model
    description: dict[str, Any]
    sign_agreement: float | None = None

    @property
    def low(self) -> bool:
        """Whether the search has a precision of its own."""
        return self.search is not self.judge


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
        reason = " ".join(str(error).split())
        raise InputError(f"{type(model).__name__} cannot compute in bfloat16: {reason}") from error
    if agreement < _LEAST_AGREEMENT:
        if precision == "auto":
            return replace(float32, sign_agreement=agreement)
        warnings.warn(f"only {agreement:.0%} of gradient signs agree between bfloat16 and float32", stacklevel=2)
    return Preparation(judge, search, description | {"search": "bfloat16"}, agreement)


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
