"""Soft sharing: MTAN, one backbone for all tasks and an attention module per task at every feature level.

Liu, Johns, Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019 (arXiv 1803.10704).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlattack.models.network import MultiTaskNetwork, NetworkConfig


class AttentionModule(nn.Module):
    """One task's soft mask over a shared feature: h(g(·)), 1×1 convolutions with normalisation, ReLU and sigmoid.

    The hidden width is a quarter of the feature's channels, at least 8.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        width = max(8, channels // 4)
        self.mask = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def forward(self, shared: Tensor, handed_on: Tensor | None) -> Tensor:
        """`[B, C, H, W]` and what the level before hands on, of the same size → a mask `[B, C, H, W]` in [0, 1]."""
        mask: Tensor = self.mask(shared if handed_on is None else torch.cat([shared, handed_on], 1))
        return mask


class HandOn(nn.Module):
    """The paper's f, shared by all tasks: a task's masked feature → channels and size of the next level.

    A 3×3 convolution with normalisation and ReLU, then max pooling.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, masked: Tensor, size: tuple[int, int]) -> Tensor:
        """`[B, C, H, W]` → `[B, C', *size]`."""
        return F.adaptive_max_pool2d(self.convolution(masked), size)


class MTANetwork(MultiTaskNetwork):
    """Masked features â_i^(j) = a_i^(j) ⊙ p^(j) go to task i's head, with a_i^(j) = h_i(g_i([p^(j); f(â_i^(j-1))])).

    p^(j) is the backbone's feature at level j, computed once for all tasks. The paper feeds the mask an earlier feature
    u^(j) of the same block; blocks of timm's families have no common inside, so here u^(j) = p^(j).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        backbone = self._create_backbone()
        channels = backbone.channels
        self.stages = nn.ModuleList(backbone.stages)
        self.hand_on = nn.ModuleList(HandOn(c, d) for c, d in zip(channels, channels[1:], strict=False))
        self.attention = nn.ModuleDict({name: _attention(channels) for name in self.tasks})
        self.heads = self._create_heads(backbone)

    def features(self, x: Tensor) -> dict[str, list[Tensor]]:
        """Each task's masked features, finest first; the backbone runs once."""
        paths, _ = self.features_and_shared(x)
        return paths

    def features_and_shared(self, x: Tensor) -> tuple[dict[str, list[Tensor]], Tensor]:
        """Each task's masked features, and the backbone's last."""
        shared = self.backbone_features(x)
        masks = self.masks(shared)
        paths = {name: [m * p for m, p in zip(masks[name], shared, strict=True)] for name in self.tasks}
        return paths, shared[-1]

    def backbone_features(self, x: Tensor) -> list[Tensor]:
        """The backbone's features p^(j), finest first."""
        features: list[Tensor] = []
        for stage in self.stages:
            features += stage(features[-1] if features else x)
        return features

    def deepest_shared(self, x: Tensor) -> Tensor:
        """The backbone's last feature."""
        return self.backbone_features(x)[-1]

    def masks(self, shared: Sequence[Tensor]) -> dict[str, list[Tensor]]:
        """Each task's masks a_i^(j) in [0, 1], one for each shared feature and of its shape."""
        masks: dict[str, list[Tensor]] = {name: [] for name in self.tasks}
        for name, own in masks.items():
            for level, (feature, module) in enumerate(zip(shared, self.attention[name], strict=True)):  # type: ignore[call-overload]
                size = (feature.shape[-2], feature.shape[-1])
                before = self.hand_on[level - 1](own[-1] * shared[level - 1], size) if level else None
                own.append(module(feature, before))
        return masks

    def parts(self) -> dict[str, nn.Module]:
        """`stage 1`…, `hand on` (the shared f), `attention <task>`, then `head <task>`."""
        stages: dict[str, nn.Module] = {f"stage {i}": stage for i, stage in enumerate(self.stages, 1)}
        attention = {f"attention {name}": self.attention[name] for name in self.tasks}
        return {**stages, "hand on": self.hand_on, **attention, **self._head_parts()}


def _attention(channels: Sequence[int]) -> nn.ModuleList:
    """One module a level; from the second on its input is the shared feature and what the level before hands on."""
    return nn.ModuleList(AttentionModule(c * (2 if level else 1), c) for level, c in enumerate(channels))
