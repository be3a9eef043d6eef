"""The linear case, exactly: inner maxima and population risks in closed form, both stages, diversity, bounds."""

from mtlattack.representation.linear.balls import NORMS, Norm, attack_norm, check_threat, dual_norm, steepest
from mtlattack.representation.linear.bounds import Size, fit_constants, lipschitz, optimistic
from mtlattack.representation.linear.diversity import clean_nu, estimate_nu, smallest_singular
from mtlattack.representation.linear.learning import (
    Representation,
    learn_alone,
    learn_head,
    learn_representation,
    minimise_head,
)
from mtlattack.representation.linear.losses import LinearLoss, Margin, MulticlassMargin, Squared
from mtlattack.representation.linear.problem import Examples, Problem, Tasks, draw_sources, draw_target, draw_tasks
from mtlattack.representation.linear.risks import (
    least_robust_error,
    margin_risk,
    multiclass_margin_risk,
    multiclass_robust_error,
    robust_error,
    squared_risk,
)
from mtlattack.representation.linear.solver import Minimum, minimise
from mtlattack.representation.linear.transfer import (
    best_representation,
    check_new,
    check_sensible,
    least_risk,
    population,
    target_risk,
)

__all__ = [
    "NORMS",
    "Examples",
    "LinearLoss",
    "Margin",
    "Minimum",
    "MulticlassMargin",
    "Norm",
    "Problem",
    "Representation",
    "Size",
    "Squared",
    "Tasks",
    "attack_norm",
    "best_representation",
    "check_new",
    "check_sensible",
    "check_threat",
    "clean_nu",
    "draw_sources",
    "draw_target",
    "draw_tasks",
    "dual_norm",
    "estimate_nu",
    "fit_constants",
    "learn_alone",
    "learn_head",
    "learn_representation",
    "least_risk",
    "least_robust_error",
    "lipschitz",
    "margin_risk",
    "minimise",
    "minimise_head",
    "multiclass_margin_risk",
    "multiclass_robust_error",
    "optimistic",
    "population",
    "robust_error",
    "smallest_singular",
    "squared_risk",
    "steepest",
    "target_risk",
]
