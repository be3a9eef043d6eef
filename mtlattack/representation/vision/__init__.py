"""The vision case: a backbone from source tasks, frozen, and a new head for a task that it has not seen."""

from mtlattack.representation.vision.heads import HeadTraining, learn_head, with_new_head
from mtlattack.representation.vision.images import few_images
from mtlattack.representation.vision.sources import source_recipe

__all__ = ["HeadTraining", "few_images", "learn_head", "source_recipe", "with_new_head"]
