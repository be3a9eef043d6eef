"""`standard`: a fixed set of attacks, of which each image takes the one that hurts it most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mtlattack import attacks
from mtlattack.attacks.aggregators.relative import Relative
from mtlattack.attacks.attack import Attack, Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, StandaloneAttack
from mtlattack.attacks.steps.base import Best
from mtlattack.tasks import Classes, Segmentation, Task, TaskMap, alone, task_types


@dataclass(frozen=True)
class Member:
    """An attack by name, `:*` for one a task; `norms` are those in which it takes part (None: any).

    One for a `kind` of task is left out where the model has none of it, and its `:*` names those of it alone.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    norms: tuple[str, ...] | None = None
    kind: type[Task] | None = None

    def names(self, tasks: TaskMap | Sequence[str]) -> list[str]:
        """Of the attacks that it is on a model with these tasks; one given by its name alone is of that kind."""
        if isinstance(tasks, Mapping):
            fitting = [name for name, task in tasks.items() if self.kind is None or isinstance(alone(task), self.kind)]
        else:
            kinds = task_types()
            fitting = [name for name in tasks if self.kind is None or issubclass(kinds.get(name, Task), self.kind)]
        if ":*" in self.name:
            return [self.name.replace(":*", f":{task}") for task in fitting]
        return [self.name] if fitting else []


@ATTACKS.register("standard")
@dataclass(frozen=True, kw_only=True)
class Standard(StandaloneAttack):
    """What the leaderboard runs: nobody has to choose (in the manner of AutoAttack, arXiv 2003.01690).

    An evaluation runs the members one by one, and takes the worst case of each image: for a task's numbers the member
    that leaves its worst headline metric, for the joint ones that with the highest mean relative loss change. Called by
    itself it gives the images of the latter, judged by the model. The composition is part of the version; a change
    of either changes numbers. `apgd-skill+dlr` goes by the number that models are ranked by. A defence that scales the
    logits of classes, of pixels or images, meets members with DLR, which no scale changes.

    Costs the sum of its members, and called by itself one forward pass for each and one for the clean losses; without
    classes less than `cost` says, with several tasks of classes more.
    """

    kind: ClassVar[str] = "standard"
    version: ClassVar[int] = 3
    composition: ClassVar[tuple[Member, ...]] = (
        Member("apgd-relative", {"steps": 100}),
        Member("apgd-skill+dlr", {"steps": 80}),
        Member("apgd-single:*", {"steps": 20}),
        Member("apgd-single:*+dlr", {"steps": 20}, kind=Classes),
        Member("square-relative", {"steps": 50}, norms=("linf",)),
    )

    def members(self, tasks: TaskMap | Sequence[str]) -> tuple[Attack, ...]:
        """The attacks that it consists of on a model with these tasks; one given by its name alone is of that kind."""
        return tuple(
            attacks.create_attack(
                name,
                eps=self.threat.eps,
                norm=self.threat.norm,
                quantized=self.threat.quantized,
                seed=self.seed,
                **member.options,
            )
            for member in self.composition
            if member.norms is None or self.threat.norm in member.norms
            for name in member.names(tasks)
        )

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        judge = Objective(problem, Relative())
        best: Best | None = None
        for member in self.members(problem.tasks):
            points = self.threat.settle(problem.images, member.perturb(problem, noise).images.detach())
            score = judge.score(points)
            if best is None:
                best = Best(points, score)
            else:
                best.offer(points, score)
        assert best is not None, "no composition is empty"
        return Result(best.points, {})

    def cost(self, num_tasks: int) -> Cost:
        return self._sum([member.cost(num_tasks) for member in self.members(_numbered(num_tasks))])

    def cost_with_search(self, num_tasks: int) -> Cost:
        return self._sum([member.cost_with_search(num_tasks) for member in self.members(_numbered(num_tasks))])

    def _sum(self, costs: list[Cost]) -> Cost:
        """With the passes that judge, one a member, and the clean one that they are compared with."""
        return Cost(sum(cost.forward for cost in costs) + len(costs) + 1, sum(cost.backward for cost in costs))


def _numbered(num_tasks: int) -> list[str]:
    """Tasks of which only the number counts, and that one of them is segmentation."""
    return [Segmentation.kind, *(f"task{index}" for index in range(1, num_tasks))]
