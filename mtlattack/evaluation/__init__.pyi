from .apart import craft_to, judge_from
from .choosing import Chosen, choose
from .crafting import Crafted, craft
from .judging import judge
from .keeping import ImageFile
from .runner import evaluate
from .suites import Suite, list_suites, load_suite
from .transfers import transfer, transfer_between_tasks

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
    "transfer",
    "transfer_between_tasks",
]
