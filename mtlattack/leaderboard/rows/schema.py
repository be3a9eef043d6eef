"""A row of the leaderboard: its schema is the documentation, published as JSON Schema beside the rows."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, Field

from mtlattack.analysis import record

SCHEMA_VERSION = 1
ID = "^[0-9a-f]{16}$"

# Names become files and folders: no separators, no leading dot, nothing that a shell or a page would read otherwise.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
# Neither control characters nor those that turn the direction of writing.
_PLAIN = r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\u061c\ufeff]*$"

Name = Annotated[str, Field(pattern=NAME)]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]
Text = Annotated[str, Field(max_length=2000, pattern=_PLAIN)]
# The characters of RFC 3986, but for the single quote.
Link = Annotated[
    str,
    Field(max_length=300, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_.~:/?#\[\]@!$&()*+,;=%-]*)?$"),
]
RowId = Annotated[str, Field(pattern=ID)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Nonnegative = Annotated[float, Field(ge=0)]


T = TypeVar("T")
# The first wrong item ends it: a million of them would take gigabytes to tell.
Items = Annotated[list[T], FailFast()]


class Part(BaseModel):
    """Of a submitted document: no other fields, no conversions, nothing that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Interval(Part, record.Interval):
    """A number measured on the images as they are, with its 95 % bootstrap interval over images."""


class Flag(Part, record.Flag):
    """A reason not to trust a number; what each means, and what to do, stands in mtlattack/README.md."""

    name: Name
    attack: Label | None = Field(description="and its threat; null if it is about the model")
    seen: Text = Field(description="in one sentence")


class SuiteReference(Part):
    """What was run; versions never mix."""

    name: Name
    version: int = Field(ge=1)
    sha256: Sha256 = Field(description="of all that the suite says is run")


class ModelCard(Part):
    """What was attacked. The evidence knows `name`, `weights_sha256` and `parameters`, the rest is the submitter's
    word."""

    name: Name = Field(description="its folder on the board")
    weights_sha256: Sha256 = Field(description="over names, types, shapes and values of all weights and buffers")
    checkpoint_sha256: Sha256 = Field(description="of the file with the weights")
    parameters: Count
    layout: Label | None = Field(description="which tasks share which stages; null where no tree says it")
    sharing_degree: Share | None = Field(description="1 is one backbone for all tasks, 0 one for each")
    adversarial_training: Label | None = Field(description="attack, threat and steps; null if clean")
    extra_data: Label | None = Field(description="data beside the suite's training split; null if none")
    licence: Label = Field(description="of the weights, an SPDX identifier where there is one")
    paper: Link | None
    code: Link | None
    note: Text = ""


class Submitter(Part):
    """Who answers for the row, and since when."""

    name: Label
    at: AwareDatetime = Field(strict=False)


class DataReference(Part):
    """Which images and labels."""

    name: Name
    split: Name
    images: int = Field(ge=1)
    sha256: dict[Name, Sha256] = Field(description="of the ids (`id`), the images (`image`) and each task's labels")


class MetricCard(Part):
    """What a metric is."""

    unit: Literal["1", "m", "1/m", "rad"]
    higher_is_better: bool


class TaskCard(Part):
    """What was predicted, and how it is judged."""

    config: dict[str, Any] = Field(description="makes the task again")
    metrics: dict[Name, MetricCard]


class Threat(Part):
    """What the attacker may do."""

    norm: Literal["linf", "l2", "l1", "l0", "patch"]
    eps: Items[float] = Field(min_length=1, description="in image units: pixels are in [0, 1]")
    quantized: bool = Field(description="8-bit images stay 8-bit")


Metrics = dict[Name, dict[Name, Interval]]


class AttackEntry(Part):
    """What one attack at one ε did."""

    name: Label
    eps: float = Field(gt=0)
    config: dict[str, Any] = Field(description="everything that makes the attack, defaults spelled out")
    forward_passes: Count = Field(description="for each image")
    backward_passes: Count = Field(description="for each image")
    seconds: Nonnegative = Field(description="attacking and measuring all images")
    metrics: Metrics = Field(description="by task and metric, under attack")
    task_change: dict[Name, float | None] = Field(description="mean relative change over a task's metrics")
    arp: Interval = Field(description="average relative performance: mean of task_change")
    loss_change: Interval = Field(description="mean relative loss change over images and tasks")
    log_ratio: Interval = Field(description="mean log loss ratio over images and tasks")
    worst: Interval = Field(description="the lowest task_change")
    worst_task: Name
    max_linf: Nonnegative = Field(description="largest l_inf norm of a perturbation")
    max_l2: Nonnegative
    max_l1: Nonnegative
    max_pixels: Count = Field(description="most pixels that changed in an image")
    gap: float | None
    found: float | None
    members: dict[Label, dict[Name, float | None]] | None = Field(description="of an ensemble: shares of its members")


class Cost(Part):
    """What all attacks took together."""

    forward_passes: Count = Field(description="for each image")
    backward_passes: Count = Field(description="for each image")
    seconds: Nonnegative


class Environment(Part):
    """What it ran on, and from which seeds."""

    versions: dict[Name, Label]
    commit: Label
    system: Label
    device: Label
    dtype: Name
    tf32: bool
    threads: Count
    cpu_capability: Label
    cpus: Count | None
    search_precision: Literal["float32", "bfloat16"]
    batch_size: int = Field(ge=1)
    seed: int = Field(ge=0)
    bootstrap: dict[Literal["resamples", "seed"], int]
    started: AwareDatetime = Field(strict=False)
    command: Text


class EvidenceReference(Part):
    """The file beside the row that every number is recomputed from."""

    file: Name
    sha256: Sha256
    bytes: int = Field(ge=1)


class Row(Part):
    """One model under one suite."""

    format: Literal["mtlattack-row"] = "mtlattack-row"
    schema_version: Literal[1] = 1
    suite: SuiteReference
    model: ModelCard
    submitted: Submitter
    data: DataReference
    tasks: dict[Name, TaskCard]
    threat: Threat
    clean: Metrics = Field(description="by task and metric, without attack")
    clean_losses: dict[Name, float | None]
    attacks: Items[AttackEntry] = Field(min_length=1)
    flags: Items[Flag] = Field(description="reasons not to trust a number")
    checked: Items[Name] = Field(description="flags that could be looked for")
    cost: Cost
    environment: Environment
    evidence: EvidenceReference

    @property
    def started(self) -> datetime:
        """When the run began."""
        return self.environment.started
