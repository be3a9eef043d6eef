from .checkpoint_files import file_hash
from .checkpoints import load_checkpoint, read_description, save_checkpoint
from .counts import Counts, count_network, count_stages
from .creating import create_network, sketch_network
from .enumeration import count_trees
from .layouts import (
    NAMED_LAYOUTS,
    Layout,
    all_layouts,
    layout_at,
    layout_index,
    layout_name,
    list_layouts,
    parse_layout,
)
from .naming import model_name
from .network import MultiTaskNetwork, NetworkConfig
from .outputs import Output
from .prepared import (
    GraphedModel,
    PreparedModel,
    graph_where_it_pays,
    lower_precision,
    prepare_for_attack,
)
from .resolving import resolve_model, resolve_named
from .sources import (
    EnsembleSource,
    GhostSource,
    SkipGradientSource,
    SourceModel,
    networks_in,
    resolve_source,
)
from .wrapping import wrap
from .zoo import create_model, list_models, model_path

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
    "resolve_named",
    "resolve_source",
    "save_checkpoint",
    "sketch_network",
    "wrap",
]
