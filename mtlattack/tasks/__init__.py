"""What is predicted and how it is scored."""

from mtlattack.tasks.base import Metric, Task, TaskMap
from mtlattack.tasks.curvature import PrincipalCurvature
from mtlattack.tasks.depth import Depth, DepthEuclidean, InverseDepth
from mtlattack.tasks.heatmap import EdgeTexture, Heatmap, Keypoints2D, Reshading
from mtlattack.tasks.model import Model, predict, undisturbed
from mtlattack.tasks.normals import Normals
from mtlattack.tasks.registry import create_task, list_tasks, task_from_config
from mtlattack.tasks.regression import Regression
from mtlattack.tasks.segmentation import Segmentation

__all__ = [
    "Depth",
    "DepthEuclidean",
    "EdgeTexture",
    "Heatmap",
    "InverseDepth",
    "Keypoints2D",
    "Metric",
    "Model",
    "Normals",
    "PrincipalCurvature",
    "Regression",
    "Reshading",
    "Segmentation",
    "Task",
    "TaskMap",
    "create_task",
    "list_tasks",
    "predict",
    "task_from_config",
    "undisturbed",
]
