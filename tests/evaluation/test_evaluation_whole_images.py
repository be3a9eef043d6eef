"""Tasks of pixels and of whole images in one network: attacked, balanced, judged, led to goals, transferred."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from whole_image_toys import TASKS, Whole, write_whole

import mtlattack as mta
from mtlattack.analysis import Run
from mtlattack.attacks import create_attack
from mtlattack.data import load_dataset
from mtlattack.data.prepared import PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate, transfer, transfer_between_tasks
from mtlattack.tasks import JointTask, Scalar

EPS = 8 / 255
WHOLE = ("classification", "multilabel", "scalar")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    path = write_whole(tmp_path_factory.mktemp("whole") / "whole.h5", count=4, size=(8, 8))
    return load_dataset(path, tasks=TASKS)


@pytest.fixture(scope="module")
def batch(data: PreparedDataset) -> tuple[Tensor, dict[str, Tensor]]:
    parts = [data[k] for k in range(4)]
    return torch.cat([p.images for p in parts]), {name: torch.cat([p.targets[name] for p in parts]) for name in TASKS}


ATTACKS = [
    *(f"bim-{name}" for name in ("total", "dgba", "mgda", "pcgrad", "nash", "ta-moo", "maxmin", "signsum", "regional")),
    *(f"bim-single:{name}" for name in TASKS),
    *(f"bim-relative+{name}" for name in ("dlr", "cospgd", "segpgd")),
    *(f"{step}-relative" for step in ("apgd", "square", "bsr", "dim", "vmi")),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_way_to_attack_takes_them(name: str, batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    images, targets = batch
    found = create_attack(name, eps=EPS, steps=2)(Whole(TASKS), images, targets)
    assert (found - images).abs().max() <= EPS * (1 + 1e-6) and found.min() >= 0 and found.max() <= 1
    unlabelled = name.removeprefix("bim-single:") in WHOLE
    assert bool((found[1] != images[1]).any()) != unlabelled  # Of the second image nothing is known as a whole.
    assert (found[[0, 2, 3]] != images[[0, 2, 3]]).flatten(1).any(1).all()


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.5), ("l1", 5.0), ("l0", 8), ("patch", 0.1)])
def test_every_norm_takes_them(norm: str, eps: float, batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    images, targets = batch
    found = create_attack("pgd-relative", norm=norm, eps=eps, steps=2)(Whole(TASKS), images, targets)
    assert (found != images).any() and found.isfinite().all()


@pytest.fixture(scope="module")
def run(data: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    goals = {"segmentation": "*->2", "classification": "*->2", "multilabel": "+1", "scalar": "x1.5", "depth": "keep"}
    attacks = [
        create_attack("apgd-relative", eps=EPS, steps=4),
        create_attack("apgd-relative", eps=EPS, steps=4, target=goals),
    ]
    return evaluate(Whole(TASKS), data, attacks, path=tmp_path_factory.mktemp("run") / "run")


def test_a_run_holds_the_numbers_of_the_tasks(run: Run, batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    images, targets = batch
    with torch.inference_mode():
        predictions = Whole(TASKS)(images)
    for column, (name, task) in enumerate(TASKS.items()):
        np.testing.assert_allclose(run.clean.losses[:, column], task.loss(predictions[name], targets[name]), rtol=1e-5)
        expected = task.statistics(predictions[name], targets[name])
        np.testing.assert_allclose(run.clean.statistics[name], expected, rtol=1e-4, atol=1e-6)
    record = run.report().record
    assert record.clean_skill is not None and set(record.clean_skill.tasks) == set(TASKS)
    guess, true = predictions["scalar"][:, 0], targets["scalar"]
    known = true.isfinite()
    errors = (guess - true)[known].abs().mean(), (true[known].median() - true)[known].abs().mean()
    assert record.clean_skill.tasks["scalar"].value == pytest.approx(float(1 - errors[0] / errors[1]), rel=1e-4)


def test_goals_are_measured_for_those_that_have_a_label(run: Run) -> None:
    arrival = run.attacked[1].arrival
    assert arrival is not None
    places = list(TASKS)
    for name, known in (("classification", 1), ("multilabel", 1), ("scalar", 1)):
        aimed, rest = arrival[:, places.index(name), 2], arrival[:, places.index(name), 5]
        assert aimed[1] == rest[1] == 0 and (aimed[[0, 2, 3]] + rest[[0, 2, 3]] >= known).all(), name


def test_standard_meets_the_logits_of_whole_images(data: PreparedDataset) -> None:
    members = [member.name for member in create_attack("standard", eps=EPS).members(TASKS)]
    assert "apgd-single:classification+dlr" in members and "apgd-single:multilabel+dlr" not in members
    alone = {"classification": TASKS["classification"], "scalar": Scalar()}
    members = [member.name for member in create_attack("standard", eps=EPS).members(alone)]
    assert "apgd-skill+dlr" in members
    by_name = [member.name for member in create_attack("standard", eps=EPS).members(list(alone))]
    assert by_name == members


def test_attacks_carry_over_between_pixels_and_images(data: PreparedDataset, tmp_path: Path) -> None:
    model, attacks = Whole(TASKS), {name: create_attack(f"fgsm-single:{name}", eps=EPS) for name in TASKS}
    done = transfer_between_tasks({"a": model}, data, attacks, path=tmp_path / "tasks")
    assert done.record()
    attack = create_attack("fgsm-relative", eps=EPS)
    assert transfer({"a": model}, {"b": Whole(TASKS, 1)}, data, attack, path=tmp_path / "models").record()


def test_a_module_that_gives_maps_is_told_to_pool(batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    tasks = {"scalar": Scalar()}
    net = nn.Conv2d(3, 1, 1)
    with pytest.raises(InputError, match=r"gives \(4, 1, 8, 8\), expected \(4, 1\): one answer an image, pool it"):
        mta.wrap(net, tasks, outputs={"scalar": ()})(batch[0])
    pooled = mta.Output((), transform=lambda x: x.mean((2, 3)))
    assert mta.wrap(net, tasks, size_multiple=5, outputs={"scalar": pooled})(batch[0])["scalar"].shape == (4, 1)


def test_several_sources_answer_at_once(batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    task, targets = TASKS["classification"], batch[1]["classification"]
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    expected = (task.loss(logits[:, :3], targets) + task.loss(logits[:, 3:], targets)) / 2
    assert torch.equal(JointTask(task, 2).loss(logits, targets), expected)


def test_somebodys_own_labels_may_be_numbers(batch: tuple[Tensor, dict[str, Tensor]]) -> None:
    images, _ = batch
    tasks = {name: TASKS[name] for name in WHOLE}
    labels = [{"classification": k % 3, "multilabel": [k % 2, 1], "scalar": 3 + k} for k in range(4)]
    run = evaluate(Whole(tasks), list(zip(images, labels, strict=True)), [create_attack("fgsm-total", eps=EPS)])
    assert run.clean.statistics["scalar"][:, 0].tolist() == [1, 1, 1, 1]
    labels[2]["classification"] = 3
    with pytest.raises(InputError, match="classification has class 3, expected 0 to 2 or -1"):
        evaluate(Whole(tasks), list(zip(images, labels, strict=True)), [create_attack("fgsm-total", eps=EPS)])
    labels[2]["classification"] = np.zeros((8, 8), np.int64)
    with pytest.raises(InputError, match=r"has shape \(8, 8\), expected \(\): it is one of the whole image"):
        evaluate(Whole(tasks), list(zip(images, labels, strict=True)), [create_attack("fgsm-total", eps=EPS)])
