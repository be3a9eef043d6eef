"""Which surface each ray meets first, where, and with what normal and colour."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtlattack.data.rooms.geometry import FAR, away_from_zero, interval, local_direction, surface
from mtlattack.data.rooms.scene import ID, Camera, Channels, Item, Primitive, Scene
from mtlattack.data.rooms.textures import albedo

SURFACE_LABELS = (ID["wall"], ID["wall"], ID["floor"], ID["ceiling"], ID["wall"], ID["wall"])
_NEAR = 0.05


@dataclass(slots=True)
class Hits:
    """Per ray [N]: z-depth in metres, world point, unit world normal, linear RGB albedo, emission, label, validity."""

    depth: np.ndarray
    point: Channels
    normal: Channels
    colour: Channels
    emission: np.ndarray
    label: np.ndarray
    measured: np.ndarray


def rays(camera: Camera, rows: np.ndarray, columns: np.ndarray) -> Channels:
    """World directions [h, w] through the image points (row, column); their parameter is the z-depth in metres."""
    x = ((columns - camera.cx) / camera.focal)[None, :]
    y = ((rows - camera.cy) / camera.focal)[:, None]
    r, d, f = camera.right, camera.down, camera.forward
    return tuple(x * r[i] + y * d[i] + f[i] for i in range(3))  # type: ignore[return-value]


def _bounds(camera: Camera, items: list[Item], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """First and last + 1 row and column of the ray grid that each primitive can cover: int64 [primitives, 4]."""
    frames = np.array([(i.x, i.z, i.cos, i.sin) for i in items for _ in i.primitives]).T[:, :, None]
    boxes = np.array([(p.low, p.high) for i in items for p in i.primitives])  # [M, 2, 3]
    corner = np.arange(8)
    lx, ly, lz = boxes[:, corner & 1, 0], boxes[:, (corner >> 1) & 1, 1], boxes[:, corner >> 2, 2]
    x = frames[0] + frames[2] * lx + frames[3] * lz - camera.position[0]
    y = ly - camera.position[1]
    z = frames[1] - frames[3] * lx + frames[2] * lz - camera.position[2]
    r, d, f = camera.right, camera.down, camera.forward
    depth = x * f[0] + y * f[1] + z * f[2]
    front = np.maximum(depth, 1e-3)
    u = (x * r[0] + y * r[1] + z * r[2]) / front * camera.focal + camera.cx - columns[0]
    v = (x * d[0] + y * d[1] + z * d[2]) / front * camera.focal + camera.cy - rows[0]
    height, width = len(rows), len(columns)

    def clip(values: np.ndarray, size: int) -> np.ndarray:
        return np.floor(np.minimum(np.maximum(values, -1.0), size + 1.0)).astype(np.int64)

    bounds = np.stack(
        [clip(v.min(1), height), clip(v.max(1), height) + 2, clip(u.min(1), width), clip(u.max(1), width) + 2], 1
    )
    crosses = depth.min(1) < _NEAR
    bounds[crosses] = (0, height, 0, width)
    bounds[depth.max(1) < _NEAR] = 0
    return np.minimum(np.maximum(bounds, 0), np.array([height, height, width, width]))


def _room(scene: Scene, direction: Channels, depth: np.ndarray, owner: np.ndarray) -> None:
    """Distances to the room's six inner surfaces, which every ray meets."""
    for axis in range(3):
        d = away_from_zero(direction[axis])
        ahead = d > 0.0
        t = (np.where(ahead, scene.size[axis], 0.0) - scene.camera.position[axis]) / d
        closer = t < depth
        np.copyto(depth, t, where=closer)
        np.copyto(owner, np.where(ahead, 2 * axis + 1, 2 * axis), where=closer)


def cast(scene: Scene, rows: np.ndarray, columns: np.ndarray) -> tuple[Channels, np.ndarray, np.ndarray]:
    """Directions, z-depth [h, w] and owner [h, w]: 0 to 5 a surface of the room, 6 + k the k-th primitive."""
    camera = scene.camera
    direction = rays(camera, rows, columns)
    depth = np.full((len(rows), len(columns)), FAR)
    owner = np.zeros(depth.shape, np.int64)
    _room(scene, direction, depth, owner)
    bounds = _bounds(camera, scene.items, rows, columns) if scene.items else np.zeros((0, 4), np.int64)
    k = 0
    for item in scene.items:
        mine = bounds[k : k + len(item.primitives)]
        live = mine[(mine[:, 1] > mine[:, 0]) & (mine[:, 3] > mine[:, 2])]
        if not len(live):
            k += len(item.primitives)
            continue
        top, left = int(live[:, 0].min()), int(live[:, 2].min())
        window = np.s_[top : int(live[:, 1].max()), left : int(live[:, 3].max())]
        dx, dz = local_direction(item, direction[0][window], direction[2][window])
        local = (away_from_zero(dx), away_from_zero(direction[1][window]), away_from_zero(dz))
        inverse = (1.0 / local[0], 1.0 / local[1], 1.0 / local[2])
        ox, oz = camera.position[0] - item.x, camera.position[2] - item.z
        origin = (item.cos * ox - item.sin * oz, camera.position[1], item.sin * ox + item.cos * oz)
        for primitive, (y0, y1, x0, x1) in zip(item.primitives, mine.tolist(), strict=True):
            if y1 > y0 and x1 > x0:
                part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
                near, far = interval(
                    primitive.shape,
                    primitive.low,
                    primitive.high,
                    origin,
                    (local[0][part], local[1][part], local[2][part]),
                    (inverse[0][part], inverse[1][part], inverse[2][part]),
                )
                here = depth[y0:y1, x0:x1]
                closer = (near < far) & (near < here) & (near > _NEAR)
                np.copyto(here, near, where=closer)
                np.copyto(owner[y0:y1, x0:x1], k + 6, where=closer)
            k += 1
    return direction, depth, owner


def _wall_surface(scene: Scene, which: int, point: Channels) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    axis, sign = which // 2, 1.0 if which % 2 == 0 else -1.0
    normal = tuple(sign if i == axis else 0.0 for i in range(3))
    u = point[2] if axis == 0 else point[0]
    v = point[2] if axis == 1 else point[1]
    return normal, u, v


def _item_surface(item: Item, primitive: Primitive, point: Channels) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    lx, lz = local_direction(item, point[0] - item.x, point[2] - item.z)
    (nx, ny, nz), u, v = surface(primitive.shape, primitive.low, primitive.high, (lx, point[1], lz))
    return (item.cos * nx + item.sin * nz, ny, item.cos * nz - item.sin * nx), u, v


def trace(scene: Scene, rows: np.ndarray, columns: np.ndarray) -> Hits:
    """What the rays through the grid of image points (rows, columns) meet; all fields flat, [rows * columns]."""
    direction, depth, owner = cast(scene, rows, columns)
    order = np.argsort(owner, axis=None, kind="stable")
    owners = owner.ravel()[order]
    starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]])).tolist()
    t = depth.ravel()[order]
    ray = tuple(d.ravel()[order] for d in direction)
    position = scene.camera.position
    point = tuple(position[i] + t * ray[i] for i in range(3))
    count = len(order)
    out = np.empty((7, count))  # normal, albedo, emission
    label = np.empty(count, np.uint8)
    measured = np.ones(count, bool)
    pixel = t / scene.camera.focal
    owned = [(item, primitive) for item in scene.items for primitive in item.primitives]
    for start, stop in zip(starts, starts[1:] + [count], strict=True):
        part = slice(start, stop)
        which = int(owners[start])
        here = (point[0][part], point[1][part], point[2][part])
        if which < 6:
            material = scene.surfaces[which]
            normal, u, v = _wall_surface(scene, which, here)
            label[part] = SURFACE_LABELS[which]
        else:
            item, primitive = owned[which - 6]
            material = primitive.material
            normal, u, v = _item_surface(item, primitive, here)
            label[part] = primitive.label
            measured[part] = primitive.measured
        slant = normal[0] * ray[0][part] + normal[1] * ray[1][part] + normal[2] * ray[2][part]
        out[0, part], out[1, part], out[2, part] = normal
        out[3, part], out[4, part], out[5, part] = albedo(material, u, v, pixel[part] / np.maximum(-slant, 0.1))
        out[6, part] = material.emission
    back = np.empty(count, np.int64)
    back[order] = np.arange(count)
    out = out[:, back]
    return Hits(
        depth=depth.ravel(),
        point=(point[0][back], point[1][back], point[2][back]),
        normal=(out[0], out[1], out[2]),
        colour=(out[3], out[4], out[5]),
        emission=out[6],
        label=label[back],
        measured=measured[back],
    )
