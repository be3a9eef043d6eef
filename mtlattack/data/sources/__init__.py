"""Published data sets, read in the layout they come in and written as prepared files."""

from mtlattack.data.sources.cityscapes import prepare_cityscapes
from mtlattack.data.sources.folder import prepare_folder
from mtlattack.data.sources.nyuv2 import prepare_nyuv2
from mtlattack.data.sources.nyuv2_adashare import prepare_nyuv2_adashare
from mtlattack.data.sources.nyuv2_mtan import prepare_nyuv2_mtan
from mtlattack.data.sources.registry import NAMELESS, SOURCES, Prepare, list_sources, prepare
from mtlattack.data.sources.taskonomy import prepare_taskonomy

__all__ = [
    "NAMELESS",
    "SOURCES",
    "Prepare",
    "list_sources",
    "prepare",
    "prepare_cityscapes",
    "prepare_folder",
    "prepare_nyuv2",
    "prepare_nyuv2_adashare",
    "prepare_nyuv2_mtan",
    "prepare_taskonomy",
]
