"""Several models as one source: the loss is the mean of theirs."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.prepared.copying import private_copy
from mtlattack.models.sources.base import SourceModel, method_of, networks_in
from mtlattack.tasks import JointTask, Task, TaskMap, joint_features


class EnsembleSource(SourceModel):
    """The loss of a task is the mean of its losses over the sources (Liu et al. 2017, arXiv 1611.02770; ensemble in
    loss of Dong et al. 2018, arXiv 1710.06081).

    Predicts the sources' channels one behind the other, for the tasks that all of them have with the same description;
    what the others have is left out, with a warning. A pass runs through all of them: K sources cost K passes.
    """

    def __init__(self, sources: Mapping[str, nn.Module]) -> None:
        """`sources` by name; InputError for fewer than two, and for those without a common task."""
        if len(sources) < 2:
            raise InputError(f"an ensemble of {', '.join(sources) or 'nothing'}, expected two sources at least")
        super().__init__()
        self.names = tuple(sources)
        self.sources = nn.ModuleList(private_copy(source) for source in sources.values())
        self.tasks = cast(TaskMap, _joint({name: source.tasks for name, source in sources.items()}))  # type: ignore[misc]
        self.networks = sum(networks_in(source) for source in sources.values())
        self.eval()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """By task `[B, sources·channels, H, W]`."""
        # A source may write into what it is given.
        return self._joined([source(images.clone()) for source in self.sources])

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of all sources (`joint_features`); InputError names one that has none."""
        return joint_features(self._of_each("shared_features", "Tensor [B, …]", images))

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        """Predictions, and the features of all sources, from which they come; InputError names one that cannot say."""
        found = self._of_each("with_shared_features", "(predictions, Tensor [B, …])", images)
        return self._joined([predictions for predictions, _ in found]), tuple(features for _, features in found)

    def _of_each(self, method: str, gives: str, images: Tensor) -> list[Any]:
        found = []
        for name, source in zip(self.names, self.sources, strict=True):
            try:
                found.append(method_of(source, method, gives)(images.clone()))
            except InputError as error:
                raise InputError(f"{name}, of the ensemble: {error}") from None
        return found

    def _joined(self, predictions: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.cat([each[name] for each in predictions], 1) for name in self.tasks}


def _joint(tasks: Mapping[str, TaskMap]) -> dict[str, JointTask]:
    """The tasks that all sources have alike, in the order of the first; the rest is said."""
    first, *others = tasks.values()
    common: dict[str, Task] = {
        name: task for name, task in first.items() if all(other.get(name) == task for other in others)
    }
    said = {source: [task for task in own if task not in common] for source, own in tasks.items()}
    rest = "; ".join(f"{source}: {', '.join(names)}" for source, names in said.items() if names)
    if not common:
        raise InputError(f"the sources have no task in common, with the same description ({rest})")
    if rest:
        warnings.warn(f"left out, for not all sources have them alike: {rest}", stacklevel=4)
    return {name: JointTask(task, len(tasks)) for name, task in common.items()}
