"""The plan and circumstances that stand in submitted evidence, checked before anything is computed from them."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from mtlattack.errors import InputError
from mtlattack.evidence import NUMERIC, Evidence, parts_of
from mtlattack.leaderboard.rows.schema import Count, Items, Label, Moment, Name, Nonnegative, Part, Sha256, Share, Text
from mtlattack.schemas import validate
from mtlattack.wording import counted

Norm = Literal["linf", "l2", "l1", "l0", "patch"]


class PlannedSuite(Part):
    """Which suite, and what was changed of it."""

    name: Name
    version: int = Field(ge=1)
    sha256: Sha256
    overrides: dict[str, Any]


class PlannedModel(Part):
    """Identity and size of the model."""

    name: Text
    sha256: Sha256
    parameters: Count


class PlannedData(Part):
    """Which images."""

    name: Name
    split: Name
    images: int = Field(ge=1)
    fingerprint: Sha256
    sha256: dict[Name, Sha256]


class AttackConfig(Part):
    """An attack: these and its own options."""

    model_config = ConfigDict(extra="allow")

    name: Label
    norm: Norm
    eps: float = Field(gt=0)
    quantized: bool = False
    seed: int = 0
    steps: int = Field(1, ge=1)


class PlannedAttack(Part):
    """An attack and what it costs an image."""

    config: AttackConfig
    white_box: bool
    forward_passes: Count
    backward_passes: Count
    fit: dict[str, Any] | None = None


class PlannedEnsemble(AttackConfig):
    """Attacks of which every image takes the worst, by their places."""

    version: int
    members: Items[int] = Field(min_length=1)


class NumericEnvironment(Part):
    """What can change a number."""

    versions: dict[Name, Label]
    device: Label
    dtype: Name
    tf32: bool
    threads: Count
    cpu_capability: Label


class PlannedPreparation(Part):
    """How the model was prepared: this and what else can change a number."""

    model_config = ConfigDict(extra="allow")

    search: Literal["float32", "bfloat16"] = "float32"


class Plan(Part):
    """Everything that determines a run's numbers, see `evaluation.plan`."""

    suite: PlannedSuite | None
    model: PlannedModel
    data: PlannedData
    tasks: Items[dict[str, Any]] = Field(min_length=1)
    attacks: Items[PlannedAttack]
    ensembles: Items[PlannedEnsemble]
    preparation: PlannedPreparation
    seed: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    # Where the evidence's own environment says nothing of it: that of earlier versions.
    environment: NumericEnvironment | None = None
    # Not in evidence of format 2, which knew no skill.
    constants: dict[Name, Items[float]] | None = None


class Calls(Part):
    """What calls of the model showed when the run started, see `evaluation.trust.calls`."""

    images: int = Field(ge=1)
    again: Nonnegative
    alone: Nonnegative | None
    without_gradient: Items[Name]
    # What the predictions of each task looked like.
    looks: dict[Name, dict[Name, float]] | None = None


class Piece(NumericEnvironment):
    """One of several parts that a run was made in: a shard, or what was done on another machine."""

    started: Moment
    system: Label
    shard: Label | None = None


class Circumstances(Part):
    """When, on what system, by what command, and what else than the plan can change a number."""

    started: Moment
    system: Label
    cpus: Count | None
    command: Text
    commit: Label
    precision_asked: Name
    sign_agreement: Share | None
    calls: Calls | None
    # Only of a run that tried them.
    cuda_graphs: dict[Literal["judge", "search"], Nonnegative | None] | None = None
    cuda_graphs_bytes: Count | None = None
    # Only of a run that was made in several; all of what is numeric stands in the plan of evidence of earlier versions.
    parts: Items[Piece] = Field(default_factory=list)
    versions: dict[Name, Label] | None = None
    device: Label | None = None
    dtype: Name | None = None
    tf32: bool | None = None
    threads: Count | None = None
    cpu_capability: Label | None = None


def ran_on(evidence: Evidence) -> list[NumericEnvironment]:
    """What each part of a run was made on, one for most; InputError names what is missing."""
    parts = parts_of(evidence.environment, evidence.plan)
    numeric = [{key: part[key] for key in NUMERIC if key in part} for part in parts]
    return [validate(NumericEnvironment, part, "evidence: environment: ") for part in numeric]


def check_evidence(evidence: Evidence) -> Plan:
    """The plan of submitted evidence; InputError names what in it, or in its circumstances, is wrong."""
    plan = validate(Plan, evidence.plan, "evidence: plan: ")
    validate(Circumstances, evidence.environment, "evidence: environment: ")
    ran_on(evidence)
    if plan.suite is None:
        raise InputError("evidence: plan: suite: the run was outside a suite, expected one of the leaderboard's")
    if not plan.attacks:
        raise InputError("evidence: plan: attacks: a clean run, expected the attacks of its suite")
    if len(evidence.ids) != plan.data.images:
        raise InputError(
            f"evidence: plan: data.images is {plan.data.images}, there are {counted(len(evidence.ids), 'id')}"
        )
    for ensemble in plan.ensembles:
        if not all(0 <= member < len(plan.attacks) for member in ensemble.members):
            raise InputError(f"evidence: plan: ensembles: {ensemble.name} has members {ensemble.members}")
    return plan
