"""Heads: from a backbone's features to one task's prediction; importing this registers them all."""

from mtlattack.models.heads import atrous, deconv, light, pyramid
from mtlattack.models.heads.base import HEADS, HeadFactory
from mtlattack.models.heads.pooled import PooledHead

__all__ = ["HEADS", "HeadFactory", "PooledHead", "atrous", "deconv", "light", "pyramid"]
