"""rooms: indoor scenes rendered in pure numpy, with exact labels; the same index gives the same bytes anywhere."""

from mtlattack.data.rooms.features import EDGE_SCALE, KEYPOINT_SCALE
from mtlattack.data.rooms.render import HEIGHT, SCENE_VERSION, SPLITS, WIDTH, camera, render
from mtlattack.data.rooms.scene import CLASSES

__all__ = [
    "CLASSES",
    "EDGE_SCALE",
    "HEIGHT",
    "KEYPOINT_SCALE",
    "SCENE_VERSION",
    "SPLITS",
    "WIDTH",
    "camera",
    "render",
]
