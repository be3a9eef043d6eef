"""The attacks of the registry's grid: threat × aggregator × step rule, and a criterion if one is asked for."""

from dataclasses import dataclass
from typing import Any

from mtlattack.attacks.aggregators import Aggregator
from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.criteria import Criterion
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.options import check_norm
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.steps import StepRule
from mtlattack.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ComposedAttack(Attack):
    """Named `<step>-<aggregator>` or `<step>-<aggregator>+<criterion>`: e.g. `apgd-dgba`, `pgd-single:depth+cospgd`."""

    aggregator: Aggregator
    step: StepRule
    criterion: Criterion | None = None

    def __post_init__(self) -> None:
        for part in (self.aggregator, self.step):
            check_norm(part.kind, part.norms, self.threat.norm)
        if self.criterion is not None and not self.step.uses_gradients:
            raise InputError(f"{self.step.kind} takes no gradients, so {self.criterion.kind} has none to change")
        if self.criterion is not None and not self.aggregator.looks_at_tasks:
            raise InputError(f"{self.aggregator.kind} looks at no task, so {self.criterion.kind} has no loss to change")

    @property
    def name(self) -> str:
        name = f"{self.step.kind}-{self.aggregator.name}"
        return name if self.criterion is None else f"{name}+{self.criterion.kind}"

    @property
    def white_box(self) -> bool:
        return self.step.uses_gradients or self.aggregator.opening.backward > 0

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        objective = Objective(problem, self.aggregator, self.criterion, noise)
        images = self.step.run(objective, self.threat.ball(problem.images), noise)
        return Result(images, objective.diagnostics)

    def cost(self, num_tasks: int) -> Cost:
        return self.aggregator.opening + self.step.cost(self.aggregator.backward_passes(num_tasks))

    def cost_with_search(self, num_tasks: int) -> Cost:
        return self.cost(num_tasks) + Cost(self.step.searched_points, 0)

    def options(self) -> dict[str, Any]:
        return {**self.step.config(self.threat.radius), **self.aggregator.config()}
