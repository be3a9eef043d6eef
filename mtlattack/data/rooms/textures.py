"""Procedural patterns on a surface's (u, v) in metres. Integer hashes and + - * / only: the same on any machine."""

import numpy as np

from mtlattack.data.rooms.rng import hash_grid
from mtlattack.data.rooms.scene import Channels, Material


def _cells(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    whole = np.floor(x)
    return whole.astype(np.int64), x - whole


def _value_noise(seed: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Smooth noise in [0, 1) with one random value at each integer point."""
    iu, fu = _cells(u)
    iv, fv = _cells(v)
    fu = fu * fu * (3.0 - 2.0 * fu)
    fv = fv * fv * (3.0 - 2.0 * fv)
    top = hash_grid(seed, iu, iv)
    top = top + (hash_grid(seed, iu + 1, iv) - top) * fu
    low = hash_grid(seed, iu, iv + 1)
    low = low + (hash_grid(seed, iu + 1, iv + 1) - low) * fu
    return top + (low - top) * fv


def _plain(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.zeros_like(u)


def _noise(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _value_noise(m.seed, u, v)


def _blotch(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, np.maximum(0.0, 5.0 * _value_noise(m.seed, u, v) - 2.0))


def _stripes(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (_cells(u)[1] < 0.5) * 1.0


def _checker(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ((_cells(u)[0] + _cells(v)[0]) & 1) * 1.0


def _planks(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    row, inside = _cells(v * 1.5)
    column, _ = _cells(u * 0.25 + hash_grid(m.seed, row, row))
    return np.where(inside < 0.07, 1.0, 0.75 * hash_grid(m.seed, column, row))


def _bricks(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    row, inside = _cells(v * 1.6)
    column, along = _cells(u * 0.8 + 0.5 * (row & 1))
    return np.where((inside < 0.14) | (along < 0.07), 1.0, 0.35 * hash_grid(m.seed, column, row))


def _panels(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return ((_cells(u * 0.5)[1] < 0.06) | (_cells(v * 0.5)[1] < 0.06)) * 1.0


def _random_cells(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    column, _ = _cells(u * 2.0)
    return hash_grid(m.seed, column, np.zeros_like(column))


def _outdoors(m: Material, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.where(v + 0.25 * _value_noise(m.seed, u, u) > m.phase[1] / m.period[1] + 1.0, 0.0, 1.0)


_PATTERNS = {
    "plain": _plain,
    "noise": _noise,
    "blotch": _blotch,
    "stripes": _stripes,
    "checker": _checker,
    "planks": _planks,
    "bricks": _bricks,
    "panels": _panels,
    "cells": _random_cells,
    "outdoors": _outdoors,
}


def albedo(material: Material, u: np.ndarray, v: np.ndarray, footprint: np.ndarray) -> Channels:
    """Linear RGB, three float64 [n], at the surface points u, v [n] in metres.

    `footprint` [n] is the size of a pixel on the surface in metres: patterns finer than it fade out, against aliasing.
    """
    first, second = material.first, material.second
    if material.kind == "plain":
        return tuple(np.full(u.shape, c) for c in first)  # type: ignore[return-value]
    if material.swap:
        u, v = v, u
    pu, pv = material.period
    blend = _PATTERNS[material.kind](material, (u + material.phase[0]) / pu, (v + material.phase[1]) / pv)
    fade = np.minimum(1.0, np.maximum(0.0, min(pu, pv) / (2.0 * footprint) - 0.6))
    blend = 0.4 + (blend - 0.4) * fade
    return tuple(a + (b - a) * blend for a, b in zip(first, second, strict=True))  # type: ignore[return-value]
