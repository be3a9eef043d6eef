"""Every flag is raised by a run of a model that is built for it, and none by a network that ships."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from evaluation_toys import hand_evidence, random_outcome
from trust_toys import BatchStatistics, Lazy, Noisy, Overconfident, Periodic, Quantised

from mtlattack.analysis import Record, read_run
from mtlattack.analysis.comparison import join_parts
from mtlattack.analysis.tables import notes, render, render_text, to_markdown
from mtlattack.analysis.trust import CHECKS
from mtlattack.attacks import Attack, Threat, create_attack
from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evidence import Evidence
from mtlattack.models import MultiTaskNetwork
from mtlattack.printing import width_of
from mtlattack.tasks import Depth, EdgeTexture, Keypoints2D

evaluate = partial(evaluate_anywhere, device="cpu")
# What a private copy with folded batch norms cannot follow is said once more when the model is prepared.
unprepared = pytest.mark.filterwarnings("ignore:.*left as it was")


def attack(name: str, level: float = 4, **options: object) -> Attack:
    return create_attack(name, eps=level / 255, **options)  # type: ignore[arg-type]


def named(record: Record, name: str) -> list[str | None]:
    """The attacks that a flag was raised for."""
    assert name in record.checked
    return [flag.attack for flag in record.flags if flag.name == name]


def seen(record: Record, name: str) -> str:
    """What the last flag of a name says."""
    return [flag.seen for flag in record.flags if flag.name == name][-1]


# Of any run that has clean predictions and labels.
OF_PREDICTIONS = ["no-better-than-constant", "logit-scale", "wrong-unit", "negative-depth"]


def test_nothing_is_flagged_on_a_network_that_ships(trained: MultiTaskNetwork, rooms_path: Path) -> None:
    data = load_dataset(rooms_path, tasks=trained.tasks, limit=2)
    names = ("fgsm-total", "apgd-dgba", "apgd-single:depth", "apgd-single:segmentation", "noise-dgba", "square-dgba")
    attacks = [attack(name, level) for level in (2, 8) for name in names[:1]]
    attacks += [attack(name, level, steps=5) for level in (2, 8) for name in names[1:4]]
    attacks += [attack(name, level) for level in (2, 8) for name in names[4:5]]
    attacks += [attack("square-dgba", steps=20), attack("apgd-dgba", 2, steps=10)]
    record = evaluate(trained, data, attacks).report().record
    assert record.flags == [] and record.checked == list(CHECKS)
    assert "no flag raised" in render_text(record)


# --- models


@unprepared
def test_rounded_images(trained: MultiTaskNetwork, rooms: PreparedDataset, tmp_path: Path) -> None:
    """No gradient comes through, so noise is better than apgd: three flags."""
    attacks = [attack("apgd-dgba", steps=3), attack("fgsm-total"), attack("noise-dgba"), attack("square-dgba", steps=5)]
    path = tmp_path / "evidence.h5"
    record = evaluate(Quantised(trained), rooms, attacks, path=path).report().record
    cut = [f"no gradient comes through the prediction of {task}" for task in trained.tasks]
    assert [flag.seen for flag in record.flags[: len(cut)]] == cut
    assert named(record, "gradients-vanish")[len(cut) :] == ["apgd-dgba (linf 4/255)", "fgsm-total (linf 4/255)"]
    assert {"noise-dgba (linf 4/255)"} <= set(named(record, "noise-as-strong"))
    assert {"noise-dgba (linf 4/255)"} <= set(named(record, "black-box-beats-white-box"))
    flag = record.flags[len(cut)]
    assert (flag.name, flag.seen) == ("gradients-vanish", "the first gradient was zero on 100% of 2 images")
    assert read_run(path).report().record == record
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert evaluate(Quantised(trained), rooms, attacks, path=path).report().record == record
    line = f"⚠ gradients-vanish: {cut[0]}; and {len(cut) + 1} more in the record"
    assert line in " ".join(render_text(record).split()) and f"- {line}" in to_markdown(record).splitlines()
    assert max(map(len, render_text(record).splitlines())) <= width_of(render(record))


@unprepared
def test_batch_statistics(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    record = evaluate(BatchStatistics(trained), rooms, []).report().record
    assert named(record, "batch-dependent") == [None] and named(record, "random") == []
    assert "alone, an image is predicted otherwise than in a batch of 2" in notes(record)[0]
    one_by_one = evaluate(BatchStatistics(trained), rooms, [], batch_size=1).report().record
    assert one_by_one.checked == ["random", *OF_PREDICTIONS] and named(one_by_one, "random") == []


@unprepared
def test_noise_of_its_own(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    """Chance hides whether the batch matters."""
    record = evaluate(Noisy(trained), rooms, []).report().record
    assert named(record, "random") == [None] and record.checked == ["random", *OF_PREDICTIONS]
    assert record.flags[0].seen.startswith("two calls on the same 2 images differ by ")


@pytest.fixture
def depths(rooms_path: Path) -> PreparedDataset:
    return load_dataset(rooms_path, tasks={"depth": Depth()}, limit=4)


def test_a_larger_eps_that_does_not_help(depths: PreparedDataset) -> None:
    """A quarter of the period has an effect, a whole one has none."""
    attacks = [attack("fgsm-total", level) for level in (8, 1, 2)]
    record = evaluate(Periodic(), depths, attacks).report().record
    assert named(record, "more-does-not-help") == ["fgsm-total (linf 8/255)"]
    assert "than at linf 2/255 (difference [-" in seen(record, "more-does-not-help")


def test_more_steps_that_do_not_help(trained: MultiTaskNetwork, rooms: PreparedDataset) -> None:
    attacks = [Lazy(threat=Threat("linf", 4 / 255), steps=steps) for steps in (8, 1)]
    record = evaluate(trained, rooms, attacks).report().record
    assert named(record, "more-does-not-help") == ["lazy (linf 4/255)"]
    assert seen(record, "more-does-not-help").startswith("8 steps: the mean log loss ratio is ")


def test_a_loss_that_no_metric_sees(rooms_path: Path) -> None:
    segmentation = load_dataset(rooms_path).tasks["segmentation"]
    data = load_dataset(rooms_path, tasks={"segmentation": segmentation}, limit=4)
    attacks = [attack("pgd-total", 32, steps=4), attack("noise-total", 1)]
    record = evaluate(Overconfident(segmentation.classes), data, attacks).report().record  # type: ignore[attr-defined]
    assert named(record, "loss-without-metric") == ["pgd-total (linf 32/255)"]
    assert "the mean loss of segmentation rises by " in seen(record, "loss-without-metric")


# --- what is and what is not looked for


TASKS = [EdgeTexture(), Keypoints2D()]


def evidence_of(factors: dict[str, float], eps: Sequence[float] = (4 / 255,)) -> Evidence:
    """Attacks that multiply the losses of twenty images by about so much."""
    by_name, rng = {task.name: task for task in TASKS}, np.random.default_rng(0)
    clean = random_outcome(by_name, 20, rng)
    outcomes = {name: random_outcome(by_name, 20, rng, factor) for name, factor in factors.items()}
    evidence = hand_evidence(TASKS, clean, outcomes, eps)
    for planned in evidence.plan["attacks"]:
        name = planned["config"]["name"]
        planned["white_box"] = not name.startswith(("noise", "square"))
        planned["config"] |= {} if name.startswith("fgsm") else {"steps": 10}
    return evidence


def test_a_flag_is_looked_for_only_where_a_task_can_raise_it() -> None:
    """Neither edges nor keypoints are distances or classes."""
    evidence = evidence_of({})
    evidence.environment["calls"] = {"images": 4, "again": 0.0, "alone": 0.0, "looks": {"keypoints2d": {}}}
    assert evidence.report().record.checked == ["batch-dependent", "random"]


def test_evidence_without_notes_is_not_blamed() -> None:
    """An older file says neither what its calls showed nor what attacks noted."""
    record = evidence_of({"pgd-total": 3}).report().record
    assert record.checked == ["loss-without-metric"] and record.flags == []
    assert evidence_of({}).report().record.checked == []


@pytest.mark.parametrize("rival", ["fgsm-total", "pgd-single:edge_texture"])
def test_one_step_or_one_task_may_be_beaten(rival: str) -> None:
    record = evidence_of({rival: 1.5, "square-dgba": 3}).report().record
    assert "black-box-beats-white-box" not in record.checked


@pytest.mark.parametrize(("strength", "flagged"), [(1.1, False), (3.0, False), (9.0, True)])
def test_a_black_box_must_be_stronger_beyond_chance(strength: float, flagged: bool) -> None:
    record = evidence_of({"pgd-total": 3, "fgsm-total": 2, "square-dgba": strength}).report().record
    expected = ["square-dgba (linf 4/255)"] if flagged else []
    assert named(record, "black-box-beats-white-box") == expected


@pytest.mark.parametrize(("strength", "flagged"), [(2.0, False), (4.0, True)])
def test_noise_is_as_strong_from_nine_tenths_on(strength: float, flagged: bool) -> None:
    record = evidence_of({"pgd-total": 4, "noise-dgba": strength}).report().record
    results = {result.name: result.log_ratio.value for result in record.attacks}
    assert (results["noise-dgba"] >= 0.9 * results["pgd-total"]) == flagged  # type: ignore[operator]
    assert bool(named(record, "noise-as-strong")) == flagged


@pytest.mark.parametrize(("noise", "flagged"), [(0.55, True), (0.45, False)])
def test_noise_that_lowers_losses_less_than_the_attacks_do_is_as_strong(noise: float, flagged: bool) -> None:
    record = evidence_of({"pgd-total": 0.5, "noise-dgba": noise}).report().record
    results = {result.name: result.log_ratio.value for result in record.attacks}
    assert results["pgd-total"] < 0  # type: ignore[operator]
    assert (results["noise-dgba"] >= results["pgd-total"]) == flagged  # type: ignore[operator]
    assert bool(named(record, "noise-as-strong")) == flagged


def test_an_attack_after_the_smallest_perturbation_is_no_rival_and_needs_no_eps() -> None:
    evidence = evidence_of({"minimal-dgba": 2, "noise-dgba": 2}, eps=(4 / 255, 8 / 255))
    for planned, outcome in zip(evidence.plan["attacks"], evidence.attacked, strict=True):
        outcome.diagnostics[:, 2] = 1 if planned["config"]["name"].startswith("minimal") else np.nan
    record = evidence.report().record
    assert "noise-as-strong" not in record.checked
    assert [flag for flag in record.flags if flag.attack and flag.attack.startswith("minimal")] == []


def test_an_image_without_labels_has_no_gradient_to_vanish() -> None:
    evidence = evidence_of({"pgd-single:keypoints2d": 2})
    evidence.attacked[0].diagnostics[:, 0] = np.arange(20) < 10
    assert named(evidence.report().record, "gradients-vanish") == ["pgd-single:keypoints2d (linf 4/255)"]
    for outcome in (evidence.clean, evidence.attacked[0]):
        outcome.statistics["keypoints2d"][:10] = 0
    assert named(evidence.report().record, "gradients-vanish") == []


@pytest.mark.parametrize(("images", "flagged"), [(1, False), (2, True)])
def test_gradients_vanish_above_one_image_in_twenty(images: int, flagged: bool) -> None:
    evidence = evidence_of({"pgd-total": 2})
    evidence.attacked[0].diagnostics[:, 0] = np.arange(20) < images
    assert bool(named(evidence.report().record, "gradients-vanish")) == flagged


def test_parts_of_one_experiment_have_the_robust_skill_of_every_threat(
    trained: MultiTaskNetwork, rooms: PreparedDataset
) -> None:
    runs = [evaluate(trained, rooms, [create_attack("fgsm-total", eps=level / 255)]) for level in (4, 8)]
    parts = [run.report().record for run in runs]
    (joined,) = join_parts({Path(str(place)): part for place, part in enumerate(parts)}).values()
    assert joined.robust_skill == [skill for part in parts for skill in part.robust_skill]
    assert [skill.eps for skill in joined.robust_skill] == [4 / 255, 8 / 255]


def test_parts_of_one_experiment_keep_their_flags() -> None:
    """Half of the gradients vanish at the larger ε; what is about the model is said once."""
    parts = [evidence_of({"pgd-total": 2}, eps=(level / 255,)) for level in (4, 8)]
    for evidence in parts:
        evidence.environment["calls"] = {"images": 4, "again": 1.0, "alone": 0.0}
    parts[1].attacked[0].diagnostics[:, 0] = np.arange(20) < 10
    joined = join_parts({Path(f"{i}"): evidence.report().record for i, evidence in enumerate(parts)})
    (record,) = joined.values()
    assert [(flag.name, flag.attack) for flag in record.flags] == [
        ("random", None),
        ("gradients-vanish", "pgd-total (linf 8/255)"),
    ]
    assert set(record.checked) == {"random", "gradients-vanish", "loss-without-metric"}
