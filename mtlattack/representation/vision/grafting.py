"""A new head on a backbone that others trained: of source tasks, of another data set, or of ImageNet."""

from collections.abc import Mapping
from typing import Any

import torch

from mtlattack.errors import InputError
from mtlattack.models import MultiTaskNetwork, create_network
from mtlattack.models.pretrained import load_imagenet
from mtlattack.models.tree import TreeNetwork
from mtlattack.tasks import Task


def with_new_head(source: MultiTaskNetwork, target: Task, seed: int = 0) -> MultiTaskNetwork:
    """A network of the target alone: the source's backbone, and a head that is drawn by `seed`; the source stays as it
    is.

    InputError for a backbone that tasks do not share to its end, and for a target that the source was trained on.
    """
    _check_shared(source)
    if target.name in source.tasks or _kind(target) in map(_kind, source.tasks.values()):
        raise InputError(
            f"the target {target.name} is a source task ({', '.join(source.tasks)}); expected a task that is no source"
        )
    return with_foreign_head(source, target, seed)


def with_foreign_head(source: MultiTaskNetwork, target: Task, seed: int = 0) -> MultiTaskNetwork:
    """As `with_new_head`, for a target of other images than the source was trained on: that the source has a task of
    this name or kind is no objection, since it has seen none of the target's labels.

    InputError for a backbone that tasks do not share to its end.
    """
    _check_shared(source)
    config = source.config.model_copy(update={"tasks": [target.config()], "layout": "shared"})
    network = _drawn(config.model_dump(), seed)
    network.stages.load_state_dict(source.stages.state_dict())  # type: ignore[union-attr,operator]
    return network


def with_imagenet_backbone(network: Mapping[str, Any], target: Task, seed: int = 0) -> MultiTaskNetwork:
    """A network of the target alone, described as a recipe's `network` without a layout: ImageNet's weights in its
    backbone (extra `pretrained`), and a head that is drawn by `seed`.

    InputError for a backbone of which no package holds weights, or whose package is not installed.
    """
    made = _drawn({**network, "tasks": [target.config()], "layout": "shared"}, seed)
    load_imagenet(made)
    return made


def _check_shared(source: MultiTaskNetwork) -> None:
    if not isinstance(source, TreeNetwork) or any(len(groups) > 1 for groups in source.layout.partitions):
        raise InputError("expected a backbone that all tasks share to its end: sharing 'tree', layout 'shared'")


def _drawn(config: Mapping[str, Any], seed: int) -> MultiTaskNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_network(config).eval()


def _kind(task: Task) -> dict[str, object]:
    """What a task predicts, whatever its name."""
    return {key: value for key, value in task.config().items() if key != "name"}
