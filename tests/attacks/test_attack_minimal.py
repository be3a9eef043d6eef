"""Minimal perturbations: the known optimum of a linear model; smaller than what bisection finds at equal passes."""

import json

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from sync_toys import Waits
from torch import Tensor, nn

from mtlattack.attacks import Attack, Cost, create_attack, list_attacks
from mtlattack.data import Batch, join_batches, load_dataset
from mtlattack.errors import InputError
from mtlattack.models import create_model

TASKS = ["segmentation", "depth", "normals"]


def change(model: nn.Module, images: Tensor, clean: Tensor, targets: dict[str, Tensor], tasks: list[str]) -> Tensor:
    """Mean relative loss change over some tasks, `[B]`."""
    with torch.no_grad():
        after, before = (dict(zip(model.tasks, losses_of(model, x, targets), strict=True)) for x in (images, clean))
    return torch.stack([after[name] / before[name] - 1 for name in tasks], 1).mean(1)


def sizes(images: Tensor, clean: Tensor) -> Tensor:
    return (images - clean).abs().flatten(1).amax(1)


@pytest.mark.parametrize("threshold", [0.3, 1.0])
@pytest.mark.parametrize("steps", [10, 40])
def test_a_linear_model_has_a_known_optimum(threshold: float, steps: int) -> None:
    """L(x + δ) = L + ⟨w, δ⟩: the smallest ‖δ‖_∞ is threshold·L/‖w‖₁, at δ = ε·sign w; each image has its own L."""
    weights = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    images, offsets = torch.full((4, 3, 4, 4), 0.5), torch.tensor([0.5, 1.0, 2.0, 4.0])
    model = LinearNet({"a": weights})
    losses = (images * weights).sum((1, 2, 3)) + offsets
    attack = create_attack("minimal-single:a", eps=0.4, threshold=threshold, steps=steps)
    result = attack.run(model, images, {"a": offsets})
    expected = threshold * losses / weights.abs().sum()
    assert (expected < 0.4).all() and result.diagnostics["found"].all()
    found = sizes(result.images, images)
    assert (found >= expected * (1 - 1e-5)).all() and (found <= expected * 1.005).all()


def test_two_linear_tasks_count_by_their_relative_change() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(3, 4, 4, generator=generator) for _ in range(2))
    images, labels = torch.full((2, 3, 4, 4), 0.5), {"a": torch.tensor([15.0, 20.0]), "b": torch.tensor([40.0, 25.0])}
    model = LinearNet({"a": first, "b": second})
    losses = torch.stack([(images * w).sum((1, 2, 3)) + labels[name] for name, w in model.weights.items()], 1)
    gradients = (first / losses[:, 0, None, None, None] + second / losses[:, 1, None, None, None]) / 2
    expected = 0.25 / gradients.abs().sum((1, 2, 3))
    result = create_attack("minimal-dgba", eps=0.5, threshold=0.25, steps=60).run(model, images, labels)
    found = sizes(result.images, images)
    # DGBA balances the current losses, of which the optimum for a mean of changes takes the clean ones.
    assert result.diagnostics["found"].all()
    assert (found >= expected * (1 - 1e-5)).all() and (found <= expected * 1.05).all()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("aggregator", ["dgba", "total", "signsum", "single:depth"])
def test_what_is_found_passes_inside_the_ball_and_does_not_depend_on_the_batch(aggregator: str) -> None:
    images, targets = toy_batch(8)
    attack = create_attack(f"minimal-{aggregator}", eps=0.15, threshold=0.2, steps=15)
    result = attack.run(ToyNet(), images, targets)
    assert ((result.images.double() - images.double()).abs() <= 0.15).all()
    assert result.images.min() >= 0 and result.images.max() <= 1
    tasks = ["depth"] if ":" in aggregator else TASKS
    reached = change(ToyNet(), result.images, images, targets, tasks)
    found = result.diagnostics["found"].bool()
    assert found.any() and torch.equal(reached >= 0.2, found)
    assert (sizes(result.images, images)[found] < 0.149).all()
    alone = [attack(ToyNet(), images[[i]], {k: v[[i]] for k, v in targets.items()}) for i in range(8)]
    assert torch.equal(torch.cat(alone), result.images)


def test_what_a_search_is_off_by_is_no_change() -> None:
    class Off(LinearNet):
        def __call__(self, images: Tensor) -> dict[str, Tensor]:
            return {name: 1.03 * value for name, value in super().__call__(images).items()}

    weights = {"a": torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)).abs()}
    images, labels = torch.full((2, 3, 4, 4), 0.5), {"a": torch.tensor([1.0, 5.0])}
    attack = create_attack("minimal-single:a", eps=0.2, threshold=0.01, steps=20)
    result = attack.run(LinearNet(weights), images, labels, search=Off(weights))
    expected = 0.01 * (0.5 * weights["a"].sum() + labels["a"]) / weights["a"].sum()
    assert result.diagnostics["found"].all()
    torch.testing.assert_close(sizes(result.images, images), expected, rtol=0.02, atol=0)


def test_where_nothing_passes_the_strongest_point_is_given() -> None:
    images, targets = toy_batch(6)
    result = create_attack("minimal-dgba", eps=0.02, threshold=50.0, steps=20).run(ToyNet(), images, targets)
    assert not result.diagnostics["found"].any()
    pgd = create_attack("pgd-dgba", eps=0.02, steps=20)(ToyNet(), images, targets)
    assert (sizes(result.images, images) <= 0.02).all()
    ours, theirs = (change(ToyNet(), x, images, targets, TASKS) for x in (result.images, pgd))
    assert ours.mean() > 0.95 * theirs.mean()


def by_bisection(model: nn.Module, batch: Batch, tasks: list[str], name: str, top: float, threshold: float) -> Tensor:
    """The smallest ε of each image at which PGD of 4 steps passes, of 2^5 in (0, top]; ∞ where none does."""
    low, high = torch.zeros(len(batch.ids)), torch.full((len(batch.ids),), top)
    best = torch.full_like(low, torch.inf)
    for _ in range(5):
        middle = (low + high) / 2
        # One attack an image, as each has its own ε.
        moved = torch.cat(
            [
                create_attack(name, eps=float(eps), steps=4)(model, one.images, one.targets)
                for eps, one in zip(middle, (batch.part(slice(i, i + 1)) for i in range(len(batch.ids))), strict=True)
            ]
        )
        passed = change(model, moved, batch.images, batch.targets, tasks) >= threshold
        best = torch.where(passed, middle, best)
        low, high = torch.where(passed, low, middle), torch.where(passed, middle, high)
    return best


@pytest.mark.parametrize("aggregator", ["dgba", "single:depth"])
def test_it_is_smaller_than_bisection_with_as_many_gradients_finds(aggregator: str) -> None:
    model = create_model("rooms-resnet10t.shared")
    data = load_dataset("rooms", tasks=model.tasks, limit=2)
    whole = join_batches([data[i] for i in range(2)])
    targets = {name: target[..., 16:48, 16:48] for name, target in whole.targets.items()}
    batch = Batch(whole.ids, whole.images[..., 16:48, 16:48].contiguous(), targets)
    tasks = ["depth"] if ":" in aggregator else list(model.tasks)
    top, threshold = 8 / 255, 0.2
    attack = create_attack(f"minimal-{aggregator}", eps=top, threshold=threshold, steps=5 * 4)
    result = attack.run(model, batch.images, batch.targets)
    assert result.diagnostics["found"].all()
    assert (change(model, result.images, batch.images, batch.targets, tasks) >= threshold - 1e-5).all()
    bisected = by_bisection(model, batch, tasks, f"pgd-{aggregator}", top, threshold)
    assert (sizes(result.images, batch.images) < bisected).all()


@pytest.mark.parametrize(("aggregator", "backward"), [("dgba", 4), ("signsum", 12), ("single:normals", 4)])
def test_cost(aggregator: str, backward: int) -> None:
    model, attack = Counted(ToyNet()), create_attack(f"minimal-{aggregator}", eps=0.1, steps=4)
    model.model.train()
    values = [value.clone() for value in model.state_dict().values()]
    attack(model, *toy_batch(2))
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3) == Cost(10, backward)
    assert model.model.training and all(map(torch.equal, values, model.state_dict().values()))
    judge, search = Counted(ToyNet()), Counted(ToyNet())
    attack(judge, *toy_batch(2), search=search)
    assert Cost(judge.forwards + search.forwards, search.backwards["images"]) == attack.cost_with_search(3)
    assert judge.backwards["images"] == 0


def test_the_model_itself_says_what_passes() -> None:
    """The search is led by a model whose losses grow faster than the judge's."""
    weights = torch.ones(3, 4, 4)
    images, labels = torch.full((2, 3, 4, 4), 0.5), {"a": torch.full((2,), 4.0)}
    judge, search = LinearNet({"a": weights}), LinearNet({"a": 1.05 * weights})
    result = create_attack("minimal-single:a", eps=0.5, threshold=0.5).run(judge, images, labels, search=search)
    expected = 0.5 * (24 + 4) / 48
    assert result.diagnostics["found"].all()
    torch.testing.assert_close(sizes(result.images, images), torch.full((2,), expected), rtol=2e-3, atol=0)


def test_an_image_without_labels_for_a_task_counts_the_others() -> None:
    images, targets = toy_batch(2)
    targets["depth"][0] = 0
    attack: Attack = create_attack("minimal-dgba", eps=0.2, threshold=0.2, steps=20)
    result = attack.run(ToyNet(), images, targets)
    others = change(ToyNet(), result.images, images, targets, ["segmentation", "normals"])
    assert result.diagnostics["found"][0] == (others[0] >= 0.2) == 1
    targets = {name: torch.full_like(target, 255 if name == "segmentation" else 0) for name, target in targets.items()}
    result = attack.run(ToyNet(), images, targets)
    assert not result.diagnostics["found"].any() and result.images.isfinite().all()


def test_no_step_waits_for_the_device() -> None:
    images, targets = toy_batch(2)
    with Waits() as waits:
        create_attack("minimal-dgba", eps=0.1, steps=3)(ToyNet(), images, targets)
    assert waits.count == 1  # the range of the images


def test_names_options_and_config() -> None:
    attack = create_attack("minimal-single:depth", eps=8 / 255)
    config = json.loads(json.dumps(attack.config()))
    assert config == {
        "name": "minimal-single:depth", "norm": "linf", "eps": 8 / 255, "seed": 0, "steps": 40, "threshold": 1.0,
    }  # fmt: skip
    assert create_attack(**config).config() == config
    assert "minimal-dgba" in list_attacks("minimal-*", tasks=[])
    for name, options, message in [
        ("minimal-dgba", {"steps": 1.5}, "steps 1.5 is not a whole number"),
        ("minimal-dgba", {"threshold": 0}, "threshold 0 is outside"),
        ("minimal-dgba", {"threshold": float("inf")}, "threshold inf is outside"),
        ("minimal-dgba", {"norm": "l2"}, "minimal is made for linf, not for l2"),
        ("minimal-dgba", {"quantized": True}, "not for 8-bit images"),
        ("minimal-dgba", {"step_size": 0.1}, "minimal-dgba takes no option 'step_size'; it takes: steps, threshold"),
        ("minimal-feature", {}, "unknown attack 'minimal-feature'"),
    ]:
        with pytest.raises(InputError, match=message):
            create_attack(name, **{"eps": 0.1} | options)  # type: ignore[arg-type]
