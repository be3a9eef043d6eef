"""How much each pixel's loss counts while an attack climbs. A new criterion is one file here."""

from mtlattack.attacks.criteria.base import Criterion
from mtlattack.attacks.criteria.registry import CRITERIA, create_criterion, list_criteria

__all__ = ["CRITERIA", "Criterion", "create_criterion", "list_criteria"]
