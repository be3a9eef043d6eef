"""How directions become a perturbation. A new rule is one file here."""

from mtlattack.attacks.steps.adam import Adam
from mtlattack.attacks.steps.apgd import APGD
from mtlattack.attacks.steps.base import StepRule
from mtlattack.attacks.steps.bim import BIM
from mtlattack.attacks.steps.bsr import BSR
from mtlattack.attacks.steps.decay import Decay
from mtlattack.attacks.steps.dim import DIM
from mtlattack.attacks.steps.fgsm import FGSM
from mtlattack.attacks.steps.heavyball import HeavyBall
from mtlattack.attacks.steps.iterated import IteratedRule
from mtlattack.attacks.steps.mim import MIM
from mtlattack.attacks.steps.nim import NIM
from mtlattack.attacks.steps.noise import RandomNoise
from mtlattack.attacks.steps.pgd import PGD
from mtlattack.attacks.steps.registry import STEPS, create_step, list_steps, step_options
from mtlattack.attacks.steps.sim import SIM
from mtlattack.attacks.steps.square import Square
from mtlattack.attacks.steps.tim import TIM
from mtlattack.attacks.steps.tracked import PathRule, TrackedRule
from mtlattack.attacks.steps.vmi import VMI

__all__ = [
    "APGD",
    "BIM",
    "BSR",
    "DIM",
    "FGSM",
    "MIM",
    "NIM",
    "PGD",
    "SIM",
    "STEPS",
    "TIM",
    "VMI",
    "Adam",
    "Decay",
    "HeavyBall",
    "IteratedRule",
    "PathRule",
    "RandomNoise",
    "Square",
    "StepRule",
    "TrackedRule",
    "create_step",
    "list_steps",
    "step_options",
]
