"""Threats, aggregators, step rules, and the attacks made of them."""

from mtlattack.attacks.aggregators import (
    Aggregator,
    LinearAggregator,
    aggregator_options,
    create_aggregator,
    list_aggregators,
)
from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.composed import ComposedAttack
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.criteria import Criterion, list_criteria
from mtlattack.attacks.minimal import MinimalAttack
from mtlattack.attacks.registry import check_options, create_attack, list_attacks, options_for, parts_of, takes_steps
from mtlattack.attacks.saga import AutoSAGA
from mtlattack.attacks.standalone import AggregatedAttack, StandaloneAttack
from mtlattack.attacks.standard import Standard
from mtlattack.attacks.steps import StepRule, create_step, list_steps, step_options
from mtlattack.attacks.targets import Target, goals_of, target_text
from mtlattack.attacks.threat import Threat
from mtlattack.attacks.universal import FittedUniversal, UniversalAttack

__all__ = [
    "AggregatedAttack",
    "Aggregator",
    "Attack",
    "AutoSAGA",
    "ComposedAttack",
    "Cost",
    "Criterion",
    "FittedUniversal",
    "LinearAggregator",
    "MinimalAttack",
    "Result",
    "Standard",
    "StandaloneAttack",
    "StepRule",
    "Target",
    "Threat",
    "UniversalAttack",
    "aggregator_options",
    "check_options",
    "create_aggregator",
    "create_attack",
    "create_step",
    "list_aggregators",
    "list_attacks",
    "list_criteria",
    "goals_of",
    "list_steps",
    "options_for",
    "parts_of",
    "step_options",
    "takes_steps",
    "target_text",
]
