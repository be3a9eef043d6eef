"""Whether images have the labels that a model is judged by, and what to do where they have not."""

from collections.abc import Mapping

from mtlattack.data import LabelledImages
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import JointTask, Task, TaskMap, alone

_ASK = "load_dataset(…, tasks=model.tasks) takes what the model predicts"


def check_labels(tasks: Mapping[str, Task | JointTask], data: LabelledImages) -> None:
    """InputError unless the data have labels for each of a model's tasks, as it predicts them; says the nearest."""
    wanted = {name: alone(task) for name, task in tasks.items()}
    for name, task in wanted.items():
        if data.tasks.get(name) != task:
            raise misfit(wanted, data, _hint(name, task, wanted, data))


def check_labels_alone(tasks: TaskMap, data: LabelledImages) -> None:
    """The same, and InputError for labels of other tasks: every label that is measured stands in the plan."""
    check_labels(tasks, data)
    if data.tasks != dict(tasks):
        raise misfit(tasks, data, _ASK)


def misfit(tasks: TaskMap, data: LabelledImages, hint: str) -> InputError:
    """The error of data with other labels than those for a model's tasks."""
    given = ", ".join(data.tasks) or "none of its tasks"
    return InputError(f"the data gives labels for {given}, the model predicts {', '.join(tasks)}; {hint}")


def _hint(name: str, task: Task, tasks: TaskMap, data: LabelledImages) -> str:
    if name in data.tasks:
        return f"{name!r} is {data.tasks[name]} in the data, {task} to the model"
    same = next((other for other, each in data.tasks.items() if each == task and other not in tasks), None)
    if same is not None:
        return f"what the data call {same!r} may be {name!r}: {_ASK}, or name it so"
    if name in data.labels:
        return _ASK
    return str(UnknownNameError("label", name, {*data.labels, *data.tasks}))
