"""The runner: evidence holds what a plain loop computes; what is done stays done; nothing is lost by a mistake."""

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from evaluation_toys import PREPARING, Fickle, Little

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import PreparedDataset, join_batches, load_dataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evidence import Evidence, EvidenceFile, Outcome, read_evidence
from mtlattack.models import prepare_for_attack

EPS = 4 / 255
# Where there is an accelerator it would be the default, and a loop on the CPU gives other digits.
evaluate = partial(evaluate_anywhere, device="cpu")


def two_attacks(seed: int = 0) -> list[Attack]:
    return [create_attack("fgsm-total", eps=EPS, seed=seed), create_attack("pgd-dgba", eps=EPS, seed=seed, steps=2)]


@pytest.fixture(scope="module")
def whole_run(small_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a finished run of two attacks, for copies."""
    path, data = tmp_path_factory.mktemp("whole") / "evidence.h5", load_dataset(small_path)
    evaluate(Little(data.tasks), data, two_attacks(), batch_size=2, path=path, name="Fickle")
    return path


@pytest.fixture
def path(whole_run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(whole_run, tmp_path))


def assert_equal(a: Evidence, b: Evidence) -> None:
    for one, other in zip([a.clean, *a.attacked], [b.clean, *b.attacked], strict=True):
        np.testing.assert_array_equal(one.losses, other.losses)
        np.testing.assert_array_equal(one.perturbation, other.perturbation)
        for name in a.tasks:
            np.testing.assert_array_equal(one.statistics[name], other.statistics[name])


def count_done(path: Path) -> int:
    return sum(int(marks.sum()) for marks in EvidenceFile(path).done().values())


# --- what is measured


def test_evidence_is_what_a_plain_loop_computes(network: Little, data: PreparedDataset) -> None:
    attack = two_attacks(seed=3)[1]
    evidence = evaluate(network, data, [attack], batch_size=3)
    assert evidence.ids == data.ids and list(evidence.tasks) == list(network.tasks)
    prepared = prepare_for_attack(network, data[0].images)
    for rows in (slice(0, 3), slice(3, 4)):
        batch = join_batches([data[i] for i in range(rows.start, rows.stop)])
        moved = attack(prepared, batch.images, batch.targets, batch.ids)
        for images, stored in ((batch.images, evidence.clean), (moved, evidence.attacked[0])):
            with torch.no_grad():
                predictions, plain = prepared(images), network(images)
            for column, (name, task) in enumerate(network.tasks.items()):
                losses = task.loss(predictions[name], batch.targets[name]).numpy()
                np.testing.assert_array_equal(stored.losses[rows, column], losses)
                statistics = task.statistics(predictions[name], batch.targets[name]).numpy()
                np.testing.assert_array_equal(stored.statistics[name][rows], statistics)
                # The prepared copy is the network up to rounding.
                losses = task.loss(plain[name], batch.targets[name]).numpy()
                np.testing.assert_allclose(stored.losses[rows, column], losses, rtol=1e-4)
            delta = (images.double() - batch.images.double()).flatten(1).numpy()
            changed = (images != batch.images).any(1).flatten(1).sum(1).numpy()
            norms = np.stack([np.abs(delta).max(1), np.sqrt((delta**2).sum(1)), np.abs(delta).sum(1), changed], 1)
            np.testing.assert_allclose(stored.perturbation[rows], norms, rtol=1e-12)


def test_clean_metrics_are_those_of_the_tasks(network: Little, data: PreparedDataset) -> None:
    record = evaluate(network, data, [], batch_size=3).report().record
    batch = join_batches([data[i] for i in range(len(data))])
    with torch.no_grad():
        predictions = network(batch.images)
    for name, task in network.tasks.items():
        sums = task.statistics(predictions[name], batch.targets[name]).double().sum(0).numpy()
        for metric, value in task.metrics(sums).items():
            assert record.clean[name][metric] == pytest.approx(float(value), rel=1e-4, abs=1e-3), (name, metric)
        mean = task.loss(predictions[name], batch.targets[name]).mean()
        assert record.clean_losses[name] == pytest.approx(float(mean), rel=1e-5)
    assert record.attacks == []


@pytest.mark.parametrize(("norm", "eps", "column"), [("linf", EPS, 0), ("l2", 0.5, 1)])
def test_perturbation_stays_in_the_ball(
    norm: str, eps: float, column: int, network: Little, data: PreparedDataset
) -> None:
    evidence = evaluate(network, data, [create_attack("pgd-total", eps=eps, norm=norm, steps=2)])
    sizes = evidence.attacked[0].perturbation[:, column]
    assert (sizes <= eps * (1 + 1e-6)).all() and (sizes > eps / 2).all()
    assert not evidence.clean.perturbation.any()
    result = evidence.report().record.attacks[0]
    assert (result.max_linf, result.max_l2)[column] == sizes.max()


def test_batch_size_changes_nothing_but_rounding(network: Little, data: PreparedDataset) -> None:
    one, all_at_once = (evaluate(network, data, two_attacks(), batch_size=size) for size in (1, 4))
    for a, b in zip([one.clean, *one.attacked], [all_at_once.clean, *all_at_once.attacked], strict=True):
        np.testing.assert_allclose(a.losses, b.losses, rtol=1e-3)
        for name in one.tasks:
            # A pixel at a border may fall to either side.
            np.testing.assert_allclose(a.statistics[name], b.statistics[name], rtol=1e-3, atol=20)


def test_model_is_left_as_it_was(network: Little, data: PreparedDataset) -> None:
    network.train()
    before = copy.deepcopy(network.state_dict())
    evaluate(network, data, two_attacks()[:1])
    assert network.training and all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_model_in_training_mode_is_scored_in_eval_mode(network: Little, data: PreparedDataset) -> None:
    assert_equal(evaluate(network.train(), data, []), evaluate(network.eval(), data, []))


# --- stopping and going on


@pytest.mark.parametrize("call", [1, 3, 5, 12])
def test_exception_keeps_what_was_done(
    call: int, network: Little, data: PreparedDataset, whole_run: Path, tmp_path: Path
) -> None:
    model, path = Fickle(network, fail_at=PREPARING + call), tmp_path / "evidence.h5"
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(model, data, two_attacks(), batch_size=2, path=path)
    costs = [1, 2, 3, 1, 2, 3]  # calls of clean, fgsm (gradient, measuring) and pgd on the two batches
    finished = next(n for n in range(6) if sum(costs[: n + 1]) >= call)
    assert count_done(path) == 2 * finished
    with pytest.raises(InputError, match=r"is not finished: .* lacks . images; run it again"):
        read_evidence(path)
    model.calls.count, model.calls.fail_at = 0, -1
    assert_equal(evaluate(model, data, two_attacks(), batch_size=2, path=path), read_evidence(whole_run))
    assert model.calls.count == PREPARING + sum(costs[finished:])


def test_exception_while_preparing_writes_nothing(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(Fickle(network, fail_at=1), data, [], path=tmp_path / "evidence.h5")
    assert not list(tmp_path.iterdir())


def test_finished_run_is_not_computed_again(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    model, path = Fickle(network), tmp_path / "evidence.h5"
    first = evaluate(model, data, two_attacks(), path=path)
    content = path.read_bytes()
    assert model.calls.count == PREPARING + 6
    model.calls.count = 0
    assert_equal(evaluate(model, data, two_attacks(), path=path), first)
    assert_equal(read_evidence(path), first)
    assert model.calls.count == PREPARING and path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def change_attacks(run: dict[str, Any]) -> None:
    run["attacks"] = two_attacks()[:1]


def change_steps(run: dict[str, Any]) -> None:
    run["attacks"] = [two_attacks()[0], create_attack("pgd-dgba", eps=EPS, steps=3)]


def change_data(run: dict[str, Any]) -> None:
    run["data"] = load_dataset(run["data"].path, tasks=run["model"].tasks, limit=2)


def change_weights(run: dict[str, Any]) -> None:
    run["model"] = Little(run["model"].tasks, seed=1)


def change_batch(run: dict[str, Any]) -> None:
    run["batch_size"] = 5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_attacks, "attacks"),
        (change_steps, "attacks"),
        (change_data, "data"),
        (change_weights, "model"),
        (change_batch, "batch_size"),
    ],
)
def test_another_run_is_not_overwritten(
    change: Callable[[dict[str, Any]], None],
    named: str,
    network: Little,
    data: PreparedDataset,
    path: Path,
) -> None:
    run = {"model": network, "data": data, "attacks": two_attacks(), "batch_size": 2, "path": path, "name": "Fickle"}
    content = path.read_bytes()
    change(run)
    with pytest.raises(
        InputError, match=rf"evidence.h5 holds another run \(other {named}(, constants)?\); start anew with --fresh"
    ):
        evaluate(**run)
    assert path.read_bytes() == content
    evaluate(**run, fresh=True)
    assert read_evidence(path).plan["data"]["images"] == len(run["data"])


def test_fresh_computes_again_and_a_mistake_keeps_the_old(
    network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    model, path = Fickle(network), tmp_path / "evidence.h5"
    evaluate(model, data, [], path=path)
    content = path.read_bytes()
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        evaluate(model, data, [], path=path, fresh=True, device="gpu")
    assert path.read_bytes() == content and model.calls.count == PREPARING + 1
    evaluate(model, data, [], path=path, fresh=True)
    assert model.calls.count == 2 * (PREPARING + 1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_evidence_is_named_and_kept(share: float, network: Little, data: PreparedDataset, path: Path) -> None:
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    for use in (lambda: evaluate(network, data, [], path=path), lambda: read_evidence(path)):
        with pytest.raises(InputError, match="evidence.h5 is truncated or no HDF5 file"):
            use()
    assert path.read_bytes() == content


def _without(name: str) -> Callable[[h5py.File], None]:
    def remove(file: h5py.File) -> None:
        del file[name]

    return remove


@pytest.mark.parametrize(
    "damage",
    [
        _without("clean/diagnostics"),
        _without("clean/statistics/depth"),
        _without("clean"),
        _without("id"),
        lambda file: file.attrs.pop("plan"),
        lambda file: file.attrs.modify("plan", "{"),
        lambda file: file.attrs.modify("plan", "{}"),
    ],
)
def test_damaged_evidence_is_named(damage: Callable[[h5py.File], None], path: Path) -> None:
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(InputError, match="evidence.h5 is damaged"):
        read_evidence(path)


def _as(name: str, **made: Any) -> Callable[[h5py.File], None]:
    def replace(file: h5py.File) -> None:
        values = file[name][:]
        del file[name]
        file.create_dataset(name, **({"data": values} | made))

    return replace


@pytest.mark.parametrize(
    "damage",
    [
        _without("clean/diagnostics"),
        _without("constant/depth"),
        _as("clean/losses", dtype=np.float16),
        _as("clean/done", data=np.ones(7, np.uint8)),
        _as("clean/seconds", data=np.zeros((2, 2), np.float32)),
        _as("id", data=["x", "y"], dtype=h5py.string_dtype()),
    ],
)
def test_a_run_does_not_go_on_with_what_it_did_not_lay_out(
    damage: Callable[[h5py.File], None], network: Little, data: PreparedDataset, path: Path
) -> None:
    with h5py.File(path, "r+") as file:
        file["clean/done"][:] = 0
        damage(file)
    content = path.read_bytes()
    with pytest.raises(InputError, match="evidence.h5 is damaged"):
        evaluate(Little(data.tasks), data, two_attacks(), batch_size=2, path=path, name="Fickle")
    assert path.read_bytes() == content


def test_foreign_and_missing_files(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no evidence file .*none.h5"):
        read_evidence(tmp_path / "none.h5")
    with pytest.raises(InputError, match="has format 'mtlattack-dataset' version 1, expected 'mtlattack-evidence' 2"):
        read_evidence(data.path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*evidence.h5"):
        evaluate(network, data, [], path=tmp_path / "file" / "evidence.h5")


def test_two_runs_do_not_write_the_same_file(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    path = tmp_path / "evidence.h5"
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(Fickle(network, fail_at=PREPARING + 2), data, [], batch_size=2, path=path)
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", hold, path], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="evidence.h5 is being written by another run"):
            evaluate(Fickle(network), data, [], batch_size=2, path=path)
        with pytest.raises(InputError, match="not finished"):
            read_evidence(path)


# --- models and data that do not fit


def test_attack_that_ends_in_nan_is_named_with_its_images(
    network: Little, data: PreparedDataset, tmp_path: Path
) -> None:
    path = tmp_path / "evidence.h5"
    attacks = [create_attack("fgsm-total", eps=0.01)]
    with pytest.raises(
        InputError,
        match=r"fgsm-total \(linf 2.55/255\) on images test-00000 to test-00001: the model's prediction of depth is",
    ):
        evaluate(Fickle(network, spoil="depth"), data, attacks, batch_size=2, path=path)
    done = EvidenceFile(path).done()
    assert done["clean"].tolist() == [True] * 2 + [False] * 2 and not done["attacks/0000"].any()


def test_nan_on_clean_images(network: Little, data: PreparedDataset) -> None:
    with torch.no_grad():
        next(network.heads["normals"].parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match="clean on images test-00000 to test-00003: .*prediction of normals is not"):
        evaluate(network, data, two_attacks())


def test_tasks_that_do_not_fit(network: Little, data: PreparedDataset, tmp_path: Path) -> None:
    depth_only = load_dataset(data.path, tasks={"depth": network.tasks["depth"]})
    with pytest.raises(InputError, match="the data gives labels for depth, the model predicts depth, edge_texture"):
        evaluate(network, depth_only, [], path=tmp_path / "evidence.h5")
    assert not list(tmp_path.iterdir())


def test_prediction_that_is_missing_or_of_another_size(network: Little, data: PreparedDataset) -> None:
    class Silent(Fickle):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {name: value for name, value in super().forward(images).items() if name != "depth"}

    class Small(Fickle):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {name: value[..., ::2, ::2] for name, value in super().forward(images).items()}

    with pytest.raises(InputError, match="the model predicts .*, not its task 'depth'"):
        evaluate(Silent(network), data, [])
    with pytest.raises(InputError, match=r"prediction has shape \(4, 1, 12, 16\), expected \(4, 1, 24, 32\)"):
        evaluate(Small(network), data, [])


def test_arrays_are_float64(network: Little, data: PreparedDataset) -> None:
    clean: Outcome = evaluate(network, data, []).clean
    assert clean.losses.dtype == np.float64 and clean.losses.shape == (4, 5)
    assert (clean.seconds > 0).all()
