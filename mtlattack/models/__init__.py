"""Backbones, sharing layouts, heads, and the zoo."""

from mtlattack.models.checkpoints import file_hash, load_checkpoint, read_description, save_checkpoint
from mtlattack.models.layouts import NAMED_LAYOUTS, Layout, list_layouts, parse_layout
from mtlattack.models.network import MultiTaskNetwork, NetworkConfig, create_network
from mtlattack.models.resolving import resolve_model
from mtlattack.models.wrapping import wrap
from mtlattack.models.zoo import create_model, list_models, model_path

__all__ = [
    "NAMED_LAYOUTS",
    "Layout",
    "MultiTaskNetwork",
    "NetworkConfig",
    "create_model",
    "create_network",
    "file_hash",
    "list_layouts",
    "list_models",
    "load_checkpoint",
    "model_path",
    "parse_layout",
    "read_description",
    "resolve_model",
    "save_checkpoint",
    "wrap",
]
