"""Training: clean, adversarial and TRADES, by recipes."""

from mtlattack.training.cards import card
from mtlattack.training.curves import plot_curves, write_curves
from mtlattack.training.recipes import Adversarial, Recipe, Validation, list_recipes, load_recipe
from mtlattack.training.state import TrainingState
from mtlattack.training.trainer import train, training_data

__all__ = [
    "Adversarial",
    "Recipe",
    "TrainingState",
    "Validation",
    "card",
    "list_recipes",
    "load_recipe",
    "plot_curves",
    "train",
    "training_data",
    "write_curves",
]
