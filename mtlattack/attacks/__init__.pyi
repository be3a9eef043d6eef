from .aggregators import (
    Aggregator,
    LinearAggregator,
    aggregator_options,
    create_aggregator,
    list_aggregators,
)
from .attack import Attack, Result
from .composed import ComposedAttack
from .cost import Cost
from .criteria import Criterion, list_criteria
from .minimal import MinimalAttack
from .registry import check_options, create_attack, list_attacks, options_for, parts_of, takes_steps
from .saga import AutoSAGA
from .standalone import AggregatedAttack, StandaloneAttack
from .standard import Standard
from .steps import StepRule, create_step, list_steps, step_options
from .targets import Target, goals_of, target_text
from .threat import Threat
from .universal import FittedUniversal, UniversalAttack

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
