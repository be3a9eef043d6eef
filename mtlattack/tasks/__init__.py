"""What is predicted and how it is scored."""

from mtlattack.tasks.base import Metric, Task, TaskMap
from mtlattack.tasks.depth import Depth
from mtlattack.tasks.heatmap import EdgeTexture, Heatmap, Keypoints2D
from mtlattack.tasks.normals import Normals
from mtlattack.tasks.registry import create_task, list_tasks, task_from_config
from mtlattack.tasks.segmentation import Segmentation

__all__ = [
    "Depth",
    "EdgeTexture",
    "Heatmap",
    "Keypoints2D",
    "Metric",
    "Normals",
    "Segmentation",
    "Task",
    "TaskMap",
    "create_task",
    "list_tasks",
    "task_from_config",
]
