"""The vision case: a backbone from source tasks, frozen, and a new head for a task that it has not seen."""

from mtlattack.representation.vision.grafting import with_foreign_head, with_imagenet_backbone, with_new_head
from mtlattack.representation.vision.heads import HeadTraining, learn_head
from mtlattack.representation.vision.images import few_images
from mtlattack.representation.vision.sources import source_recipe

__all__ = [
    "HeadTraining",
    "few_images",
    "learn_head",
    "source_recipe",
    "with_foreign_head",
    "with_imagenet_backbone",
    "with_new_head",
]
