"""Training: it learns, it resumes to the same bits, and chance comes from the seed."""

import re
from pathlib import Path

import pytest
import torch
from training_toys import write_data, write_recipe

from mtlattack.errors import InputError
from mtlattack.training import Recipe, TrainingState, load_recipe, train
from mtlattack.training.trainer import one_cycle


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "toy.h5")


def recipe_of(tmp_path: Path, data: Path, more: str = "", options: str = "") -> Recipe:
    return load_recipe(write_recipe(tmp_path, data, more, options))


def weights_equal(a: TrainingState, b: TrainingState) -> bool:
    ours, theirs = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in ours)


class Killed(Exception):
    """Stops a run from the report of an epoch."""


def killing(epoch: int):
    def report(text: str) -> None:
        if text.startswith(f"epoch {epoch}/"):
            raise Killed

    return report


def test_one_cycle_rises_linearly_and_falls_as_a_cosine():
    assert one_cycle(0) == 0 and one_cycle(0.05) == pytest.approx(0.5) and one_cycle(0.1) == pytest.approx(1)
    assert one_cycle(0.55) == pytest.approx(0.5) and one_cycle(1) == pytest.approx(0)
    factors = [one_cycle(i / 200) for i in range(201)]
    assert factors[:21] == sorted(factors[:21]) and factors[20:] == sorted(factors[20:], reverse=True)
    assert min(factors) >= 0 and max(factors) <= 1
    assert one_cycle(0, warmup=0) == 1 and one_cycle(0.25, warmup=0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_lowers_every_tasks_loss(tmp_path, data, precision):
    lines: list[str] = []
    more = f'epochs = 6\nlearning_rate = 1e-2\nzoom = 1.1\nprecision = "{precision}"'
    state = train(recipe_of(tmp_path, data, more), tmp_path / "state.pt", workers=0, report=lines.append)
    assert state.epoch == 6 and state.seconds > 0
    assert [line.split()[1] for line in lines] == [f"{epoch}/6" for epoch in range(1, 7)]
    losses = [dict(re.findall(r"(\w+) (\d+\.\d+)  ", line)) for line in (lines[0], lines[-1])]
    assert list(losses[0]) == ["segmentation", "depth", "normals"]
    for task in losses[0]:
        assert float(losses[1][task]) < 0.9 * float(losses[0][task]), task
    assert all(p.dtype == torch.float32 for p in state.network.parameters())


@pytest.mark.parametrize("options", ["", ", drop_path_rate = 0.5"])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(tmp_path, data, options):
    recipe, quiet = recipe_of(tmp_path, data, options=options), lambda text: None
    whole = train(recipe, tmp_path / "whole.pt", workers=0, report=quiet)
    with pytest.raises(Killed):
        train(recipe, tmp_path / "state.pt", workers=0, report=killing(1))
    torch.manual_seed(12345)  # The world goes on meanwhile.
    lines: list[str] = []
    resumed = train(recipe, tmp_path / "state.pt", workers=0, report=lines.append)
    assert lines[0] == "resuming toy after epoch 1" and len(lines) == 2
    assert weights_equal(whole, resumed)
    moments = [list(state.optimizer.state_dict()["state"].values()) for state in (whole, resumed)]
    for a, b in zip(*moments, strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert not list(tmp_path.glob("*.partial"))


def test_a_finished_run_is_not_trained_again(tmp_path, data):
    recipe = recipe_of(tmp_path, data, "epochs = 1")
    first = train(recipe, tmp_path / "state.pt", workers=0, report=lambda text: None)
    lines: list[str] = []
    again = train(recipe, tmp_path / "state.pt", workers=0, report=lines.append)
    assert lines == ["resuming toy after epoch 1"] and weights_equal(first, again)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_seed_decides_and_workers_do_not(tmp_path, data):
    def run(name: str, seed: int = 0, workers: int = 0) -> TrainingState:
        torch.manual_seed(len(name))
        recipe = recipe_of(tmp_path, data, f"epochs = 1\nseed = {seed}")
        return train(recipe, tmp_path / f"{name}.pt", workers=workers, report=lambda text: None)

    first = run("first")
    assert weights_equal(first, run("again"))
    assert weights_equal(first, run("with workers", workers=1))
    assert not weights_equal(first, run("another", seed=1))


def test_a_limit_trains_on_fewer_images(tmp_path, data):
    recipe = recipe_of(tmp_path, data, "epochs = 1\nbatch_size = 2")
    state = train(recipe, tmp_path / "state.pt", workers=0, limit=4, report=lambda text: None)
    steps = {int(entry["step"]) for entry in state.optimizer.state_dict()["state"].values()}
    assert steps == {2}


def test_task_weights_weigh(tmp_path, data):
    weights = "task_weights = { depth = 0.0, normals = 0.0 }"
    recipe = recipe_of(tmp_path, data, f"epochs = 1\nweight_decay = 0\n{weights}")
    state = train(recipe, tmp_path / "state.pt", workers=0, report=lambda text: None)
    moved = {name: float(entry["exp_avg"].abs().sum()) for name, entry in _moments(state)}
    assert all(value == 0 for name, value in moved.items() if name.startswith(("heads.depth", "heads.normals")))
    assert moved["heads.segmentation.reduce.weight"] > 0


def _moments(state: TrainingState):
    groups = [p for group in state.optimizer.param_groups for p in group["params"]]
    names = {id(p): name for name, p in state.network.named_parameters()}
    return [(names[id(p)], state.optimizer.state[p]) for p in groups]


def test_scales_and_biases_are_not_decayed(tmp_path, data):
    state = train(recipe_of(tmp_path, data, "epochs = 1"), tmp_path / "state.pt", workers=0, report=lambda text: None)
    decayed, free = state.optimizer.param_groups
    assert decayed["weight_decay"] > 0 and free["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decayed["params"]) and all(p.ndim == 1 for p in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(state.network.parameters()))


def test_a_loss_that_is_no_longer_finite_stops_the_run(tmp_path, data):
    recipe = recipe_of(tmp_path, data, "learning_rate = 1e30\nepochs = 5")
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(recipe, tmp_path / "state.pt", workers=0, report=lambda text: None)


@pytest.mark.parametrize("content", ["garbage", "empty", "truncated", "other", "network", "seed"])
def test_a_state_that_is_none_is_refused_by_name_and_kept(tmp_path, data, content):
    recipe, path = recipe_of(tmp_path, data, "epochs = 1"), tmp_path / "state.pt"
    train(recipe, path, workers=0, report=lambda text: None)
    if content in ("garbage", "empty"):
        path.write_bytes(b"garbage" * (content == "garbage"))
    elif content == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    elif content == "other":
        torch.save({"epoch": 1}, path)
    elif content == "seed":
        recipe = recipe.model_copy(update={"seed": 5})
    else:
        recipe = recipe.model_copy(update={"network": recipe.network | {"head_width": 9}})
    kept = path.read_bytes()
    with pytest.raises(InputError, match="state.pt is no state of this run") as error:
        train(recipe, path, workers=0, report=lambda text: None)
    assert "\n" not in str(error.value) and path.read_bytes() == kept
