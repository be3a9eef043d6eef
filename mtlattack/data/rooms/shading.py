"""Light: Lambert shading from point lights with hard shadows, ambient light, exposure, tone curve, film noise."""

import numpy as np

from mtlattack.data.rooms.geometry import away_from_zero, interval, local_direction
from mtlattack.data.rooms.rng import stream_array
from mtlattack.data.rooms.scene import Channels, Light, Scene
from mtlattack.data.rooms.trace import Hits


def _shadow(scene: Scene, light: Light, point: Channels, away: Channels) -> np.ndarray:
    """True [N] where something lies between the points and the light; `away` points from the light to them."""
    dark = np.zeros(point[0].shape, bool)
    for item in scene.items:
        casters = [p for p in item.primitives if p.casts]
        if not casters:
            continue
        dx, dz = local_direction(item, away[0], away[2])
        local = (away_from_zero(dx), away_from_zero(away[1]), away_from_zero(dz))
        inverse = (1.0 / local[0], 1.0 / local[1], 1.0 / local[2])
        ox, oz = light.position[0] - item.x, light.position[2] - item.z
        origin = (item.cos * ox - item.sin * oz, light.position[1], item.sin * ox + item.cos * oz)
        for p in casters:
            near, far = interval(p.shape, p.low, p.high, origin, local, inverse)
            # From 0 at the light to 1 at the point; a little before 1, so that a surface does not shade itself.
            dark |= (near < far) & (near < 0.995) & (far > 0.0)
    return dark


def _crevice(scene: Scene, point: Channels) -> np.ndarray:
    """Ambient light left near the room's edges, in [0.46, 1]: product over the axes of how open the place is."""
    openness = np.ones_like(point[0])
    for axis in range(3):
        gap = np.minimum(point[axis], scene.size[axis] - point[axis])
        openness = openness * (0.72 + 0.28 * np.minimum(1.0, np.maximum(0.0, gap) * 2.5))
    # Every surface of the room lies at gap 0 of its own axis: undo that one factor on average.
    return np.minimum(1.0, openness * 1.25)


def radiance(scene: Scene, hits: Hits) -> Channels:
    """Linear RGB [N] that reaches the camera."""
    base = scene.ambient * _crevice(scene, hits.point) * (0.85 + 0.15 * hits.normal[1])
    total = [base, base, base]
    for light in scene.lights:
        away = tuple(hits.point[i] - light.position[i] for i in range(3))
        square = away[0] * away[0] + away[1] * away[1] + away[2] * away[2]
        facing = -(hits.normal[0] * away[0] + hits.normal[1] * away[1] + hits.normal[2] * away[2])
        strength = np.maximum(0.0, facing) / (np.sqrt(square) * (square + 0.6))
        if light.shadows:
            strength = np.where(_shadow(scene, light, hits.point, away), 0.0, strength)  # type: ignore[arg-type]
        total = [c + strength * p for c, p in zip(total, light.power, strict=True)]
    return tuple(hits.colour[i] * (total[i] + hits.emission) for i in range(3))  # type: ignore[return-value]


def develop(scene: Scene, linear: Channels, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] from linear RGB [H * W]: white balance, automatic exposure, square-root tone curve, noise."""
    # The mean brightness is an integer sum: a float sum would depend on the order of its terms.
    level = np.floor(np.minimum(linear[1], 4.0) * 4096.0).astype(np.int64)
    gain = scene.exposure / max(int(level.sum()) / (4096.0 * height * width), 1e-3)
    bits = stream_array(scene.noise_seed, height * width)
    image = np.empty((height * width, 3), np.uint8)
    for i in range(3):
        tone = np.sqrt(np.minimum(1.0, linear[i] * (gain * scene.balance[i]))) * 255.0
        first = (bits >> np.uint64(20 * i)) & np.uint64(1023)
        second = (bits >> np.uint64(20 * i + 10)) & np.uint64(1023)
        grain = (first.astype(np.float64) + second.astype(np.float64)) * (1.0 / 1023.0) - 1.0
        image[:, i] = np.floor(np.minimum(255.0, np.maximum(0.0, tone + scene.noise * grain)) + 0.5).astype(np.uint8)
    return image.reshape(height, width, 3)
