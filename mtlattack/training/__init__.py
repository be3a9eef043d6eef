"""Training the zoo's networks."""

from mtlattack.training.recipes import Recipe, list_recipes, load_recipe
from mtlattack.training.trainer import TrainingState, train, training_data

__all__ = ["Recipe", "TrainingState", "list_recipes", "load_recipe", "train", "training_data"]
