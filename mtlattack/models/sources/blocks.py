"""The residual blocks of a network: those of timm's and torchvision's ResNets, whose parts have known names."""

import timm.models.resnet
import torchvision.models.resnet
from torch import nn

from mtlattack.errors import InputError

# Exact types: a subclass may run its parts otherwise. Of each, `conv1` opens the residual branch and nothing else takes
# its place, and the shortcut goes through `downsample` if there is one.
_BLOCKS = (
    timm.models.resnet.BasicBlock,
    timm.models.resnet.Bottleneck,
    torchvision.models.resnet.BasicBlock,
    torchvision.models.resnet.Bottleneck,
)


def residual_blocks(model: nn.Module, what: str) -> list[nn.Module]:
    """The blocks in the order in which the model holds them; InputError where there is none, for `what` to change."""
    blocks = [module for module in model.modules() if type(module) in _BLOCKS]
    if not blocks:
        raise InputError(
            f"{what} changes residual blocks, and {type(model).__name__} has none: "
            "expected a network with a ResNet's BasicBlock or Bottleneck, of timm or torchvision"
        )
    return blocks
