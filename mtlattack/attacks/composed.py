"""The attacks of the registry's grid: threat × aggregator × step rule, with a criterion or a target if asked for."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtlattack.attacks.aggregators import Aggregator
from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.criteria import Criterion
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Descent, Objective
from mtlattack.attacks.options import check_norm
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.steps import StepRule
from mtlattack.attacks.targets import Target, check_target, goals_of, kept_of, led, target_text
from mtlattack.errors import InputError
from mtlattack.tasks import Goal, Model, TaskMap


@dataclass(frozen=True, kw_only=True)
class ComposedAttack(Attack):
    """Named `<step>-<aggregator>` or `<step>-<aggregator>+<criterion>`: e.g. `apgd-dgba`, `pgd-single:depth+cospgd`.

    With a `target`, a goal by task (`Task.goal`), it leads down the losses of these tasks to what the goals make of the
    labels; the others do not count. A task that is not to become worse has the goal `keep`.
    """

    aggregator: Aggregator
    step: StepRule
    criterion: Criterion | None = None
    target: Target | None = None

    def __post_init__(self) -> None:
        for part in (self.aggregator, self.step):
            check_norm(part.kind, part.norms, self.threat.norm)
        if self.criterion is not None and not self.step.uses_gradients:
            raise InputError(f"{self.step.kind} takes no gradients, so {self.criterion.kind} has none to change")
        if self.criterion is not None and not self.aggregator.looks_at_tasks:
            raise InputError(f"{self.aggregator.kind} looks at no task, so {self.criterion.kind} has no loss to change")
        if self.target is not None:
            check_target(self.target, self.aggregator, self.criterion)

    @property
    def name(self) -> str:
        name = f"{self.step.kind}-{self.aggregator.name}"
        return name if self.criterion is None else f"{name}+{self.criterion.kind}"

    @property
    def white_box(self) -> bool:
        return self.step.uses_gradients or self.aggregator.opening.backward > 0

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        objective = self._objective(problem, noise)
        images = self.step.run(objective, self.threat.ball(problem.images), noise)
        return Result(images, objective.diagnostics)

    def goals(self, tasks: TaskMap) -> dict[str, Goal]:
        return {} if self.target is None else goals_of(self.target, tasks)

    def check_model(self, model: Model, images: Tensor) -> None:
        self.aggregator.check_model(model, images)

    def _objective(self, problem: Problem, noise: Noise) -> Objective:
        if self.target is None:
            return Objective(problem, self.aggregator, self.criterion, noise)
        goals = self.goals(problem.tasks)
        return Descent(led(problem, goals), self.aggregator, self.criterion, noise, kept=kept_of(self.target))

    def cost(self, num_tasks: int) -> Cost:
        opening = self.aggregator.opening
        if self.target is not None:
            num_tasks = len(self.target)
            looked_at = self.aggregator.tasks(list(self.target))
            keeps = any(name in kept_of(self.target) for name in looked_at)
            opening = Cost(max(opening.forward, int(keeps)), opening.backward)
        return opening + self.step.cost(self.aggregator.backward_passes(num_tasks))

    def cost_with_search(self, num_tasks: int) -> Cost:
        return self.cost(num_tasks) + Cost(self.step.searched_points, 0)

    def options(self) -> dict[str, Any]:
        target = {} if self.target is None else {"target": dict(self.target)}
        return {**self.step.config(self.threat), **self.aggregator.config(), **target}

    def __str__(self) -> str:
        return super().__str__() + ("" if self.target is None else f" to {target_text(self.target)}")
