"""What a scene is made of: plain records. World axes: x right, y up, z away from the camera's wall; metres."""

from dataclasses import dataclass, field

import numpy as np

from mtlattack.data.rooms.rng import Stream

CLASSES: tuple[str, ...] = (
    "wall",
    "floor",
    "ceiling",
    "window",
    "door",
    "bed",
    "sofa",
    "table",
    "chair",
    "cabinet",
    "picture",
    "lamp",
    "clutter",
    "plant",
)
ID = {name: i for i, name in enumerate(CLASSES)}

Vec = tuple[float, float, float]
Channels = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Material:
    """A procedural surface: a pattern that blends two linear RGB colours; `period` in metres along u and v."""

    kind: str
    first: Vec
    second: Vec
    period: tuple[float, float] = (0.3, 0.3)
    phase: tuple[float, float] = (100.0, 100.0)
    swap: bool = False
    seed: int = 0
    emission: float = 0.0


@dataclass(frozen=True, slots=True)
class Primitive:
    """A box, or the vertical elliptic cylinder or ellipsoid inscribed in it, in its item's frame."""

    shape: str
    label: int
    low: Vec
    high: Vec
    material: Material
    casts: bool = False
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """Primitives that share a frame: local (x, y, z) turned about the vertical by (cos, sin), then moved by (x, z)."""

    x: float
    z: float
    cos: float
    sin: float
    primitives: list[Primitive]

    def to_world(self, local: Vec) -> Vec:
        """World coordinates of a local point."""
        lx, ly, lz = local
        return self.x + self.cos * lx + self.sin * lz, ly, self.z - self.sin * lx + self.cos * lz


@dataclass(frozen=True, slots=True)
class Light:
    """A point light: position in metres, linear RGB power; `shadows` says whether it casts them."""

    position: Vec
    power: Vec
    shadows: bool


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera: position and unit axes in the world; focal length and principal point in pixels.

    A pixel (row, column) has its centre at image coordinates (column + 0.5, row + 0.5).
    """

    position: Vec
    right: Vec
    down: Vec
    forward: Vec
    focal: float
    cx: float
    cy: float

    def project(self, point: Vec) -> tuple[float, float, float]:
        """Camera coordinates (x, y, z) in metres of a world point: x right, y down, z along the optical axis."""
        px, py, pz = (point[0] - self.position[0], point[1] - self.position[1], point[2] - self.position[2])
        r, d, f = self.right, self.down, self.forward
        return (
            px * r[0] + py * r[1] + pz * r[2],
            px * d[0] + py * d[1] + pz * d[2],
            px * f[0] + py * f[1] + pz * f[2],
        )


@dataclass(slots=True)
class Scene:
    """One room: its size, the six inner surfaces (-x, +x, floor, ceiling, -z, +z), items, lights, camera, film."""

    size: Vec
    surfaces: list[Material]
    camera: Camera
    items: list[Item] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    ambient: float = 0.4
    exposure: float = 0.3
    balance: Vec = (1.0, 1.0, 1.0)
    noise: float = 1.0
    noise_seed: int = 0


def hsv(hue: float, saturation: float, value: float) -> Vec:
    """RGB of a hue in [0, 1), a saturation and a value in [0, 1]."""

    def channel(shift: float) -> float:
        k = (shift + 6.0 * hue) % 6.0
        return value * (1.0 - saturation * max(0.0, min(k, 4.0 - k, 1.0)))

    return channel(5.0), channel(3.0), channel(1.0)


_KINDS = (
    ("plain", 0.36),
    ("noise", 0.12),
    ("stripes", 0.09),
    ("checker", 0.06),
    ("planks", 0.12),
    ("bricks", 0.06),
    ("panels", 0.08),
    ("blotch", 0.06),
    ("cells", 0.05),
)


class Palette:
    """The colours of one scene; every class draws from the same few, so that colour alone tells little."""

    def __init__(self, rng: Stream) -> None:
        self._rng = rng
        self._colours = [self._fresh() for _ in range(rng.integer(3, 6))]

    def _fresh(self) -> Vec:
        rng = self._rng
        s = rng.uniform()
        return hsv(rng.uniform(), 0.75 * s * s, rng.uniform(0.12, 0.9))

    def colour(self) -> Vec:
        """A colour near one of the scene's, sometimes a new one; linear RGB in [0, 1]."""
        rng = self._rng
        base = self._fresh() if rng.chance(0.15) else rng.choice(self._colours)
        gain = rng.uniform(0.65, 1.3)
        return tuple(min(0.95, max(0.02, c * gain)) for c in base)  # type: ignore[return-value]

    def material(self, size: float = 0.3, plain: float = 0.0, emission: float = 0.0) -> Material:
        """A random material; `size` is the pattern's typical period in metres, `plain` the extra chance of none."""
        rng = self._rng
        kind = "plain" if rng.chance(plain) else rng.weighted(_KINDS)
        first = self.colour()
        if rng.chance(0.35):
            second = self.colour()
        else:
            factor = rng.uniform(0.4, 0.85)
            second = tuple(c * factor for c in first)  # type: ignore[assignment]
        period = size * rng.uniform(0.6, 1.6)
        return Material(
            kind=kind,
            first=first,
            second=second,
            period=(period, period * rng.uniform(0.5, 1.6)),
            phase=(rng.uniform(90.0, 110.0), rng.uniform(90.0, 110.0)),
            swap=rng.chance(0.4),
            seed=rng.next(),
            emission=emission,
        )
