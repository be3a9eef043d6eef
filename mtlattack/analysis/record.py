"""The record: what a run says of itself, recomputed from the evidence; its schema is the documentation."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtlattack.errors import InputError
from mtlattack.files import write_whole
from mtlattack.schemas import first_problem

FORMAT = "mtlattack-record"
FORMAT_VERSION = 3


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Part):
    """A number measured on the images as they are, with its 95 % bootstrap interval over images."""

    value: float | None = Field(description="null where it is undefined")
    low: float | None
    high: float | None


Metrics = dict[str, dict[str, float | None]]
Intervals = dict[str, dict[str, Interval]]


class Skill(_Part):
    """How much better than the best constant answer the predictions are: 1 perfect, 0 no better than a constant."""

    tasks: dict[str, Interval] = Field(description="by the task's headline metric; below 0 where a constant is better")
    mean: Interval = Field(description="over tasks of max(0, skill)")
    worst: Interval = Field(description="the least over tasks of max(0, skill)")
    worst_task: str | None = Field(description="which that is; null where no task has a defined skill")


class RobustSkill(_Part):
    """The skill that the attack leaves which leaves the least, in one threat."""

    norm: str
    eps: float = Field(description="in image units: pixels are in [0, 1]")
    quantized: bool
    attack: str
    skill: Skill


class GoalResult(_Part):
    """How far an attack with a target has led one task; distances in `unit`, of a segmentation per cent of pixels."""

    target: str = Field(description="what the labels were to become: `1->5`, `x1.5`, `y30`, or `keep`")
    unit: str
    before: Interval = Field(description="mean distance of clean predictions to the goal, where that is not the label")
    after: Interval = Field(description="the same of the prediction under attack")
    gone: Interval = Field(description="share of the way: 1 − after/before")
    moved: Interval = Field(description="mean change of the prediction on the other labelled pixels")
    loss_before: Interval = Field(description="mean loss to the goal on the clean images")
    loss_after: Interval


class AttackResult(_Part):
    """What one attack at one ε did."""

    name: str
    norm: str
    eps: float = Field(description="in image units: pixels are in [0, 1]")
    config: dict[str, Any] = Field(description="everything that makes the attack, defaults spelled out")
    forward_passes: int | None = Field(description="for each image; null where nobody knows")
    backward_passes: int | None = Field(description="for each image; null where nobody knows")
    metrics: Metrics = Field(description="by task and metric")
    intervals: Intervals = Field(default_factory=dict, description="of the metrics, in the same units")
    skill: Skill | None = Field(None, description="null for evidence without a constant answer: format 2 and before")
    relative: Metrics = Field(description="(value − clean)/|clean|, negative is worse")
    task_change: dict[str, float | None] = Field(description="mean relative change over a task's metrics")
    arp: Interval = Field(description="average relative performance: mean of task_change")
    loss_change: Interval = Field(description="mean relative loss change over images and tasks")
    log_ratio: Interval = Field(description="mean log loss ratio over images and tasks")
    worst: Interval = Field(description="the lowest task_change")
    worst_task: str
    max_linf: float = Field(description="largest l_inf norm of a perturbation that occurred")
    max_l2: float = Field(description="largest l_2 norm of a perturbation that occurred")
    max_l1: float | None = Field(None, description="largest l_1 norm of a perturbation that occurred")
    max_pixels: int | None = Field(None, description="most pixels that changed in an image")
    gap: float | None = Field(
        None, description="mean over images of the largest certified gap of a step's program; null if it solves none"
    )
    found: float | None = Field(
        None, description="share of the images for which a perturbation that was looked for was found; null if none was"
    )
    goals: dict[str, GoalResult] | None = Field(None, description="by task, of an attack with a target")
    seconds: float = Field(description="attacking and measuring all images")
    members: dict[str, dict[str, float | None]] | None = Field(
        default=None,
        description="of an ensemble: by member the share of the images on which it was chosen, by task and `joint`; "
        "arp, loss_change and log_ratio are of the joint choice, mean skill of the member that leaves the least of an "
        "image, all else of the choice for each task",
    )


class Flag(_Part):
    """A reason not to trust a number; what each means, and what to do, stands in mtlattack/README.md."""

    name: str
    attack: str | None = Field(description="and its threat; null if it is about the model")
    seen: str = Field(description="in one sentence")


class Record(_Part):
    """One run: what was attacked, with what, on what, and the results."""

    format: Literal["mtlattack-record"] = "mtlattack-record"
    # Version 1 knew neither flags, gaps nor the norms l_1 and l_0; version 2 no skill and no intervals of metrics.
    format_version: Literal[1, 2, 3] = 3
    suite: dict[str, Any] | None = Field(description="name and version; null for a run outside a suite")
    model: dict[str, Any] = Field(description="name, SHA-256 of the weights, number of parameters")
    data: dict[str, Any] = Field(description="name, split, images, SHA-256 of ids, images and labels")
    tasks: list[dict[str, Any]]
    seed: int
    batch_size: int
    search_precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the gradients that attacks follow; every number is computed in float32"
    )
    judged: dict[str, Any] | None = Field(
        None, description="of images that were given: the model they say they were made on; null for a run of its own"
    )
    bootstrap: dict[str, int] = Field(description="resamples and seed of the intervals")
    environment: dict[str, Any] = Field(description="versions, device, dtype, threads, command, time of start")
    clean: Metrics
    clean_intervals: Intervals = Field(default_factory=dict, description="of the clean metrics")
    clean_losses: dict[str, float | None] = Field(description="mean loss by task")
    clean_skill: Skill | None = Field(None, description="without attack; null as for an attack")
    robust_skill: list[RobustSkill] = Field(default_factory=list, description="one a threat, in the attacks' order")
    attacks: list[AttackResult]
    flags: list[Flag] = Field(default_factory=list, description="reasons not to trust a number")
    checked: list[str] = Field(default_factory=list, description="flags that could be looked for in this run")


def write_record(path: Path, record: Record) -> None:
    """Write a record, whole or not at all; an OSError names the file."""
    write_whole(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path) -> Record:
    """The record that a file holds; InputError for one that cannot be read."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path} ({error})") from None
    except ValidationError as error:
        raise InputError(f"{path} is damaged or no record ({first_problem(error)})") from None
