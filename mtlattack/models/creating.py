"""Networks from descriptions: with fresh weights, or without any."""

from collections.abc import Mapping
from typing import Any

import torch

from mtlattack.models.mtan import MTANetwork
from mtlattack.models.network import MultiTaskNetwork, NetworkConfig
from mtlattack.models.tree import TreeNetwork
from mtlattack.schemas import validate

_KINDS: dict[str, type[MultiTaskNetwork]] = {"tree": TreeNetwork, "mtan": MTANetwork}


def create_network(config: NetworkConfig | Mapping[str, Any]) -> MultiTaskNetwork:
    """An untrained network from its description; InputError names the field that is wrong."""
    if not isinstance(config, NetworkConfig):
        config = validate(NetworkConfig, config, "network description: ")
    return _KINDS[config.sharing](config)


def sketch_network(config: NetworkConfig | Mapping[str, Any]) -> MultiTaskNetwork:
    """The same network on the meta device: names and shapes, no weights and no memory for them."""
    with torch.device("meta"):
        return create_network(config)
