"""Every step rule and aggregator there is, by the lists: a new one is covered by itself."""

import inspect
from functools import cache

import pytest
import torch
from attack_toys import Counted, ToyNet, few, toy_batch
from test_attack_norms import assert_inside
from torch import Tensor, nn

from mtlattack.attacks import Attack, Cost, create_aggregator, create_attack, create_step, list_aggregators, list_steps
from mtlattack.attacks.aggregators import AGGREGATORS
from mtlattack.attacks.aggregators.program import ProgramAggregator
from mtlattack.attacks.capabilities import aggregator_capabilities, step_capabilities
from mtlattack.attacks.steps import STEPS, TrackedRule, step_options

EPS = {"linf": 8 / 255, "l2": 0.3, "l1": 1.5, "l0": 4, "patch": 0.2}
TASKS = ["segmentation", "depth", "normals"]
PAIRS = [f"{step}-{aggregator}" for step in list_steps() for aggregator in ("dgba", "signsum")]
PAIRS += [f"{step}-{name}" for name in list_aggregators(tasks=["depth"]) for step in ("fgsm", "apgd")]
PAIRS = sorted(set(PAIRS))
MODEL = ToyNet()
every_pair = pytest.mark.parametrize("name", PAIRS)


def norms_of(name: str) -> list[str]:
    """All that it is made for where this is a step rule with dgba or an aggregator with fgsm, else the first."""
    step, _, aggregator = name.partition("-")
    parts = (create_step(step), create_aggregator(aggregator))
    norms = [norm for norm in EPS if all(part.norms is None or norm in part.norms for part in parts)]
    return norms if aggregator == "dgba" or step == "fgsm" else norms[:1]


def attack_of(name: str, norm: str) -> Attack:
    # What a program's solver does in a step is thousands of operations, the same ones in the next.
    steps = 2 if isinstance(create_aggregator(name.partition("-")[2]), ProgramAggregator) else 3
    return create_attack(name, norm=norm, eps=EPS[norm], **few(name, steps=steps, restarts=2))


@cache
def batch() -> tuple[Tensor, dict[str, Tensor]]:
    return toy_batch(2)


def second() -> tuple[Tensor, dict[str, Tensor], list[int]]:
    """The second image of the batch by itself."""
    images, targets = batch()
    return images[[1]], {name: value[[1]] for name, value in targets.items()}, [1]


@pytest.mark.sampled(4)
@every_pair
def test_inside_the_ball_and_the_same_alone(name: str) -> None:
    images, targets = batch()
    for norm in norms_of(name):
        attack = attack_of(name, norm)
        result = attack(MODEL, images, targets)
        assert result.shape == images.shape and not result.requires_grad
        assert_inside(norm, EPS[norm], images, result)
        # A rule that keeps the best point may find none in three steps.
        assert isinstance(attack.step, TrackedRule) or not torch.equal(result, images)
        assert torch.equal(attack(MODEL, *second())[0], result[1])


@pytest.mark.sampled(4)
@every_pair
def test_passes_are_those_that_the_attack_says(name: str) -> None:
    images, targets = batch()
    attack = attack_of(name, "linf")
    model = Counted(ToyNet())
    result = attack(model, images, targets)
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(len(TASKS))
    model, search = Counted(ToyNet()), Counted(ToyNet())
    assert torch.equal(attack(model, images, targets, search=search), result)
    spent = Cost(model.forwards + search.forwards, model.backwards["images"] + search.backwards["images"])
    assert spent == attack.cost_with_search(len(TASKS))
    assert model.backwards["images"] == 0


def accelerators() -> list[str]:
    return [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]


@pytest.mark.skipif(not accelerators(), reason="no CUDA and no MPS device here")
@every_pair
def test_on_an_accelerator_it_stays_inside_and_hurts_as_much(name: str) -> None:
    images, targets = batch()
    for device in accelerators():
        model = ToyNet().to(device)
        attack = attack_of(name, norms_of(name)[0])
        result = attack(model, images.to(device), {key: value.to(device) for key, value in targets.items()})
        assert result.device.type == device
        assert_inside(attack.threat.norm, attack.threat.eps, images, result.cpu())
        # The same random numbers, other rounding: signs of gradients near zero may differ.
        moved = (attack(MODEL, images, targets) - result.cpu()).abs()
        assert moved.mean() < 0.25 * attack.threat.radius


class Low(nn.Module):
    """A toy that computes in fewer bits and says so in its predictions."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.dtype, self.tasks = ToyNet().to(dtype), dtype, MODEL.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.model(images.to(self.dtype))

    def shared_features(self, images: Tensor) -> Tensor:
        return self.model.shared_features(images.to(self.dtype))

    def with_shared_features(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        return self.model.with_shared_features(images.to(self.dtype))


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.bfloat16) for name in PAIRS] + [(name, torch.float16) for name in PAIRS if name.endswith("-dgba")],
)
def test_a_search_in_fewer_bits_works(name: str, dtype: torch.dtype) -> None:
    images, targets = batch()
    result = attack_of(name, "linf")(MODEL, images, targets, search=Low(dtype))
    assert result.dtype == torch.float32
    assert_inside("linf", EPS["linf"], images, result)


@pytest.mark.parametrize("part", [*STEPS, *AGGREGATORS])
def test_docstrings_name_their_source_and_their_cost(part: str) -> None:
    entry = (STEPS if part in STEPS else AGGREGATORS).get(part)
    own = inspect.getdoc(entry) or ""
    assert "arXiv" in own or "ours" in own or part == "average"
    inherited = [inspect.getdoc(base) or "" for base in entry.__mro__ if base.__module__.startswith("mtlattack")]
    assert any("pass" in doc or "Costs" in doc for doc in inherited)


# --- what lists show


def value_of(words: str, symbol: str, number: int) -> int:
    """Of "2T + 1", "5K − 4" and the like."""
    terms = words.replace(" − ", " + -").split(" + ")
    return sum(int(term.removesuffix(symbol) or 1) * (number if symbol in term else 1) for term in terms)


@pytest.mark.parametrize("kind", list_steps())
def test_a_step_rules_passes_in_words_are_its_cost(kind: str) -> None:
    can = step_capabilities(kind)
    words = can.passes.removesuffix(" backward").split(" forward, ")
    for steps in (1, 7, 20):
        rule = create_step(kind, **({"steps": steps} if "steps" in step_options(kind) else {}))
        assert Cost(*(value_of(count, "K", steps) for count in words)) == rule.cost(1)
    assert can.gradients == (rule.cost(1).backward > 0) == rule.uses_gradients and can.targeted
    assert set(can.norms) == set(EPS if rule.norms is None else rule.norms)


@pytest.mark.parametrize("kind", list(AGGREGATORS))
def test_an_aggregators_passes_in_words_are_its_cost(kind: str) -> None:
    can = aggregator_capabilities(kind)
    aggregator = create_aggregator(f"{kind}:depth" if AGGREGATORS.get(kind).needs_task else kind)
    backward, _, opening = can.passes.partition(" backward a step")
    for tasks in (2, 3, 5, 8):
        assert value_of(backward, "T", tasks) == aggregator.backward_passes(tasks)
    said = {(0, 0): "", (1, 0): ", 1 forward a run", (30, 30): ", 30 forward and 30 backward a run"}
    assert opening == said[aggregator.opening.forward, aggregator.opening.backward]
    assert can.gradients and can.targeted == (not aggregator.why_no_target())


@pytest.mark.parametrize("kind", [*STEPS, *AGGREGATORS])
def test_summaries_are_one_sentence(kind: str) -> None:
    summary = (step_capabilities if kind in STEPS else aggregator_capabilities)(kind).summary
    assert 20 < len(summary) < 400 and "\n" not in summary and not summary.endswith((".", " al", " eq"))
    assert summary.count("(") == summary.count(")")
    if kind == "mim":
        assert summary == "v ← μ·v + g/‖g‖₁ per image, steps of ε/steps (Dong et al. 2018, arXiv 1710.06081, eq. 6)"
