"""What a plan must say before anything is computed from it, whoever wrote it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mtlattack.errors import InputError
from mtlattack.evidence.outcome import tasks_of_plan
from mtlattack.schemas import validate
from mtlattack.tasks import Task, UnknownKindError
from mtlattack.wording import counted

MOST_JOBS = 10_000
MOST_TASKS = 64


class _Part(BaseModel):
    """These, and whatever else stands there."""

    model_config = ConfigDict(extra="allow")


class _Config(_Part):
    name: str = Field(min_length=1)
    norm: str
    eps: float = Field(gt=0, allow_inf_nan=False)
    target: dict[str, str] | None = None


class _Attack(_Part):
    config: _Config
    forward_passes: int | None = None
    backward_passes: int | None = None


class _Ensemble(_Part):
    name: str
    norm: str
    eps: float = Field(gt=0, allow_inf_nan=False)
    members: list[int] = Field(min_length=1)


class _Model(_Part):
    name: str
    sha256: str
    parameters: int


class _Plan(_Part):
    attacks: list[_Attack]
    ensembles: list[_Ensemble] = []
    suite: dict[str, Any] | None = None
    model: _Model
    data: dict[str, Any]
    seed: int = 0
    batch_size: int = 1


class _Calls(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    images: int = Field(ge=1)
    again: float
    alone: float | None
    without_gradient: list[str] = []
    looks: dict[str, dict[str, float]] | None = None


class _Environment(_Part):
    calls: _Calls | None = None


def check_environment(environment: dict[str, Any]) -> None:
    """InputError unless what it says of the first calls of the model, from which flags come, can be that."""
    validate(_Environment, environment, "environment.")


def check_plan(plan: Any) -> dict[str, Task]:
    """The tasks of a plan, by name, in the order of the loss columns; UnknownKindError for a kind of task that is not
    known here, InputError for one that is no plan, which names the field."""
    if not isinstance(plan, dict):
        raise InputError("plan is no object")
    for name, least, most in (("tasks", 1, MOST_TASKS), ("attacks", 0, MOST_JOBS - 1)):
        entries = plan.get(name)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"plan.{name} is no list of objects")
        if not least <= len(entries) <= most:
            raise InputError(f"plan.{name} has {counted(len(entries), 'entry')}, expected {least} to {most:,}")
    try:
        tasks = tasks_of_plan(plan)
    except UnknownKindError:
        raise
    except InputError as error:
        raise InputError(f"plan.tasks: {str(error)[:300]}") from None
    if len(tasks) < len(plan["tasks"]):
        raise InputError("plan.tasks has a task twice")
    checked = validate(_Plan, plan, "plan.")
    for ensemble in checked.ensembles:
        if not all(0 <= member < len(checked.attacks) for member in ensemble.members):
            raise InputError(f"plan.ensembles: {ensemble.name} has members that are no attack of the plan")
    return tasks


def check_ids(ids: Any, most: int | None = None) -> list[str]:
    """Ids of images as they are; InputError unless they are a list of strings, one or more, up to `most`, each once."""
    if not isinstance(ids, list) or not all(isinstance(x, str) for x in ids):
        raise InputError("ids is no list of strings")
    if not ids or (most is not None and len(ids) > most):
        expected = "at least 1" if most is None else f"1 to {most:,}"
        raise InputError(f"ids has {counted(len(ids), 'entry')}, expected {expected}")
    if len(set(ids)) < len(ids):
        raise InputError("ids has an id twice")
    return ids
