"""What searching in bfloat16 costs in strength: two runs on the same images, compared image by image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.change import Change, measure_change, weighted_metrics
from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval, number
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.errors import InputError
from mtlattack.evidence import NUMERIC, Evidence, differing, parts_of

# Per cent of the float32 value: the strength is kept where the whole interval lies within.
GOAL = 1.0
# Key of a measure of strength in the JSON file, an attribute of `Change`, and its name for people.
MEASURES = {"log_ratio": "mean log loss ratio", "loss_change": "mean relative loss change"}

Row = dict[str, Any]


def compare(name: str, float32: Evidence, bfloat16: Evidence) -> Row:
    """A subject's row: by attack each measure of strength at both precisions, their difference, and the time.

    InputError if versions, threads or images differ: then so may the numbers, for other reasons.
    """
    other = differing([part for run in (float32, bfloat16) for part in parts_of(run.environment, run.plan)])
    if other or float32.plan["data"] != bfloat16.plan["data"]:
        named = ", ".join(other) or "data"
        raise InputError(f"{name}: float32 and bfloat16 were run with other {named}; run one of them again")
    weights = resampling_weights(len(float32.ids), RESAMPLES, BOOTSTRAP_SEED)
    changes = [_changes(evidence, weights) for evidence in (float32, bfloat16)]
    attacks = []
    for index, planned in enumerate(float32.plan["attacks"]):
        in_float32, in_bfloat16 = (change[index] for change in changes)
        seconds = [float(evidence.attacked[index].seconds.sum()) for evidence in (float32, bfloat16)]
        attacks.append(
            {
                "config": planned["config"],
                **{key: _difference(getattr(in_float32, key), getattr(in_bfloat16, key)) for key in MEASURES},
                "seconds": dict(zip(("float32", "bfloat16"), seconds, strict=True)),
                "time_ratio": seconds[0] / seconds[1],
            }
        )
    return {
        "name": name,
        "model": float32.plan["model"],
        "data": float32.plan["data"],
        "sign_agreement": bfloat16.environment["sign_agreement"],
        "batch_size": float32.plan["batch_size"],
        "bootstrap": {"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        "environment": {key: float32.environment[key] for key in NUMERIC},
        "attacks": attacks,
    }


def within_goal(measured: dict[str, Any]) -> bool:
    """Whether the whole interval of a relative difference lies within the goal; an undefined one does not."""
    difference = measured["difference_percent"]
    return difference["low"] is not None and -GOAL <= difference["low"] and difference["high"] <= GOAL


def _changes(evidence: Evidence, weights: NDArray[np.float64]) -> list[Change]:
    clean = weighted_metrics(evidence.clean.statistics, evidence.tasks, weights)
    return [measure_change(evidence.clean, clean, outcome, evidence.tasks, weights) for outcome in evidence.attacked]


def _difference(float32: NDArray[np.float64], bfloat16: NDArray[np.float64]) -> dict[str, Any]:
    """Both values, and 100·(bfloat16 − float32)/|float32| with its 95 % interval; `[1 + resamples]` each.

    Paired: a resample draws the same images from both runs. The images as they are stand first.
    """
    percent = np.full(len(float32), np.nan)
    np.divide(100 * (bfloat16 - float32), np.abs(float32), out=percent, where=float32 != 0)
    return {
        "float32": number(float32[0]),
        "bfloat16": number(bfloat16[0]),
        "difference_percent": interval(percent).model_dump(),
    }
