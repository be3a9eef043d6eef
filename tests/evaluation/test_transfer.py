"""Images are made once a source and judged on all victims: the numbers are those of doing it by hand."""

import copy
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from evaluation_toys import Fickle, assert_equal
from full_disk_toys import assert_said_in_words
from torch import nn

from mtlattack.analysis.transfer import Transfer, read_transfer
from mtlattack.analysis.transfer.tables import headlines
from mtlattack.attacks import Attack, create_attack
from mtlattack.data import Batch, PreparedDataset, join_batches, load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import craft, judge
from mtlattack.evaluation import evaluate as evaluate_anywhere
from mtlattack.evaluation import transfer as transfer_anywhere
from mtlattack.evaluation import transfer_between_tasks as between_tasks_anywhere
from mtlattack.evaluation.preparation import prepare
from mtlattack.evaluation.transfers.parties import join
from mtlattack.models import EnsembleSource, create_model

evaluate = partial(evaluate_anywhere, device="cpu", batch_size=2)
transfer = partial(transfer_anywhere, device="cpu", batch_size=2)
between_tasks = partial(between_tasks_anywhere, device="cpu", batch_size=2)
# Off the grey levels: that is how `Fickle` knows an attacked image.
ATTACK = create_attack("apgd-relative", eps=7.5 / 255, steps=2)


class Toy(nn.Module):
    """Three convolutions, the last one a task's own, fitted a little so that it has skill to lose."""

    def __init__(self, data: PreparedDataset, seed: int = 0, tasks: Iterable[str] | None = None) -> None:
        super().__init__()
        self.tasks = {name: data.tasks[name] for name in tasks or data.tasks}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2), nn.ReLU()]
            self.trunk = nn.Sequential(*layers)
            self.heads = nn.ModuleDict({name: nn.Conv2d(8, task.channels, 1) for name, task in self.tasks.items()})
        batch = join_batches([data[i] for i in range(len(data))])
        optimizer = torch.optim.Adam(self.parameters(), 0.02)
        for _ in range(40):
            optimizer.zero_grad()
            predictions = self(batch.images)
            losses = [task.loss(predictions[name], batch.targets[name]) for name, task in self.tasks.items()]
            torch.stack(losses).sum().backward()
            optimizer.step()
        self.eval()

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.trunk(4 * images - 2)
        return {name: head(features) for name, head in self.heads.items()}


@pytest.fixture(scope="module")
def path(rooms_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corners of three rooms."""
    place = tmp_path_factory.mktemp("corners") / "corners.h5"
    with h5py.File(rooms_path, locking=False) as whole, h5py.File(place, "w") as file:
        file.attrs.update({**whole.attrs, "height": 32, "width": 40})
        group = file.create_group("test")
        for name, stored in whole["test"].items():
            corner = stored[:3] if name == "id" else stored[:3, -32:, -40:]
            group.create_dataset(name, data=corner).attrs.update(stored.attrs)
    return place


@pytest.fixture(scope="module")
def data(path: Path) -> PreparedDataset:
    return load_dataset(path)


@pytest.fixture(scope="module")
def network(data: PreparedDataset) -> Toy:
    return Toy(data)


@pytest.fixture(scope="module")
def other(data: PreparedDataset) -> Toy:
    return Toy(data, seed=1)


@pytest.fixture
def images(data: PreparedDataset) -> Batch:
    return join_batches([data[i] for i in range(len(data))])


def singles(data: PreparedDataset) -> dict[str, Attack]:
    return {task: create_attack(f"pgd-single:{task}", eps=8 / 255, steps=1) for task in data.tasks}


def numbers(done: Transfer) -> dict[str, object]:
    """Every number of the first matrix that is of a source and a victim, by both."""
    (matrix,) = done.record().matrices
    return {
        f"{source} {victim}": (cell.model_dump(exclude={"p_holm"}), alike)
        for source, cells, row in zip(matrix.sources, matrix.cells, matrix.alike, strict=True)
        for victim, cell, alike in zip(matrix.victims, cells, row, strict=True)
    }


def test_the_diagonal_is_the_white_box_run(network: Toy, other: Toy, data: PreparedDataset) -> None:
    done = transfer({"a": network, "b": other}, None, data, ATTACK)
    floor = create_attack("noise-total", eps=7.5 / 255, restarts=1)
    for place, (name, model) in enumerate({"a": network, "b": other}.items()):
        plain, run = evaluate(model, data, [floor, ATTACK]), done.runs[name]
        ours = type(run)(**{**vars(run), "attacked": [run.attacked[0], run.attacked[1 + place]]})
        assert_equal(ours, plain)
        for task, values in plain.constant.items():  # type: ignore[union-attr]
            assert (run.constant[task] == values).all()  # type: ignore[index]
    (matrix,) = done.record().matrices
    assert [matrix.cells[i][i].share.value for i in range(2)] == [1, 1]
    assert [matrix.alike[i][i].cosine.value for i in range(2)] == [1, 1]
    assert [matrix.cells[i][i].lost for i in range(2)] == matrix.white_box


def test_a_cell_by_hand(network: Toy, other: Toy, data: PreparedDataset) -> None:
    done = transfer({"a": network}, {"b": other}, data, ATTACK)
    victim = prepare(other, join_batches([data[i] for i in range(len(data))]), "float32").judge
    rows = [
        judge(victim, each.result.images, each.clean.targets, each.clean.images)
        for each in craft(network, data, ATTACK, batch_size=2, device="cpu")
    ]
    run = done.runs["b"]
    losses = np.concatenate([measured.losses for measured in rows])
    np.testing.assert_array_equal(run.attacked[1].losses, losses)
    white_box = evaluate(other, data, [ATTACK])
    np.testing.assert_array_equal(run.attacked[2].losses, white_box.attacked[0].losses)

    def skill(statistics: dict[str, np.ndarray]) -> float:
        left = []
        for name, task in data.tasks.items():
            value, constant = (task.metrics(s[name].sum(0))[task.headline] for s in (statistics, run.constant))
            left.append(max(0.0, float(task.skill(value, constant))))
        return float(np.mean(left))

    hurt = {name: np.concatenate([measured.statistics[name] for measured in rows]) for name in data.tasks}
    lost = skill(run.clean.statistics) - skill(hurt)
    own = skill(run.clean.statistics) - skill(white_box.attacked[0].statistics)
    (matrix,) = done.record().matrices
    assert matrix.cells[0][0].lost.value == pytest.approx(lost, abs=1e-6)
    assert matrix.white_box[0].value == pytest.approx(own, abs=1e-6)
    assert matrix.cells[0][0].log_ratio.value == pytest.approx(np.log(losses / run.clean.losses).mean(), abs=1e-6)
    names = [entry["config"]["name"] for entry in run.plan["attacks"]]
    assert names == ["noise-total", "apgd-relative@a", "apgd-relative"]
    assert [entry["white_box"] for entry in run.plan["attacks"]] == [False, False, True]


def test_a_twin_is_hurt_as_the_source_is(network: Toy, data: PreparedDataset) -> None:
    found = numbers(transfer({"a": network}, {"a": network, "twin": copy.deepcopy(network)}, data, ATTACK))
    (own, alike), (twin, twins_alike) = found["a a"], found["a twin"]  # type: ignore[misc]
    assert {**own, "own": False} == twin and alike == twins_alike
    assert twin["share"]["value"] == 1


def test_the_order_of_victims_is_no_matter(network: Toy, other: Toy, data: PreparedDataset) -> None:
    models = {"a": network, "b": other}
    one = numbers(transfer({"a": network}, models, data, ATTACK))
    assert one == numbers(transfer({"a": network}, dict(reversed(models.items())), data, ATTACK))


@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_transfer_that_was_killed_goes_on(
    share: float, network: Toy, other: Toy, data: PreparedDataset, tmp_path: Path
) -> None:
    fickle = Fickle(network)
    models = {"a": other, "b": fickle}
    whole = transfer(models, None, data, ATTACK, path=tmp_path / "whole")
    fickle.calls.fail_at, fickle.calls.count = int(share * fickle.calls.count), 0
    with pytest.raises(RuntimeError, match="out of patience"):
        transfer(models, None, data, ATTACK, path=tmp_path / "killed")
    if share < 0.9:
        with pytest.raises(InputError, match=r"is not finished|no agreement file"):
            read_transfer(tmp_path / "killed")
    stopped, fickle.calls.fail_at, fickle.calls.count = fickle.calls.fail_at, -1, 0
    transfer(models, None, data, ATTACK, path=tmp_path / "killed")
    done = read_transfer(tmp_path / "killed")
    for name, run in whole.runs.items():
        assert_equal(done.runs[name], run)
    (agreement,), (expected,) = done.agreements, whole.agreements
    np.testing.assert_array_equal(agreement.cosine, expected.cosine)
    np.testing.assert_array_equal(agreement.signs, expected.signs)
    assert stopped + fickle.calls.count < stopped / share + 50  # what was done was not done again


def test_a_transfer_on_a_full_disk_goes_on_when_there_is_room(
    network: Toy, data: PreparedDataset, tmp_path: Path
) -> None:
    def go_on() -> Transfer:
        return transfer({"a": network}, None, data, ATTACK, path=tmp_path / "here")

    for largest in (100, 3000):
        assert_said_in_words(go_on, largest, tmp_path)
    assert [path.name for path in (tmp_path / "here").rglob("*") if path.is_file()] == ["plan.json"]
    assert_equal(go_on().runs["a"], transfer({"a": network}, None, data, ATTACK).runs["a"])


def test_between_tasks_is_a_run_of_single_task_attacks(network: Toy, data: PreparedDataset) -> None:
    attacks = dict(list(singles(data).items())[:3])
    done = between_tasks({"a": network}, data, attacks)
    plain, run = evaluate(network, data, attacks.values()), done.runs["a"]
    assert_equal(type(run)(**{**vars(run), "attacked": run.attacked[1:]}), plain)
    (matrix,) = done.record().matrices
    assert (matrix.sources, matrix.victims, matrix.degree) == (list(attacks), list(attacks), None)
    record = plain.report().record
    for row, result in enumerate(record.attacks):
        for column, task in enumerate(attacks):
            clean = record.clean_skill.tasks[task].value  # type: ignore[union-attr]
            lost = max(0, clean) - max(0, result.skill.tasks[task].value)  # type: ignore[union-attr, type-var]
            assert matrix.cells[row][column].lost.value == pytest.approx(lost)


def test_gradients_by_hand(network: Toy, data: PreparedDataset, images: Batch) -> None:
    done = between_tasks({"a": network}, data, singles(data))
    image = images.images.clone().requires_grad_()
    predictions = network(image)
    losses = [task.loss(predictions[name], images.targets[name]).sum() for name, task in data.tasks.items()]
    gradients = [torch.autograd.grad(loss, image, retain_graph=True)[0].flatten(1).double() for loss in losses]
    cosine = [[nn.functional.cosine_similarity(one, two) for two in gradients] for one in gradients]
    signs = [
        [((one * two) > 0).double().sum(1) / ((one * two) != 0).double().sum(1) for two in gradients]
        for one in gradients
    ]
    (found,) = done.agreements
    expected = torch.stack([torch.stack(row) for row in cosine]).permute(2, 0, 1).numpy()
    np.testing.assert_allclose(found.cosine[..., 0], expected, atol=2e-3)
    expected = torch.stack([torch.stack(row) for row in signs]).permute(2, 0, 1).numpy()
    np.testing.assert_allclose(found.signs[..., 0], expected, atol=2e-2)


def test_tasks_that_share_nothing_feel_each_others_attacks_as_noise(rooms: PreparedDataset) -> None:
    attacks = {task: create_attack(f"pgd-single:{task}", eps=4 / 255, steps=3) for task in ("normals", "keypoints2d")}
    done = between_tasks({"separate": create_model("rooms-resnet10t.separate")}, rooms, attacks)
    (matrix,) = done.record().matrices
    for row, column in ((0, 1), (1, 0)):
        noise, own = matrix.noise_log[column].value, matrix.white_box_log[column].value
        assert abs(matrix.cells[row][column].log_ratio.value - noise) < 0.1 * own  # type: ignore[operator]
        assert abs(matrix.alike[row][column].cosine.value) < 0.02  # type: ignore[arg-type]
    assert matrix.depth == [[1, 0], [0, 1]] and matrix.degree == 0


def test_tasks_in_common_count_and_the_rest_is_said(network: Toy, data: PreparedDataset) -> None:
    names = list(network.tasks)
    fewer = Toy(data, 1, names[1:3])
    done = transfer({"all": network}, {"few": fewer}, data, ATTACK)
    record = done.record()
    assert record.tasks == names[1:3]
    (sentence,) = record.left_out
    assert sentence.startswith(f"{names[0]}, {names[3]}") and "of all: not all models predict" in sentence
    cell = record.matrices[0].cells[0][0]
    run = done.runs["few"]
    assert cell.log_ratio.value == pytest.approx(np.log(run.attacked[1].losses / run.clean.losses).mean(), abs=1e-6)
    nothing = Toy(data, 1, names[3:])
    with pytest.raises(InputError, match="no task in common that the data have labels for"):
        transfer({"few": fewer}, {"last": nothing}, data, ATTACK)


def test_only_what_has_labels_counts(network: Toy, data: PreparedDataset, path: Path) -> None:
    names = list(network.tasks)
    depth_alone = load_dataset(path, tasks={names[1]: network.tasks[names[1]]}, limit=2)
    done = transfer({"a": network}, None, depth_alone, ATTACK)
    assert done.record().tasks == [names[1]] and list(done.runs["a"].tasks) == [names[1]]
    seg_alone = load_dataset(path, tasks={names[0]: network.tasks[names[0]]}, limit=2)
    fewer = Toy(data, 0, names[1:])
    with pytest.raises(InputError, match="of none of these the data have labels"):
        transfer({"a": fewer}, None, seg_alone, ATTACK)


class Small(nn.Module):
    """A network that takes images of its own size."""

    input_size = (16, 20)

    def __init__(self, network: Toy) -> None:
        super().__init__()
        self.network, self.tasks = network, network.tasks

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        assert images.shape[-2:] == self.input_size
        return self.network(images)  # type: ignore[no-any-return]


def test_another_size_is_refused_unless_asked_for(network: Toy, other: Toy, data: PreparedDataset) -> None:
    models = {"a": network, "small": Small(other)}
    with pytest.raises(InputError, match="small takes images of 16x20, the data are 32x40.*--resize"):
        transfer(models, None, data, ATTACK)
    done = transfer(models, None, data, ATTACK, resize=True)
    assert done.plan["models"]["small"]["input_size"] == [16, 20]
    (matrix,) = done.record().matrices
    assert matrix.cells[1][1].share.value == 1 and matrix.cells[1][1].log_ratio.value > 0  # type: ignore[operator]
    assert (done.runs["small"].attacked[1].perturbation[:, 0] <= 8 / 255 + 1e-7).all()


def test_a_model_without_features_is_refused_before_anything_is_done(
    network: Toy, data: PreparedDataset, tmp_path: Path
) -> None:
    for name in ("pgd-feature", "pgd-fia"):
        attack = create_attack(name, eps=8 / 255)
        with pytest.raises(InputError, match="a: Toy has no `.*shared_features"):
            transfer({"a": network}, None, data, attack, path=tmp_path / "transfer")
        with pytest.raises(InputError, match="Toy has no `.*shared_features"):
            evaluate(network, data, [attack], path=tmp_path / "run" / "evidence.h5")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".h5", ".json")]


def test_features_are_those_of_the_images_that_a_model_is_shown(network: Toy, data: PreparedDataset) -> None:
    class Seen(Small):
        def shared_features(self, images: torch.Tensor) -> torch.Tensor:
            assert images.shape[-2:] == self.input_size
            return images

        def with_shared_features(self, images: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            return self(images), self.shared_features(images)

    images = data[0].images
    party = join("small", Seen(network), data.tasks, data[0], resize=True)
    predictions, features = party.prepared.judge.with_shared_features(images)  # type: ignore[attr-defined]
    assert features.shape[-2:] == Small.input_size and predictions["depth"].shape[-2:] == images.shape[-2:]
    assert torch.equal(features, party.prepared.judge.shared_features(images))  # type: ignore[attr-defined]
    assert torch.equal(predictions["depth"], party.prepared.judge(images)["depth"])


def test_mistakes_are_said(network: Toy, other: Toy, data: PreparedDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source"):
        transfer({}, None, data, ATTACK)
    with pytest.raises(InputError, match="no victim"):
        transfer({"a": network}, {}, data, ATTACK)
    with pytest.raises(InputError, match="both called 'a', but are two models"):
        transfer({"a": network}, {"a": other}, data, ATTACK)
    with pytest.raises(InputError, match="standard .* cannot be transferred"):
        transfer({"a": network}, None, data, create_attack("standard", eps=8 / 255))
    with pytest.raises(InputError, match="batch_size 0"):
        transfer({"a": network}, None, data, ATTACK, batch_size=0)
    with pytest.raises(InputError, match="no model"):
        between_tasks({}, data, singles(data))
    with pytest.raises(InputError, match="there is no attack; expected one a task"):
        between_tasks({"a": network}, data, {})
    with pytest.raises(UnknownNameError, match="unknown common task 'dpeth'; did you mean 'depth'"):
        between_tasks({"a": network}, data, {"dpeth": ATTACK})
    with pytest.raises(InputError, match="no transfer at"):
        read_transfer(tmp_path)
    with pytest.raises(InputError, match="^b: the model's prediction of depth is not finite"):
        transfer({"a": network}, {"b": Fickle(other, spoil="depth")}, data, ATTACK)


def test_a_folder_holds_one_transfer(network: Toy, other: Toy, data: PreparedDataset, tmp_path: Path) -> None:
    small = load_dataset(data.path, tasks=network.tasks, limit=1)
    attack = create_attack("fgsm-total", eps=8 / 255)
    first = transfer({"a": network}, None, small, attack, path=tmp_path)
    with pytest.raises(InputError, match=r"holds another transfer \(other victims, models, folders, runs\).*--fresh"):
        transfer({"a": network}, {"b": other}, small, attack, path=tmp_path)
    again = transfer({"a": network}, None, small, attack, path=tmp_path)
    assert again.record() == first.record()
    kept = (tmp_path / "agreement.h5").read_bytes()
    with h5py.File(tmp_path / "agreement.h5", "r+") as file:
        del file["0000/signs"]
        file["0000/signs"] = np.zeros((0, 1, 1, 2), np.float32)
    for use in (lambda: read_transfer(tmp_path), lambda: transfer({"a": network}, None, small, attack, path=tmp_path)):
        with pytest.raises(InputError, match=r"agreement.h5 is damaged: 0000/signs is float32 \(0, "):
            use()
    (tmp_path / "agreement.h5").write_bytes(kept)
    transfer({"a": network}, {"b": other}, small, attack, path=tmp_path, fresh=True)
    for wrong in ("[]", "7", "{}"):
        (tmp_path / "plan.json").write_text(wrong)
        with pytest.raises(InputError, match="plan.json|holds another transfer"):
            transfer({"a": network}, {"b": other}, small, attack, path=tmp_path)
        with pytest.raises(InputError, match="plan.json|holds no transfer"):
            read_transfer(tmp_path)
    (tmp_path / "plan.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"plan.json is damaged"):
        read_transfer(tmp_path)
    with pytest.raises(InputError, match=r"plan.json is damaged.*--fresh"):
        transfer({"a": network}, {"b": other}, small, attack, path=tmp_path)


def test_folders_of_models_never_meet(network: Toy, data: PreparedDataset) -> None:
    small = load_dataset(data.path, tasks=network.tasks, limit=1)
    models = {name: network for name in ("a/b", "a:b", "..", "a_b~2")}
    done = transfer(models, None, small, create_attack("fgsm-total", eps=8 / 255))
    folders = set(done.plan["folders"].values())
    assert len(folders) == 4 and all("/" not in folder and folder.strip(".") for folder in folders)


def test_an_ensemble_is_a_source_and_no_victim(network: Toy, other: Toy, data: PreparedDataset) -> None:
    source = EnsembleSource({"a": network, "b": other})
    done = transfer({"ens:a+b": source}, {"a": network}, data, ATTACK)
    (matrix,) = done.record().matrices
    floor, made, own = done.runs["a"].plan["attacks"]
    assert made["config"]["name"] == "apgd-relative@ens:a+b" and floor["forward_passes"] == 1
    assert (made["forward_passes"], made["backward_passes"]) == (2 * own["forward_passes"], 2 * own["backward_passes"])
    assert matrix.cells[0][0].log_ratio.value > matrix.noise_log[0].value  # type: ignore[operator]
    record = done.record()
    twice = [made["forward_passes"], made["backward_passes"]]
    assert record.source_passes == {"ens:a+b": twice} and record.passes == [twice]
    assert record.models["ens:a+b"]["networks"] == 2 and "networks" not in record.models["a"]
    said = f"passes an image: {twice[0]}+{twice[1]} on ens:a+b (a pass is one of each of its 2 networks)"
    assert headlines(record)[2] == said
    with pytest.raises(InputError, match="ens:a.b is a source of images alone"):
        transfer({"ens:a+b": source}, None, data, ATTACK)
