"""What more passes give each of `standard`'s joint members, and what one gains that begins where another ended: see
README.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from strength import changes_of
from table import interval_text

from mtlattack.analysis.report import interval
from mtlattack.analysis.summaries import LOSS_CHANGE, SKILL
from mtlattack.attacks import ComposedAttack, create_attack
from mtlattack.attacks.attack import Result
from mtlattack.attacks.cost import Cost
from mtlattack.attacks.noise import Noise
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.attacks.standalone import ATTACKS, StandaloneAttack
from mtlattack.attacks.steps.tracked import TrackedRule
from mtlattack.cli.script import run_script
from mtlattack.data import load_dataset
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evaluation.environment import measured_on
from mtlattack.files import write_json
from mtlattack.models import create_model

ROUTES = (
    "apgd-relative 100",
    "apgd-relative 180",
    "apgd-relative 300",
    "apgd-skill+dlr 80",
    "apgd-skill+dlr 180",
    "apgd-skill+dlr 300",
    "apgd-skill+dlr 80, apgd-relative 100",
    "apgd-relative 100, apgd-skill+dlr 80",
)


@ATTACKS.register("legs")
@dataclass(frozen=True, kw_only=True)
class Legs(StandaloneAttack):
    """Attacks in a row, each from the point that the one before found best."""

    kind: ClassVar[str] = "legs"

    route: str = ROUTES[0]
    """Names and steps: `apgd-relative 100, apgd-dgba 20`."""

    def legs(self) -> list[ComposedAttack]:
        """The attacks, in order; InputError for one without a climb that can begin anywhere."""
        found = []
        for name, steps in (leg.split() for leg in self.route.split(", ")):
            attack = create_attack(name, eps=self.threat.eps, norm=self.threat.norm, seed=self.seed, steps=int(steps))
            if not (isinstance(attack, ComposedAttack) and isinstance(attack.step, TrackedRule)):
                raise InputError(f"{name} is no attack that can begin at a point")
            found.append(attack)
        return found

    def perturb(self, problem: Problem, noise: Noise) -> Result:
        ball = self.threat.ball(problem.images)
        points = problem.images
        for attack in self.legs():
            assert isinstance(attack.step, TrackedRule)
            objective = Objective(problem, attack.aggregator, attack.criterion, noise)
            points = attack.step.climb(objective, ball, points).points
        return Result(points, {})

    def cost(self, num_tasks: int) -> Cost:
        return sum((attack.cost(num_tasks) for attack in self.legs()), Cost(0, 0))


def main(
    work: Annotated[Path, typer.Option(help="Folder of the evidence.")],
    model: Annotated[str, typer.Option(help="Zoo model.")],
    limit: Annotated[int, typer.Option(min=1, help="Only the first so many rooms.")] = 8,
    eps: Annotated[float, typer.Option(min=0, help="ε · 255, l_inf.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the attacks.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
) -> None:
    """Attack one model of the rooms by every route."""
    network = create_model(model)
    images = load_dataset("rooms", "test", tasks=network.tasks, limit=limit)
    attacks = [create_attack("legs", eps=eps / 255, seed=seed, route=route) for route in ROUTES]
    evidence = evaluate(network, images, attacks, path=work / f"legs-{model}.h5", name=model, batch_size=8)
    results, losses = evidence.report().record.attacks, [change.loss_change for change in changes_of(evidence)]
    rows: list[dict[str, Any]] = [
        {"route": route, "backward_passes": result.backward_passes}
        | {summary.key: summary.of(result).model_dump() for summary in (LOSS_CHANGE, SKILL)}
        | {"over_first": interval(loss / losses[0]).model_dump()}
        for route, result, loss in zip(ROUTES, results, losses, strict=True)
    ]
    if json_path:
        about = {
            "circumstances": measured_on(choose_device()),
            "model": evidence.plan["model"],
            "data": evidence.plan["data"],
        }
        write_json(json_path, {"benchmark": "registry/legs", **about, "eps_255": eps, "seed": seed, "routes": rows})
    for row in rows:
        loss, skill = interval_text(row["loss_change"], 100, "{:.1f}"), interval_text(row["skill"], 1, "{:.4f}")
        ratio = interval_text(row["over_first"], 1, "{:.3f}")
        print(f"| `{row['route']}` | {row['backward_passes']} | {loss} | {ratio} | {skill} |")


if __name__ == "__main__":
    run_script(main)
