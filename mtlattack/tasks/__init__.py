"""What is predicted and how it is scored."""

from mtlattack.tasks.base import LOSS_FLOOR, Task, TaskMap
from mtlattack.tasks.classes import Classes
from mtlattack.tasks.classification import Classification
from mtlattack.tasks.contradictions import Contradiction, somewhere
from mtlattack.tasks.curvature import PrincipalCurvature
from mtlattack.tasks.depth import Depth, DepthEuclidean, InverseDepth
from mtlattack.tasks.faults import check_classes, labels_in_words
from mtlattack.tasks.goals import KEEP, Goal
from mtlattack.tasks.heatmap import EdgeTexture, Heatmap, Keypoints2D, Reshading
from mtlattack.tasks.joint import JointTask, alone, joint_features, mean_loss
from mtlattack.tasks.metric import Metric
from mtlattack.tasks.model import Model, predict, undisturbed
from mtlattack.tasks.multilabel import MultiLabel
from mtlattack.tasks.normals import Normals
from mtlattack.tasks.painting import Painting
from mtlattack.tasks.plugins import add_plugins, load_plugins
from mtlattack.tasks.registry import (
    TASKS,
    UnknownKindError,
    create_task,
    describe_tasks,
    list_tasks,
    task_from_config,
    task_types,
)
from mtlattack.tasks.regression import Regression, SignedRegression
from mtlattack.tasks.scalar import Scalar
from mtlattack.tasks.segmentation import Segmentation

__all__ = [
    "KEEP",
    "LOSS_FLOOR",
    "Classes",
    "Classification",
    "Contradiction",
    "Depth",
    "DepthEuclidean",
    "EdgeTexture",
    "Goal",
    "Heatmap",
    "InverseDepth",
    "JointTask",
    "Keypoints2D",
    "Metric",
    "Model",
    "MultiLabel",
    "Normals",
    "Painting",
    "PrincipalCurvature",
    "Regression",
    "Reshading",
    "Scalar",
    "Segmentation",
    "SignedRegression",
    "TASKS",
    "Task",
    "TaskMap",
    "UnknownKindError",
    "add_plugins",
    "alone",
    "check_classes",
    "joint_features",
    "create_task",
    "describe_tasks",
    "list_tasks",
    "labels_in_words",
    "load_plugins",
    "mean_loss",
    "predict",
    "somewhere",
    "task_from_config",
    "task_types",
    "undisturbed",
]

# Last, for they import from here.
load_plugins()
