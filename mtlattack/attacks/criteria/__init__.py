"""How much each pixel's loss counts while an attack climbs. A new criterion is one file here."""

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.cospgd import CosPGD
from mtlattack.attacks.criteria.dlr import DLR
from mtlattack.attacks.criteria.houdini import Houdini
from mtlattack.attacks.criteria.registry import CRITERIA, create_criterion, list_criteria
from mtlattack.attacks.criteria.segpgd import SegPGD

__all__ = ["CRITERIA", "DLR", "CosPGD", "Criterion", "Houdini", "SegPGD", "create_criterion", "list_criteria"]
