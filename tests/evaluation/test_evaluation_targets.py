"""Success of targeted attacks, by brute force; that it stands in evidence, packs, resumes and prints."""

from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from evaluation_toys import assert_equal

from mtlattack.analysis import Run, read_run
from mtlattack.analysis.arrival import measure_arrival
from mtlattack.analysis.tables import to_csv, to_markdown
from mtlattack.attacks import create_attack
from mtlattack.data import PreparedDataset, join_batches
from mtlattack.errors import InputError
from mtlattack.evaluation import craft, craft_to, judge_from
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evidence import ARRIVAL, targets_of
from mtlattack.evidence.packing.compact import pack, unpack
from mtlattack.models import EnsembleSource, MultiTaskNetwork, prepare_for_attack

evaluate = partial(evaluate_anywhere, device="cpu")
EPS = 8 / 255
TARGET = {"segmentation": "*->2", "depth": "x1.5", "normals": "keep"}
LED = create_attack("apgd-relative", eps=EPS, steps=3, target=TARGET)
ATTACKS = [create_attack("fgsm-dgba", eps=EPS), LED]


@pytest.fixture(scope="module")
def led(trained: MultiTaskNetwork, whole_rooms: PreparedDataset) -> Run:
    return evaluate(trained, whole_rooms, ATTACKS)


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(0) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


def test_arrival_is_what_a_plain_loop_counts(trained: MultiTaskNetwork, led: Run, whole_rooms: PreparedDataset) -> None:
    run, batch = led, join_batches([whole_rooms[i] for i in range(len(whole_rooms))])
    assert run.attacked[0].arrival is None and list(targets_of(run.plan)) == ["attacks/0001"]
    prepared = prepare_for_attack(trained, batch.images)
    moved = LED(prepared, batch.images, batch.targets, batch.ids)
    with torch.no_grad():
        before, after = (
            {name: values.double().numpy() for name, values in prepared(x).items()} for x in (batch.images, moved)
        )
    stored = run.attacked[1].arrival
    assert stored is not None and stored.shape == (2, len(run.tasks), len(ARRIVAL))
    for image in range(2):
        row = dict(zip(run.tasks, stored[image], strict=True))
        labels = batch.targets["segmentation"][image].numpy()
        once, now = (p["segmentation"][image].argmax(0) for p in (before, after))
        aimed, rest = (labels != 255) & (labels != 2), labels == 2
        counts = [aimed.sum(), (once != 2)[aimed].sum(), (now != 2)[aimed].sum(), rest.sum(), (now != once)[rest].sum()]
        np.testing.assert_array_equal(row["segmentation"][2:], counts)

        labels = batch.targets["depth"][image].double().numpy()
        once, now = (p["depth"][image, 0] for p in (before, after))
        aimed = labels > 0
        sums = [np.abs(p - 1.5 * labels)[aimed].sum() for p in (once, now)]
        np.testing.assert_allclose(row["depth"][2:], [aimed.sum(), *sums, 0, 0], rtol=1e-4)
        np.testing.assert_allclose(row["depth"][:2], np.array(sums) / aimed.sum(), rtol=1e-4)

        labels = batch.targets["normals"][image].numpy()
        rest = (labels != 0).any(0)
        turned = angle(before["normals"][image], after["normals"][image])[rest].sum()
        np.testing.assert_allclose(row["normals"][2:], [0, 0, 0, rest.sum(), turned], rtol=1e-3)
        assert np.isnan(row["edge_texture"]).all() and np.isnan(row["keypoints2d"]).all()


def test_the_share_of_the_way_and_its_interval(led: Run) -> None:
    run = led
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    measured = measure_arrival(run.attacked[1], run.tasks, weights)
    assert list(measured) == list(TARGET) and not measure_arrival(run.attacked[0], run.tasks, weights)
    rows = run.attacked[1].arrival[:, list(run.tasks).index("segmentation")]  # type: ignore[index]
    _, _, aimed, before, after, rest, moved = (weights @ rows).T
    found = measured["segmentation"]
    np.testing.assert_allclose(found.before, 100 * before / aimed)
    np.testing.assert_allclose(found.after, 100 * after / aimed)
    np.testing.assert_allclose(found.gone, 1 - after / before)
    with np.errstate(invalid="ignore"):  # A room without class 2.
        np.testing.assert_allclose(found.moved, 100 * moved / rest)
    assert np.isnan(measured["normals"].gone).all() and (measured["normals"].moved > 0).all()
    assert found.gone[0] > 0 and measured["depth"].gone[0] > 0
    assert measured["depth"].loss_after[0] < measured["depth"].loss_before[0]


def test_it_prints_and_is_exported(network: MultiTaskNetwork, data: PreparedDataset, led: Run) -> None:
    report = led.report()
    goals = report.record.attacks[1].goals
    assert report.record.attacks[0].goals is None and goals is not None
    assert (goals["segmentation"].target, goals["segmentation"].unit) == ("*->2", "%")
    lines = str(report).splitlines()
    start = lines.index("linf 8/255: the targets")
    assert lines[start + 1].split()[:3] == ["attack", "task", "target"]
    assert lines[start + 2].split()[:3] == ["apgd-relative", "segmentation", "*->2"]
    assert lines[start + 3].split()[2] == "x1.5" and " m " in lines[start + 3] and lines[start + 4].split()[3] == "–"
    assert "| `apgd-relative` | `depth` | `x1.5` |" in to_markdown(report.record)
    assert "depth,target x1.5 gone," in to_csv(report.record)
    assert "the targets" not in str(evaluate(network, data, ATTACKS[:1]).report())


def test_files_without_a_target_are_as_before_and_those_with_one_pack(
    network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path
) -> None:
    plain = evaluate(network, data, ATTACKS[:1], path=tmp_path / "plain.h5")
    led = evaluate(network, data, ATTACKS, path=tmp_path / "led.h5")
    assert "arrival" not in str(plain.plan) and plain.attacked[0].arrival is None
    again = unpack(pack(led), "here")
    np.testing.assert_array_equal(again.attacked[1].arrival, led.attacked[1].arrival)
    assert again.attacked[0].arrival is None
    assert_equal(again, led)
    led.attacked[1].arrival[0, 0, 0] = np.nan  # type: ignore[index]
    with pytest.raises(InputError, match="arrival has values that are not finite, or that no target asks for"):
        pack(led)


def test_it_goes_on_where_it_stopped(network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    expected = evaluate(network, data, [LED], path=path, batch_size=2)
    with h5py.File(path, "r+") as file:  # As if it had been killed before the last batch.
        file["attacks/0000/done"][2:] = 0
        file["attacks/0000/arrival"][2:] = 0
    evaluate(network, data, [LED], path=path, batch_size=2)
    np.testing.assert_array_equal(read_run(path).attacked[0].arrival, expected.attacked[0].arrival)
    other = create_attack("apgd-relative", eps=EPS, steps=3, target=TARGET | {"depth": "x2"})
    with pytest.raises(InputError, match=r"holds another run \(other attacks\)"):
        evaluate(network, data, [other], path=path, batch_size=2)


def test_images_that_were_kept_are_judged_by_the_same_goal(
    network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path
) -> None:
    plain = evaluate(network, data, [LED], batch_size=3)
    file = craft_to(tmp_path / "images.h5", network, data, [LED], batch_size=3, device="cpu")
    run = judge_from(file, network, data, batch_size=3, device="cpu")
    np.testing.assert_array_equal(run.attacked[0].arrival, plain.attacked[0].arrival)


def test_an_ensemble_can_be_led(network: MultiTaskNetwork, data: PreparedDataset) -> None:
    source = EnsembleSource({"a": network, "b": network})
    (crafted,) = craft(source, data, LED, device="cpu")
    (alone,) = craft(network, data, LED, device="cpu")
    torch.testing.assert_close(crafted.result.images, alone.result.images, rtol=0, atol=2 * EPS)
    assert ((crafted.result.images - alone.result.images).abs() < 1e-4).float().mean() > 0.95


def test_what_does_not_fit_is_said_before_anything_is_done(
    network: MultiTaskNetwork, data: PreparedDataset, tmp_path: Path
) -> None:
    wrong = create_attack("pgd-total", eps=EPS, target={"depht": "x2"})
    with pytest.raises(InputError, match="^unknown task of the target 'depht'; did you mean 'depth'"):
        evaluate(network, data, [wrong], path=tmp_path / "none.h5")
    with pytest.raises(InputError, match="^unknown task of the target"):
        list(craft(network, data, wrong, device="cpu"))
    assert not (tmp_path / "none.h5").exists()
