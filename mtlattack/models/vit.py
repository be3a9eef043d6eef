"""A Vision Transformer as stages that tasks can share: the patches with their positions, then runs of blocks."""

from collections.abc import Sequence
from typing import TypeGuard

import torch.nn.functional as F
from timm.layers.patch_embed import PatchEmbed
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

# Between stages there are maps: tokens have a place in the image, or no way to travel.
AS_MAPS = {"class_token": False, "reg_tokens": 0, "global_pool": "avg", "dynamic_img_size": True}
_RUNS = 4


class PatchStage(nn.Module):
    """Images `[B, 3, H, W]` → one vector a patch, with its position, `[B, C, ⌈H/P⌉, ⌈W/P⌉]`.

    An image whose sides are no multiples of the patch P is stretched to the next ones, so that the grid spans exactly
    the image. Positions learnt on one grid are interpolated to another.
    """

    def __init__(self, network: VisionTransformer) -> None:
        super().__init__()
        self.patch_embed, self.pos_drop, self.norm_pre = network.patch_embed, network.pos_drop, network.norm_pre
        self.pos_embed: nn.Parameter | None = network.pos_embed
        self.grid: list[int] = list(network.patch_embed.grid_size)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The one feature, as a list."""
        patch = self.patch_embed.patch_size
        size = [-(-side // step) * step for side, step in zip(images.shape[-2:], patch, strict=True)]
        if size != list(images.shape[-2:]):
            images = F.interpolate(images, size, mode="bilinear", align_corners=False)
        grid: Tensor = self.patch_embed(images)  # [B, H/P, W/P, C]
        tokens = grid.flatten(1, 2)
        if self.pos_embed is not None:
            tokens = tokens + resample_abs_pos_embed(
                self.pos_embed, list(grid.shape[1:3]), self.grid, num_prefix_tokens=0
            )
        tokens = self.norm_pre(self.pos_drop(tokens))
        return [tokens.transpose(1, 2).unflatten(2, grid.shape[1:3])]


class BlockStage(nn.Module):
    """A run of transformer blocks over the grid, `[B, C, H, W]` → the same."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The one feature, as a list."""
        tokens: Tensor = self.blocks(x.flatten(2).transpose(1, 2))
        return [tokens.transpose(1, 2).unflatten(2, x.shape[-2:])]


def is_vit(network: nn.Module) -> TypeGuard[VisionTransformer]:
    """Whether this is timm's own Vision Transformer, on patches cut by one convolution; its kin go other ways."""
    return type(network) is VisionTransformer and type(network.patch_embed) is PatchEmbed


def are_maps(network: VisionTransformer) -> bool:
    """Whether all tokens lie on the image's grid, none beside it and none dropped, whatever the image's size."""
    return network.num_prefix_tokens == 0 and network.dynamic_img_size and isinstance(network.patch_drop, nn.Identity)


def cut_vit(network: VisionTransformer) -> list[nn.Module]:
    """The patches, then the blocks in four runs of equal length (as equal as their number allows; fewer if it is)."""
    blocks = list(network.blocks)
    runs = min(_RUNS, len(blocks))
    ends = [len(blocks) * run // runs for run in range(runs + 1)]
    return [PatchStage(network), *(BlockStage(blocks[a:b]) for a, b in zip(ends, ends[1:], strict=False))]
