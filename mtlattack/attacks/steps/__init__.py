"""How directions become a perturbation. A new rule is one file here."""

from mtlattack.attacks.steps.apgd import APGD
from mtlattack.attacks.steps.base import StepRule
from mtlattack.attacks.steps.bim import BIM
from mtlattack.attacks.steps.fgsm import FGSM
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.pgd import PGD
from mtlattack.attacks.steps.registry import STEPS, create_step, list_steps, step_options

__all__ = [
    "APGD",
    "BIM",
    "FGSM",
    "MIM",
    "PGD",
    "STEPS",
    "IteratedRule",
    "StepRule",
    "create_step",
    "list_steps",
    "step_options",
]
