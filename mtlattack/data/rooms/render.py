"""One image with all its labels, from a split and an index alone."""

import numpy as np

from mtlattack.data.rooms.features import edge_texture, keypoints2d
from mtlattack.data.rooms.layout import make_scene
from mtlattack.data.rooms.rng import Stream, seed_of
from mtlattack.data.rooms.scene import Camera, Scene
from mtlattack.data.rooms.shading import develop, radiance
from mtlattack.data.rooms.trace import Hits, trace

HEIGHT, WIDTH = 96, 128
SCENE_VERSION = 1
SPLITS = ("train", "test")
DEPTH_STEP = 4
"""Millimetres; depth is a multiple of it, about what an indoor depth sensor resolves."""


def scene(index: int, split: str) -> Scene:
    """The scene behind `render(index, split)`."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r} of rooms; expected one of {', '.join(map(repr, SPLITS))}")
    if index < 0:
        raise ValueError(f"index {index} of rooms is negative; expected 0 or more")
    return make_scene(Stream(seed_of("rooms", SCENE_VERSION, split, int(index))), HEIGHT, WIDTH)


def camera(index: int, split: str) -> Camera:
    """The camera behind `render(index, split)`: a point at z-depth z in pixel (row, column) has the camera
    coordinates ((column + 0.5 - cx) z / focal, (row + 0.5 - cy) z / focal, z)."""
    return scene(index, split).camera


def _image(room: Scene, centres: Hits) -> np.ndarray:
    """uint8 [H, W, 3]: half from the pixels' centres, half from their four corners (quincunx anti-aliasing)."""
    corners = trace(room, np.arange(HEIGHT + 1.0), np.arange(WIDTH + 1.0))
    mixed = []
    for middle, corner in zip(radiance(room, centres), radiance(room, corners), strict=True):
        # Clipped first, or one bright sample would hide the edge of a lamp.
        c = np.minimum(corner, 3.0).reshape(HEIGHT + 1, WIDTH + 1)
        around = (c[:-1, :-1] + c[:-1, 1:]) + (c[1:, :-1] + c[1:, 1:])
        mixed.append(np.minimum(middle, 3.0) * 0.5 + around.ravel() * 0.125)
    return develop(room, tuple(mixed), HEIGHT, WIDTH)  # type: ignore[arg-type]


def render(index: int, split: str) -> dict[str, np.ndarray]:
    """Image and labels of one scene; the same bytes on any machine.

    Args:
        index: 0 or more; any number of scenes exists.
        split: "train" or "test"; they share no scene.

    Returns:
        `image` uint8 [H, W, 3]; `segmentation` uint8 [H, W], an index of `CLASSES`; `depth` uint16 [H, W], z-depth in
        millimetres, 0 = invalid; `normals` int8 [H, W, 3], 127 times the unit normal in camera axes (x right, y down,
        z forward), 0, 0, 0 = invalid; `edge_texture` and `keypoints2d` uint16 [H, W], in [0, 1] after `EDGE_SCALE` and
        `KEYPOINT_SCALE`. H = 96, W = 128.
    """
    room = scene(index, split)
    hits = trace(room, np.arange(HEIGHT) + 0.5, np.arange(WIDTH) + 0.5)
    image = _image(room, hits)
    depth = np.floor(hits.depth * (1000.0 / DEPTH_STEP) + 0.5) * DEPTH_STEP
    n = hits.normal
    normals = np.empty((HEIGHT * WIDTH, 3), np.int8)
    for i, axis in enumerate((room.camera.right, room.camera.down, room.camera.forward)):
        along = n[0] * axis[0] + n[1] * axis[1] + n[2] * axis[2]
        normals[:, i] = np.floor(np.where(hits.measured, along * 127.0, 0.0) + 0.5).astype(np.int8)
    return {
        "image": image,
        "segmentation": hits.label.reshape(HEIGHT, WIDTH),
        "depth": np.where(hits.measured, depth, 0.0).astype(np.uint16).reshape(HEIGHT, WIDTH),
        "normals": normals.reshape(HEIGHT, WIDTH, 3),
        "edge_texture": edge_texture(image),
        "keypoints2d": keypoints2d(image),
    }
