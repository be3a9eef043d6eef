"""How the losses or gradients of several tasks become one direction. A new method is one file here."""

from mtlattack.attacks.aggregators.average import Average
from mtlattack.attacks.aggregators.base import Aggregator, LinearAggregator
from mtlattack.attacks.aggregators.cagrad import CAGrad
from mtlattack.attacks.aggregators.dgba import DynamicGradientBalancing
from mtlattack.attacks.aggregators.feature import SharedFeature
from mtlattack.attacks.aggregators.fia import FeatureImportance
from mtlattack.attacks.aggregators.gram import GramAggregator
from mtlattack.attacks.aggregators.maxmin import MaxMin
from mtlattack.attacks.aggregators.mgda import MGDA
from mtlattack.attacks.aggregators.minmax import MinMax
from mtlattack.attacks.aggregators.nash import NashMTL
from mtlattack.attacks.aggregators.pcgrad import PCGrad
from mtlattack.attacks.aggregators.program import ProgramAggregator
from mtlattack.attacks.aggregators.protected import Protected
from mtlattack.attacks.aggregators.registry import (
    AGGREGATORS,
    aggregator_options,
    create_aggregator,
    list_aggregators,
)
from mtlattack.attacks.aggregators.relative import Relative
from mtlattack.attacks.aggregators.saga import SelfAttention
from mtlattack.attacks.aggregators.signsum import SignSum
from mtlattack.attacks.aggregators.single import Single
from mtlattack.attacks.aggregators.skill import RemainingSkill
from mtlattack.attacks.aggregators.smta import SelectiveAttack
from mtlattack.attacks.aggregators.sparse import Regional, Sparse, SparseMaxMin
from mtlattack.attacks.aggregators.tamoo import TaskOriented
from mtlattack.attacks.aggregators.total import Total
from mtlattack.attacks.aggregators.upgrad import UPGrad
from mtlattack.attacks.aggregators.wgd import InverseWeightedGradient, WeightedGradient

__all__ = [
    "AGGREGATORS",
    "MGDA",
    "Aggregator",
    "Average",
    "CAGrad",
    "DynamicGradientBalancing",
    "FeatureImportance",
    "GramAggregator",
    "InverseWeightedGradient",
    "LinearAggregator",
    "MaxMin",
    "MinMax",
    "NashMTL",
    "PCGrad",
    "ProgramAggregator",
    "Protected",
    "Regional",
    "Relative",
    "RemainingSkill",
    "SelectiveAttack",
    "SelfAttention",
    "SharedFeature",
    "SignSum",
    "Single",
    "Sparse",
    "SparseMaxMin",
    "TaskOriented",
    "Total",
    "UPGrad",
    "WeightedGradient",
    "aggregator_options",
    "create_aggregator",
    "list_aggregators",
]
