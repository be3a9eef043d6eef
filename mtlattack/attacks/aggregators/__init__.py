"""How the losses or gradients of several tasks become one direction. A new method is one file here."""

from mtlattack.attacks.aggregators.base import LOSS_FLOOR, Aggregator, LinearAggregator
from mtlattack.attacks.aggregators.dgba import DynamicGradientBalancing
from mtlattack.attacks.aggregators.registry import (
    AGGREGATORS,
    aggregator_options,
    create_aggregator,
    list_aggregators,
)
from mtlattack.attacks.aggregators.signsum import SignSum
from mtlattack.attacks.aggregators.single import Single
from mtlattack.attacks.aggregators.total import Total

__all__ = [
    "AGGREGATORS",
    "LOSS_FLOOR",
    "Aggregator",
    "DynamicGradientBalancing",
    "LinearAggregator",
    "SignSum",
    "Single",
    "Total",
    "aggregator_options",
    "create_aggregator",
    "list_aggregators",
]
