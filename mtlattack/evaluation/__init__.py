"""Running attacks on models and measuring what became of each task."""

from mtlattack.evaluation.apart import craft_to, judge_from
from mtlattack.evaluation.choosing import Chosen, choose
from mtlattack.evaluation.crafting import Crafted, craft
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.keeping import ImageFile
from mtlattack.evaluation.runner import evaluate
from mtlattack.evaluation.suites import Suite, list_suites, load_suite

__all__ = [
    "Chosen",
    "Crafted",
    "ImageFile",
    "Suite",
    "choose",
    "craft",
    "craft_to",
    "evaluate",
    "judge",
    "judge_from",
    "list_suites",
    "load_suite",
]
