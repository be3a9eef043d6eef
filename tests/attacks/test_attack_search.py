"""A search model gives the gradients, the model itself judges: who is called how often, and who has the last word."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import Attack, Cost, create_attack
from mtlattack.attacks.objective import Objective
from mtlattack.errors import InputError
from mtlattack.models import lower_precision, prepare_for_attack

STEPS: dict[str, dict[str, int]] = {
    "fgsm": {},
    "bim": {"steps": 4},
    "mim": {"steps": 4},
    "pgd": {"steps": 4},
    "pgd, restarts": {"steps": 3, "restarts": 3},
    "nim": {"steps": 4},
    "tim": {"steps": 4},
    "dim": {"steps": 4},
    "adam": {"steps": 4},
    "decay": {"steps": 4},
    "decay, restarts": {"steps": 3, "restarts": 2},
    "apgd": {"steps": 6},
    "apgd, 1 step": {"steps": 1},
    "apgd, restarts": {"steps": 5, "restarts": 3},
}
# They score the best point of each run and its last.
TRACKED = ("apgd", "adam", "decay")
LAST = [step for step in STEPS if not step.startswith(TRACKED) and "restarts" not in step]
every_step = pytest.mark.parametrize("step", STEPS)
every_aggregator = pytest.mark.parametrize("aggregator", ["single:depth", "total", "signsum", "dgba"])


def attack_of(step: str, aggregator: str, **more: Any) -> Attack:
    return create_attack(f"{step.partition(',')[0]}-{aggregator}", eps=0.2, **STEPS[step], **more)


def other_net() -> ToyNet:
    """The same tasks, other weights: what it thinks good is often bad."""
    model, generator = ToyNet(), torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def judged_points(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """Points and scores that the model was asked for, as they come."""
    asked = []

    class Spy(Objective):
        def score(self, points: Tensor) -> Tensor:
            score = super().score(points)
            asked.append((points, score))
            return score

    monkeypatch.setattr("mtlattack.attacks.composed.Objective", Spy)
    return asked


def best_of(asked: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """For each image the point with the highest score, the first of equals, and which one that is."""
    winner = torch.stack([score for _, score in asked]).argmax(0)
    return torch.stack([points for points, _ in asked])[winner, torch.arange(len(winner))], winner


# --- passes


@pytest.mark.sampled(4)
@every_aggregator
@every_step
def test_gradients_come_from_the_search_and_judgements_from_the_model(step: str, aggregator: str) -> None:
    model, search, (images, targets) = Counted(ToyNet()), Counted(other_net()), toy_batch(3)
    attack = attack_of(step, aggregator)
    attack(model, images, targets, search=search)
    restarts = attack.step.restarts
    gradients = restarts * attack.step.steps
    assert search.forwards == gradients
    assert search.backwards["images"] == gradients * attack.aggregator.backward_passes(3)
    if step.startswith(TRACKED):
        assert model.forwards == attack.step.searched_points + restarts == 2 * restarts
    else:
        assert model.forwards == (restarts if restarts > 1 else 0)
    assert set(model.backwards.values()) == {0}
    spent = Cost(search.forwards + model.forwards, search.backwards["images"])
    assert spent == attack.cost_with_search(3)


@pytest.mark.sampled(4)
@every_aggregator
@every_step
def test_the_model_itself_as_search_costs_nothing_more(step: str, aggregator: str) -> None:
    model, (images, targets) = Counted(ToyNet()), toy_batch(3)
    attack = attack_of(step, aggregator)
    attack(model, images, targets, search=model)
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3)


@pytest.mark.parametrize(
    ("name", "options", "more"),
    [
        ("fgsm-total", {}, 0),
        ("pgd-dgba", {"restarts": 3}, 0),
        ("apgd-dgba", {}, 1),
        ("apgd-signsum", {"restarts": 4}, 4),
        ("decay-dgba", {"restarts": 2}, 2),
        ("square-dgba", {}, 0),
        ("noise-dgba", {}, 0),
    ],
)
def test_cost_with_search(name: str, options: dict[str, int], more: int) -> None:
    attack = create_attack(name, eps=0.1, **options)
    cost = attack.cost(3)
    assert attack.cost_with_search(3) == replace(cost, forward=cost.forward + more)


# --- results


@pytest.mark.sampled(4)
@every_aggregator
@every_step
def test_a_copy_of_the_model_changes_nothing(step: str, aggregator: str) -> None:
    model, (images, targets) = ToyNet(), toy_batch(4)
    attack = attack_of(step, aggregator)
    expected = attack(model, images, targets)
    assert torch.equal(attack(model, images, targets, search=copy.deepcopy(model)), expected)
    assert torch.equal(attack(model, images, targets, search=model), expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("step", LAST)
def test_without_a_choice_the_search_alone_decides(step: str, norm: str) -> None:
    """A rule that returns its last point gives what it gives on the search model."""
    images, targets = toy_batch(4)
    attack = attack_of(step, "dgba", norm=norm)
    search = other_net()
    assert torch.equal(attack(ToyNet(), images, targets, search=search), attack(search, images, targets))


class Contrary(ToyNet):
    """Sees the images inverted: what it climbs, the model falls."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return super().forward(1 - images)


@pytest.mark.parametrize("make", [other_net, Contrary])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 2, 12])
def test_apgd_returns_the_better_of_best_and_last_by_the_models_score(
    steps: int, norm: str, make: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, model, (images, targets) = judged_points(monkeypatch), ToyNet(), toy_batch(16)
    attack = create_attack("apgd-total", norm=norm, eps=0.2, steps=steps)
    result = attack(model, images, targets, search=make())
    assert len(asked) == 2
    expected, winner = best_of(asked)
    assert torch.equal(result, expected)
    assert make is Contrary or steps == 1 or len(winner.unique()) == 2
    score = torch.stack(losses_of(model, result, targets), 1).sum(1)
    torch.testing.assert_close(score, torch.stack([score for _, score in asked]).amax(0))


def test_a_search_that_climbs_the_negated_losses_is_overruled() -> None:
    weight = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    model, search, flat = (LinearNet({"a": factor * weight}) for factor in (1, -1, 0))
    images, targets = torch.full((2, 3, 4, 4), 0.5), {"a": torch.zeros(2)}
    worst = images - 0.1 * weight.sign()
    once, twice = (create_attack("apgd-total", eps=0.1, steps=steps) for steps in (1, 2))
    # One step: the search saw the clean image alone, and the model finds the last point worse.
    assert torch.equal(once(model, images, targets, search=search), images)
    # Two: it has been where the model would not go, and went there again.
    torch.testing.assert_close(twice(model, images, targets, search=search), worst)
    # To a model that sees no difference the search's best is as good as any.
    assert torch.equal(once(flat, images, targets, search=search), images)
    torch.testing.assert_close(twice(flat, images, targets, search=search), worst)


@pytest.mark.parametrize("step", ["pgd, restarts", "apgd, restarts"])
def test_restarts_are_chosen_by_the_models_score(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, (images, targets) = judged_points(monkeypatch), toy_batch(16)
    attack = attack_of(step, "dgba")
    result = attack(ToyNet(), images, targets, search=other_net())
    assert len(asked) == (6 if step.startswith("apgd") else 3)
    expected, winner = best_of(asked)
    assert torch.equal(result, expected) and len(winner.unique()) >= 3


@pytest.mark.sampled(4)
@every_aggregator
@every_step
def test_result_does_not_depend_on_the_batch(step: str, aggregator: str) -> None:
    model, search, (images, targets) = ToyNet(), other_net(), toy_batch(6)
    attack = attack_of(step, aggregator)
    together = attack(model, images, targets, search=search)
    alone = attack(model, images[[4]], {name: value[[4]] for name, value in targets.items()}, [4], search=search)
    assert torch.equal(alone[0], together[4])
    assert (together - images).abs().max() <= 0.2 and together.min() >= 0 and together.max() <= 1


# --- the search model


def state(model: nn.Module) -> list[object]:
    return [
        [part.training for part in model.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.tolist()) for p in model.parameters()],
        [value.tolist() for value in model.state_dict().values()],
    ]


@pytest.mark.parametrize("step", ["pgd", "apgd"])
def test_search_is_left_as_it_was(step: str) -> None:
    class Watching(ToyNet):
        seen: set[tuple[bool, bool]] = set()

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            self.seen.add((any(m.training for m in self.modules()), any(p.requires_grad for p in self.parameters())))
            return super().forward(images)

    search = Watching().train()
    search.norm.eval()
    search.stem.grad = torch.ones_like(search.stem)
    before = state(search)
    attack_of(step, "dgba")(ToyNet(), *toy_batch(2), search=search)
    assert state(search) == before and Watching.seen == {(False, False)}


def test_search_and_model_are_left_as_they_were_when_the_search_raises() -> None:
    class Failing(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise RuntimeError("no such kernel")

    model, search = ToyNet().train(), Failing().train()
    before = state(model), state(search)
    with pytest.raises(RuntimeError, match="no such kernel"):
        attack_of("apgd", "dgba")(model, *toy_batch(2), search=search)
    assert (state(model), state(search)) == before


def test_search_that_misses_a_task() -> None:
    class Silent(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return {name: value for name, value in super().forward(images).items() if name != "depth"}

    with pytest.raises(InputError, match="the model predicts normals, segmentation, not its task 'depth'"):
        attack_of("apgd", "total")(ToyNet(), *toy_batch(2), search=Silent())


def test_search_in_bfloat16_hurts_as_much() -> None:
    """On a toy with smooth losses the score reached by the model's own account is within 5 %."""
    model, (images, targets) = ToyNet(), toy_batch(16)
    prepared = prepare_for_attack(model, images)
    attack = create_attack("apgd-total", eps=0.1, steps=10)
    results = [attack(prepared, images, targets, search=s) for s in (None, lower_precision(prepared))]
    with torch.no_grad():
        clean, plain, low = (torch.stack(losses_of(model, x, targets)).sum(0).mean() for x in (images, *results))
    assert not torch.equal(*results)
    assert float((low - clean) / (plain - clean)) == pytest.approx(1, abs=0.05)
