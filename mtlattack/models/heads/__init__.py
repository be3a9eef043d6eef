"""Heads: from a backbone's features to one task's prediction; importing this registers them all."""

from mtlattack.models.heads import atrous, deconv, light
from mtlattack.models.heads.base import HEADS, HeadFactory

__all__ = ["HEADS", "HeadFactory", "atrous", "deconv", "light"]
