"""What every network of ours is: a description, tasks, normalisation inside, one head a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.models.backbones import Backbone, create_backbone
from mtlattack.models.heads import HEADS, PooledHead
from mtlattack.models.normalisation import NormalisingModule
from mtlattack.tasks import Task, task_from_config

OptionValue = int | float | bool | list[int] | list[float]
Positive = Annotated[float, Field(gt=0)]


class NetworkConfig(BaseModel):
    """Everything needed to build a network without its weights; stands as JSON in a checkpoint's header."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    tasks: list[dict[str, Any]] = Field(min_length=1, max_length=64, description="Task.config() of each task, in order")
    backbone: str = Field(description="timm name")
    backbone_options: dict[str, OptionValue] = Field(
        default_factory=dict, max_length=64, description="numbers for timm"
    )
    output_stride: Literal[8, 16, 32] = 8
    sharing: Literal["tree", "mtan"] = Field("tree", description="hard sharing along a layout, or MTAN's attention")
    layout: str = Field(
        "shared",
        max_length=2**16,
        description="shared, separate, tree-TxB-index, or a tree as models.layouts writes it",
    )
    head: str = "light"
    head_width: int = Field(48, ge=1, le=4096)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _only_a_tree_has_a_layout(self) -> "NetworkConfig":
        if self.sharing != "tree" and self.layout != "shared":
            raise InputError(
                f"layout {self.layout!r} goes with sharing 'tree'; {self.sharing!r} has one backbone for all tasks"
            )
        return self


class MultiTaskNetwork(NormalisingModule, ABC):
    """RGB images `[B, 3, H, W]` in [0, 1] → `{task: [B, channels, H, W]}`; normalisation happens inside.

    Tasks of the whole image have a head of their own, and predictions `[B, channels]`.

    A subclass says how tasks come to their features, and adds `heads` last: the order in which parts are made is the
    order in which weights are drawn, and a seed stands for a network.
    """

    heads: nn.ModuleDict
    given_name: str | None = None
    """Of one that was loaded: the zoo's name, or the file's."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.mean, config.std)
        self.config = config
        tasks = [task_from_config(entry) for entry in config.tasks]
        self.tasks: dict[str, Task] = {task.name: task for task in tasks}
        if len(self.tasks) != len(tasks):
            raise InputError(f"a network predicts each task once, got {', '.join(task.name for task in tasks)}")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions by task, in the images' own size and type."""
        return self._predicted(images, self.features(self.normalise(images)))

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Predictions, and what `shared_features` gives, from which they come: one pass, one graph.

        The feature is of the type that the network computes in. InputError for a network that shares none.
        """
        paths, shared = self.features_and_shared(self.normalise(images))
        return self._predicted(images, paths), shared

    def shared_features(self, images: Tensor) -> Tensor:
        """The deepest feature `[B, C, h, w]` that all tasks share; what follows it does not run.

        InputError for a network that shares none.
        """
        return self.deepest_shared(self.normalise(images)).to(images.dtype)

    @abstractmethod
    def features(self, x: Tensor) -> dict[str, list[Tensor]]:
        """Normalised images `[B, 3, H, W]` → each task's features, finest first."""

    @abstractmethod
    def features_and_shared(self, x: Tensor) -> tuple[dict[str, list[Tensor]], Tensor]:
        """What `features` and `deepest_shared` give, from one pass."""

    @abstractmethod
    def deepest_shared(self, x: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` → the last feature that all tasks share; InputError if there is none."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """The network's parts by a name for people, in the order of a pass: every parameter is in exactly one."""

    def _predicted(self, images: Tensor, paths: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
        size = (images.shape[-2], images.shape[-1])
        return {name: self.heads[name](paths[name], size).to(images.dtype) for name in self.tasks}

    def _create_backbone(self) -> Backbone:
        config = self.config
        return create_backbone(config.backbone, output_stride=config.output_stride, options=config.backbone_options)

    def _create_heads(self, backbone: Backbone) -> nn.ModuleDict:
        dense = HEADS.get(self.config.head)
        width = self.config.head_width
        return nn.ModuleDict(
            {
                name: (dense if task.dense else PooledHead)(backbone.channels, backbone.strides, width, task.channels)
                for name, task in self.tasks.items()
            }
        )

    def _head_parts(self) -> dict[str, nn.Module]:
        return {f"head {name}": self.heads[name] for name in self.tasks}
