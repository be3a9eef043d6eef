"""What a source is: a model that attacks are made on, and that nobody judges."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor, nn

from mtlattack.errors import InputError
from mtlattack.tasks import TaskMap


class SourceModel(nn.Module):
    """A model to make adversarial images on, for others to be judged by; `evaluate` refuses it.

    Attacks on it are not the strongest on any network: its gradients or predictions are changed so that images carry
    over. `networks` is how many networks one pass runs through, so that a pass of an attack costs as many.
    """

    tasks: TaskMap
    networks: int = 1


class ChangedSource(SourceModel):
    """A private copy of one model with some of its layers replaced."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.source = model

    @property
    def tasks(self) -> TaskMap:  # type: ignore[override]
        """Those of the model."""
        return cast(TaskMap, self.source.tasks)

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        """Predictions of the changed model by task."""
        return self.source(images)  # type: ignore[no-any-return]

    def shared_features(self, images: Tensor) -> Tensor:
        """Those of the changed model; InputError if it has none."""
        return method_of(self.source, "shared_features", "Tensor [B, …]")(images)  # type: ignore[no-any-return]

    def with_shared_features(self, images: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
        """Predictions of the changed model, and the feature that they come from; InputError if it cannot say."""
        call = method_of(self.source, "with_shared_features", "(predictions, Tensor [B, …])")
        return call(images)  # type: ignore[no-any-return]


def method_of(model: nn.Module, name: str, gives: str) -> Callable[[Tensor], Any]:
    """A method of a model on its shared features; InputError if it has none."""
    method = getattr(model, name, None)
    if not callable(method):
        raise InputError(f"{type(model).__name__} has no `{name}(images) -> {gives}`")
    return method  # type: ignore[no-any-return]


def networks_in(model: object) -> int:
    """How many networks one forward pass of a model runs through: 1, but for an ensemble."""
    return model.networks if isinstance(model, SourceModel) else 1
