"""Backbones, sharing layouts, heads, and the zoo."""

from mtlattack.models.checkpoints import file_hash, load_checkpoint, read_description, save_checkpoint
from mtlattack.models.counts import Counts, count_network, count_stages
from mtlattack.models.creating import create_network, sketch_network
from mtlattack.models.enumeration import count_trees
from mtlattack.models.layouts import (
    NAMED_LAYOUTS,
    Layout,
    all_layouts,
    layout_at,
    layout_index,
    layout_name,
    list_layouts,
    parse_layout,
)
from mtlattack.models.naming import model_name
from mtlattack.models.network import MultiTaskNetwork, NetworkConfig
from mtlattack.models.outputs import Output
from mtlattack.models.prepared import (
    GraphedModel,
    PreparedModel,
    graph_where_it_pays,
    lower_precision,
    prepare_for_attack,
)
from mtlattack.models.resolving import resolve_model
from mtlattack.models.sources import (
    EnsembleSource,
    GhostSource,
    SkipGradientSource,
    SourceModel,
    networks_in,
    resolve_source,
)
from mtlattack.models.wrapping import wrap
from mtlattack.models.zoo import create_model, list_models, model_path

__all__ = [
    "NAMED_LAYOUTS",
    "Counts",
    "EnsembleSource",
    "GhostSource",
    "GraphedModel",
    "Layout",
    "MultiTaskNetwork",
    "NetworkConfig",
    "Output",
    "PreparedModel",
    "SkipGradientSource",
    "SourceModel",
    "all_layouts",
    "count_network",
    "count_stages",
    "count_trees",
    "create_model",
    "create_network",
    "file_hash",
    "graph_where_it_pays",
    "layout_at",
    "layout_index",
    "layout_name",
    "list_layouts",
    "list_models",
    "load_checkpoint",
    "lower_precision",
    "model_name",
    "model_path",
    "networks_in",
    "parse_layout",
    "prepare_for_attack",
    "read_description",
    "resolve_model",
    "resolve_source",
    "save_checkpoint",
    "sketch_network",
    "wrap",
]
