"""Models to make adversarial images on, for others: ensembles, and networks that are changed inside."""

from mtlattack.models.sources.base import SourceModel, networks_in
from mtlattack.models.sources.ensemble import EnsembleSource
from mtlattack.models.sources.ghost import GhostSource
from mtlattack.models.sources.resolving import resolve_source
from mtlattack.models.sources.skip_gradient import SkipGradientSource

__all__ = [
    "EnsembleSource",
    "GhostSource",
    "SkipGradientSource",
    "SourceModel",
    "networks_in",
    "resolve_source",
]
