"""Training the zoo's networks."""

from mtlattack.training.cards import card
from mtlattack.training.recipes import Recipe, list_recipes, load_recipe
from mtlattack.training.trainer import TrainingState, train, training_data

__all__ = ["Recipe", "TrainingState", "card", "list_recipes", "load_recipe", "train", "training_data"]
