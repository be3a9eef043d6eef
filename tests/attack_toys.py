"""Small models to attack. Their arithmetic is per pixel in a fixed order, so no image can feel its batch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlattack.attacks.aggregators import aggregator_options
from mtlattack.attacks.steps import STEPS, step_options
from mtlattack.tasks import Depth, Normals, Segmentation, Task

# Options by which a step, or an opening, takes several looks.
LOOKS = {"copies": 2, "neighbours": 2, "masks": 2}


def mix(weights: Tensor, values: Tensor) -> Tensor:
    """A 1×1 convolution `[K, C]` × `[B, C, H, W]`, summed channel by channel."""
    return sum(weights[:, c, None, None] * values[:, c, None] for c in range(weights.shape[1]))


class ToyNet(nn.Module):
    """Segmentation, depth and normals on one shared layer, with modes and flags that an attack could disturb."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.tasks: Mapping[str, Task] = {"segmentation": Segmentation(4), "depth": Depth(), "normals": Normals()}
        generator = torch.Generator().manual_seed(3)
        self.stem = nn.Parameter(3 * torch.randn(width, 3, generator=generator))
        self.bias = nn.Parameter(torch.randn(width, 1, 1, generator=generator), requires_grad=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.5)
        self.heads = nn.ParameterDict(
            {name: torch.randn(task.channels, width, generator=generator) for name, task in self.tasks.items()}
        )
        self.norm.eval()  # A frozen norm in a training network: the state to be restored is mixed.

    def shared_features(self, images: Tensor) -> Tensor:
        features = torch.sin(mix(self.stem, images) + self.bias)
        return self.dropout(self.norm(features + 0.5 * features.roll(1, -1) * features.roll(1, -2)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.with_shared_features(images)[0]

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        features = self.shared_features(images)
        return {name: mix(head, features) for name, head in self.heads.items()}, features


def toy_batch(batch: int = 16, size: int = 6) -> tuple[Tensor, dict[str, Tensor]]:
    """Images that touch 0 and 1, and targets for `ToyNet`, some pixels invalid."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (batch, 3, size, size), generator=generator) / 255
    images[:, :, 0, 0], images[:, :, 0, 1] = 0, 1
    segmentation = torch.randint(0, 4, (batch, size, size), generator=generator)
    segmentation[:, 1, 1] = 255
    depth = 3 * torch.rand(batch, size, size, generator=generator)
    depth[:, 2, 2] = 0
    normals = torch.randn(batch, 3, size, size, generator=generator)
    return images, {"segmentation": segmentation, "depth": depth, "normals": normals}


def few(name: str, **counts: int) -> dict[str, int]:
    """Of these options those that a step rule, an aggregator or an attack of both takes; of looks that are added up,
    where it takes any, two."""
    step, _, aggregator = name.partition("-")
    kind = aggregator.partition(":")[0]
    taken = (*(step_options(step) if step in STEPS else ()), *(aggregator_options(kind) if kind else ()))
    return {option: count for option, count in ({**LOOKS, **counts}).items() if option in taken}


def losses_of(model: nn.Module, images: Tensor, targets: Mapping[str, Tensor]) -> list[Tensor]:
    """The losses of a model in eval mode, `[B]` each, in the order of its tasks."""
    modes = {module: module.training for module in model.modules()}
    predictions = model.eval()(images)
    for module, mode in modes.items():
        module.training = mode
    return [task.loss(predictions[name], targets[name]) for name, task in model.tasks.items()]


class Offset:
    """A task whose loss is its prediction plus its target: linear wherever the model is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return prediction + target


class LinearNet:
    """Not a module: predicts ⟨w_i, x⟩ for each task."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = weights
        self.tasks = {name: Offset(name) for name in weights}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        return {name: (images * weight).sum((1, 2, 3)) for name, weight in self.weights.items()}


class Counted(nn.Module):
    """Counts the forward passes of a model, the backward passes that reach its images, and those through each head."""

    def __init__(self, model: ToyNet) -> None:
        super().__init__()
        self.model = model
        self.tasks = model.tasks
        self.forwards = 0
        self.backwards = dict.fromkeys(["images", *model.tasks], 0)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.forwards += 1
        predictions = self.model(_Count.apply(images, self.backwards, "images"))
        return {name: _Count.apply(value, self.backwards, name) for name, value in predictions.items()}

    def shared_features(self, images: Tensor) -> Tensor:
        self.forwards += 1
        return self.model.shared_features(_Count.apply(images, self.backwards, "images"))

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """A backward pass that ends at the features counts as one."""
        self.forwards += 1
        features = self.model.shared_features(images)
        seen = _Count.apply(features, self.backwards, "images")
        return {name: mix(head, seen) for name, head in self.model.heads.items()}, features


class _Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, counter, key):
        ctx.counter, ctx.key = counter, key
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.counter[ctx.key] += 1
        return gradient, None, None
