"""Models as users bring them that failed once: each is attacked as its twin, or told from it by what it deserves."""

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mtlattack.analysis import Run
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.models import MultiTaskNetwork, wrap

evaluate = partial(evaluate_anywhere, device="cpu")
EPS = 4 / 255


@pytest.fixture(scope="module")
def cases() -> ModuleType:
    """Factories of models beside the real data."""
    path = Path(__file__).parents[3] / "shared" / "cases" / "models.py"
    if not path.is_file():
        pytest.skip(f"no cases in {path}")
    spec = importlib.util.spec_from_file_location("case_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attacks() -> list[Attack]:
    """Two that a scale of the logits cannot dodge, and two that need no gradient or one step."""
    names = {"apgd-relative+dlr": {"steps": 4}, "apgd-single:segmentation+dlr": {"steps": 4}, "fgsm-total": {}}
    return [create_attack(name, eps=EPS, **options) for name, options in names.items()] + [
        create_attack("square-relative", eps=EPS, steps=3),
        create_attack("noise-dgba", eps=EPS),
    ]


@pytest.fixture(scope="module")
def twin(trained: MultiTaskNetwork, rooms: PreparedDataset) -> Run:
    return evaluate(wrap(trained, trained.tasks), rooms, attacks())


def flags(run: Run) -> list[str]:
    return [flag.name for flag in run.report().record.flags]


def robust(run: Run) -> float:
    (skill,) = run.report().record.robust_skill
    assert skill.skill.mean.value is not None
    return skill.skill.mean.value


def test_a_constant_in_disguise_has_no_skill_and_is_flagged(cases: ModuleType, rooms: PreparedDataset) -> None:
    run = evaluate(cases.flat(), rooms, attacks())
    record = run.report().record
    assert record.clean_skill is not None and record.clean_skill.mean.value < 0.05 and robust(run) < 0.02
    named = [flag.seen for flag in record.flags if flag.name == "no-better-than-constant"]
    assert [task for task in run.tasks if any(f" {task} " in text for text in named)] == list(run.tasks)


@pytest.mark.parametrize("name", ["cool", "hot"])
def test_a_scale_of_the_logits_buys_nothing(name: str, cases: ModuleType, rooms: PreparedDataset, twin: Run) -> None:
    run = evaluate(getattr(cases, name)(), rooms, attacks())
    own, record = twin.report().record, run.report().record
    assert record.clean_skill is not None and own.clean_skill is not None
    assert record.clean_skill.mean.value == pytest.approx(own.clean_skill.mean.value)
    assert abs(robust(run) - robust(twin)) < 0.02
    assert "logit-scale" in flags(run) and "logit-scale" not in flags(twin)


@pytest.mark.filterwarnings("ignore:.*left as it was", "ignore:.*weight_norm.*", "ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*TorchScript.*", "ignore:.*torch.jit.*", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "tolerance"), [("in_place", 1e-5), ("weight_normed", 0.0), ("traced", 2e-3)])
def test_attacked_as_its_twin(
    name: str, tolerance: float, cases: ModuleType, rooms: PreparedDataset, trained: MultiTaskNetwork
) -> None:
    """Equal to the bit where the same arithmetic is done; `in_place` normalises, and its network undoes it."""
    quick = [create_attack("fgsm-total", eps=EPS), create_attack("noise-dgba", eps=EPS)]
    expected, run = evaluate(trained, rooms, quick), evaluate(getattr(cases, name)(), rooms, quick)
    for one, other in zip([run.clean, *run.attacked], [expected.clean, *expected.attacked], strict=True):
        torch.testing.assert_close(
            torch.from_numpy(one.losses), torch.from_numpy(other.losses), rtol=tolerance, atol=tolerance
        )
        assert one.perturbation[:, 0].max() <= EPS


def test_somebodys_autocast_changes_nothing(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    quick: Callable[[], Run] = partial(evaluate, trained, rooms, [create_attack("fgsm-total", eps=EPS)])
    plain = quick()
    with torch.autocast("cpu", torch.bfloat16):
        around = quick()
    assert around.plan == plain.plan
    for one, other in zip([plain.clean, *plain.attacked], [around.clean, *around.attacked], strict=True):
        assert (one.losses == other.losses).all()
