"""Published data sets, read in the layout they come in and written as prepared files."""

from mtlattack.data.sources.nyuv2 import prepare_nyuv2
from mtlattack.data.sources.registry import SOURCES, Prepare, list_sources, prepare

__all__ = ["SOURCES", "Prepare", "list_sources", "prepare", "prepare_nyuv2"]
