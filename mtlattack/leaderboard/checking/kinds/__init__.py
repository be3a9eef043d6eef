"""What is known of each kind of task; of a kind that is not here, the number of valid pixels alone."""

from collections.abc import Iterator, Mapping

from mtlattack.leaderboard.checking.kinds.base import Array, Contradiction, Kind, valid_pixels
from mtlattack.leaderboard.checking.kinds.normals import NORMALS
from mtlattack.leaderboard.checking.kinds.regression import DISTANCES, ERRORS
from mtlattack.leaderboard.checking.kinds.segmentation import SEGMENTATION
from mtlattack.tasks import Task

KINDS: Mapping[str, Kind] = {
    "segmentation": SEGMENTATION,
    "depth": DISTANCES,
    "depth_euclidean": DISTANCES,
    "inverse_depth": ERRORS,
    "normals": NORMALS,
    "edge_texture": ERRORS,
    "keypoints2d": ERRORS,
    "reshading": ERRORS,
    "principal_curvature": ERRORS,
}


def kind_of(task: Task) -> Kind:
    """What is known of a task."""
    return KINDS.get(task.kind, Kind(valid_pixels, _nothing))


def _nothing(task: Task, statistics: Array, losses: Array) -> Iterator[Contradiction]:
    return iter(())


__all__ = ["KINDS", "Contradiction", "Kind", "kind_of"]
