"""Models as users bring them that failed once: each is attacked as its twin, or told from it by what it deserves."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import case_toys
import h5py
import pytest
import torch

from mtlattack import Output
from mtlattack.analysis import Run
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.models import MultiTaskNetwork, wrap
from mtlattack.tasks import Depth

evaluate = partial(evaluate_anywhere, device="cpu")
EPS = 4 / 255


def attacks() -> list[Attack]:
    """Two that a scale of the logits cannot dodge, and two that need no gradient or one step."""
    names = {"apgd-skill+dlr": {"steps": 3}, "apgd-single:segmentation+dlr": {"steps": 3}, "fgsm-total": {}}
    return [create_attack(name, eps=EPS, **options) for name, options in names.items()] + [
        create_attack("square-relative", eps=EPS, steps=3),
        create_attack("noise-dgba", eps=EPS, restarts=2),
    ]


def quick() -> list[Attack]:
    """Two of one step, with gradients and without."""
    return [create_attack("fgsm-total", eps=EPS), create_attack("noise-dgba", eps=EPS, restarts=2)]


@pytest.fixture(scope="module")
def plain(trained: MultiTaskNetwork, rooms: PreparedDataset) -> Run:
    return evaluate(trained, rooms, quick())


@pytest.fixture(scope="module")
def twin(trained: MultiTaskNetwork, rooms: PreparedDataset) -> Run:
    return evaluate(wrap(trained, trained.tasks), rooms, attacks())


def flags(run: Run) -> list[str]:
    return [flag.name for flag in run.report().record.flags]


def robust(run: Run) -> float:
    (skill,) = run.report().record.robust_skill
    assert skill.skill.mean.value is not None
    return skill.skill.mean.value


def test_a_constant_in_disguise_has_no_skill_and_is_flagged(rooms: PreparedDataset) -> None:
    run = evaluate(case_toys.flat(), rooms, attacks())
    record = run.report().record
    assert record.clean_skill is not None and record.clean_skill.mean.value < 0.05 and robust(run) < 0.02
    named = [flag.seen for flag in record.flags if flag.name == "no-better-than-constant"]
    assert [task for task in run.tasks if any(f" {task} " in text for text in named)] == list(run.tasks)


@pytest.mark.parametrize("name", ["cool", "hot"])
def test_a_scale_of_the_logits_buys_nothing(name: str, rooms: PreparedDataset, twin: Run) -> None:
    run = evaluate(getattr(case_toys, name)(), rooms, attacks())
    own, record = twin.report().record, run.report().record
    assert record.clean_skill is not None and own.clean_skill is not None
    assert record.clean_skill.mean.value == pytest.approx(own.clean_skill.mean.value)
    assert abs(robust(run) - robust(twin)) < 0.02
    assert "logit-scale" in flags(run) and "logit-scale" not in flags(twin)


def test_a_wrong_unit_is_named_with_its_factor(rooms: PreparedDataset) -> None:
    report = evaluate(case_toys.millimetres(), rooms, []).report()
    (flag,) = [flag for flag in report.record.flags if flag.name == "wrong-unit"]
    factor = re.fullmatch(r"depth: predictions are about ([\d,]+) times the labels: millimetres .*", flag.seen)
    assert factor and float(factor[1].replace(",", "")) == pytest.approx(1000, rel=0.2)
    assert "⚠ wrong-unit: depth: " in str(report)


def test_negative_depths_are_named_with_their_share(whole_rooms: PreparedDataset) -> None:
    model = case_toys.behind_the_camera()
    report = evaluate(model, whole_rooms, []).report()
    with torch.no_grad():
        depths = torch.cat([model(whole_rooms[i].images)["depth"][:, 0] for i in range(len(whole_rooms))])
    labelled = torch.cat([whole_rooms[i].targets["depth"] for i in range(len(whole_rooms))]) > 0
    share = 100 * float((depths[labelled] <= 0).double().mean())
    (flag,) = [flag for flag in report.record.flags if flag.name == "negative-depth"]
    said = re.fullmatch(r"depth: ([\d.]+) % of the predictions are not positive, .*", flag.seen)
    assert said and 1 < share and float(said[1]) == pytest.approx(share, rel=0.06)
    assert "⚠ negative-depth: depth: " in str(report)


@pytest.mark.filterwarnings("ignore:.*left as it was", "ignore:.*weight_norm.*", "ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*TorchScript.*", "ignore:.*torch.jit.*", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "tolerance"), [("in_place", 1e-5), ("weight_normed", 0.0), ("traced", 2e-3)])
def test_attacked_as_its_twin(name: str, tolerance: float, rooms: PreparedDataset, plain: Run) -> None:
    """Equal to the bit where the same arithmetic is done; `in_place` normalises, and its network undoes it."""
    run = evaluate(getattr(case_toys, name)(), rooms, quick())
    for one, other in zip([run.clean, *run.attacked], [plain.clean, *plain.attacked], strict=True):
        torch.testing.assert_close(
            torch.from_numpy(one.losses), torch.from_numpy(other.losses), rtol=tolerance, atol=tolerance
        )
        assert one.perturbation[:, 0].max() <= EPS


def test_somebodys_autocast_changes_nothing(trained: MultiTaskNetwork, rooms: PreparedDataset, plain: Run) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        around = evaluate(trained, rooms, quick())
    assert around.plan == plain.plan
    for one, other in zip([plain.clean, *plain.attacked], [around.clean, *around.attacked], strict=True):
        assert (one.losses == other.losses).all()


def test_a_task_without_a_valid_pixel_is_refused(trained: MultiTaskNetwork, rooms_path: Path, tmp_path: Path) -> None:
    """Else it would have no loss to lose and no metric, and pass."""
    blank = Path(shutil.copy(rooms_path, tmp_path / "blank.h5"))
    with h5py.File(blank, "a") as file:
        file["test/depth"][:] = 0
    out = tmp_path / "out" / "evidence.h5"
    with pytest.raises(InputError, match="^depth: none of the 4 images has a valid pixel, expected labels or to leave"):
        evaluate(trained, load_dataset(blank, tasks=trained.tasks), attacks(), path=out)
    assert not out.parent.exists()


def test_another_transform_in_the_same_folder_is_another_run(rooms_path: Path, tmp_path: Path) -> None:
    data, net = load_dataset(rooms_path, tasks={"depth": Depth()}, limit=2), torch.nn.Conv2d(3, 1, 1)

    def run(transform: Callable[[torch.Tensor], torch.Tensor]) -> Run:
        model = wrap(net, {"depth": Depth()}, outputs={"depth": Output((), transform=transform)})
        return evaluate(model, data, [], path=tmp_path / "evidence.h5", name="mine")

    first = run(lambda depth: depth.exp())
    with pytest.raises(InputError, match=r"evidence.h5 holds another run \(other model\); start anew with --fresh"):
        run(lambda depth: depth.abs())
    assert (run(lambda depth: depth.exp()).clean.losses == first.clean.losses).all()
