"""The zoo's network: a backbone cut into stages, shared as a layout says, with one head a task."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.backbones import Backbone, create_backbone
from mtlattack.models.heads import HEADS
from mtlattack.models.layouts import Layout, parse_layout
from mtlattack.schemas import validate
from mtlattack.tasks import Task, task_from_config

OptionValue = int | float | bool | list[int] | list[float]
Positive = Annotated[float, Field(gt=0)]


class NetworkConfig(BaseModel):
    """Everything needed to build a network without its weights; stands as JSON in a checkpoint's header."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    tasks: list[dict[str, Any]] = Field(min_length=1, description="Task.config() of each task, in order")
    backbone: str = Field(description="timm name")
    backbone_options: dict[str, OptionValue] = Field(default_factory=dict, description="numbers for timm")
    output_stride: Literal[8, 16, 32] = 8
    layout: str = Field("shared", description="shared, separate, or a tree as models.layouts writes it")
    head: str = "light"
    head_width: int = Field(48, ge=1, le=4096)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)


class MultiTaskNetwork(nn.Module):
    """RGB images `[B, 3, H, W]` in [0, 1] → `{task: [B, channels, H, W]}`; normalisation happens inside.

    Stage `s` holds one copy of the backbone's stage per group of the layout's partition; a task's features come from
    the groups it belongs to, so tasks share exactly the stages in which they share a group.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        tasks = [task_from_config(entry) for entry in config.tasks]
        self.tasks: dict[str, Task] = {task.name: task for task in tasks}
        if len(self.tasks) != len(tasks):
            raise InputError(f"a network predicts each task once, got {', '.join(task.name for task in tasks)}")
        backbone = _backbone(config)
        self.layout = parse_layout(config.layout, list(self.tasks), len(backbone.stages))
        # Copies come from backbones of their own, so each starts from weights that timm drew for it.
        twins = [_backbone(config) for _ in range(max(map(len, self.layout.partitions)) - 1)]
        self.stages = _grow_tree([backbone, *twins], self.layout)
        head = HEADS.get(config.head)
        self.heads = nn.ModuleDict(
            {
                name: head(backbone.channels, backbone.strides, config.head_width, task.channels)
                for name, task in self.tasks.items()
            }
        )
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions by task, at the images' own size."""
        size = (images.shape[-2], images.shape[-1])
        paths = self._features((images - self.mean) / self.std)
        return {name: self.heads[name](paths[name], size) for name in self.tasks}

    def _features(self, x: Tensor) -> dict[str, list[Tensor]]:
        """Each task's features, finest first; a shared stage runs once."""
        paths: dict[str, list[Tensor]] = {name: [] for name in self.tasks}
        for partition, copies in zip(self.layout.partitions, self.stages, strict=True):
            for group, stage in zip(partition, copies, strict=True):  # type: ignore[call-overload]
                path = paths[group[0]]
                features = stage(path[-1] if path else x)
                for name in group:
                    paths[name] = [*paths[name], *features]
        return paths


def create_network(config: NetworkConfig | Mapping[str, Any]) -> MultiTaskNetwork:
    """An untrained network from its description; InputError names the field that is wrong."""
    if isinstance(config, NetworkConfig):
        return MultiTaskNetwork(config)
    return MultiTaskNetwork(validate(NetworkConfig, config, "network description: "))


def _backbone(config: NetworkConfig) -> Backbone:
    return create_backbone(config.backbone, output_stride=config.output_stride, options=config.backbone_options)


def _grow_tree(backbones: Sequence[Backbone], layout: Layout) -> nn.ModuleList:
    """Per stage, one copy a group: the first group's from the first backbone, the second's from the second…"""
    return nn.ModuleList(
        nn.ModuleList(backbone.stages[stage] for _, backbone in zip(partition, backbones, strict=False))
        for stage, partition in enumerate(layout.partitions)
    )
