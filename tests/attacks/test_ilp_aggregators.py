"""Attacks whose steps are integer programs."""

import pytest
import torch
from attack_toys import LinearNet, ToyNet, toy_batch
from torch import Tensor

from mtlattack.attacks import create_aggregator, create_attack
from mtlattack.attacks.ilp import Program, solve_pulp
from mtlattack.errors import InputError, UnknownNameError

SIZE, EPS = 6, 0.01
NAMES = ["maxmin", "sparse", "sparse-maxmin", "regional", "protected:b"]


def linear(batch: int = 4) -> tuple[LinearNet, Tensor, dict[str, Tensor]]:
    """Three tasks that pull apart on grey images, each with losses of its own size."""
    generator = torch.Generator().manual_seed(0)
    a, c, noise = torch.randn(3, 3, SIZE, SIZE, generator=generator)
    model = LinearNet({"a": a, "b": 5 * (noise - 0.8 * a), "c": 0.1 * c})
    images = 0.5 + 0.1 * torch.rand(batch, 3, SIZE, SIZE, generator=generator)
    return model, images, {name: torch.full((batch,), 40.0) for name in model.tasks}


def losses(model: LinearNet, images: Tensor, targets: dict[str, Tensor]) -> Tensor:
    return torch.stack([task.loss(model(images)[name], targets[name]) for name, task in model.tasks.items()], 1)


def gains(model: LinearNet, images: Tensor, targets: dict[str, Tensor]) -> Tensor:
    weights = torch.stack(list(model.weights.values()))
    return weights / losses(model, images, targets)[..., None, None, None]


def change(name: str, **options: object) -> tuple[Tensor, Tensor]:
    """Relative changes of the losses `[B, T]` by one step, and the step over its size."""
    model, images, targets = linear()
    before = losses(model, images, targets)
    hurt = create_attack(f"fgsm-{name}", eps=EPS, **options)(model, images, targets)
    return losses(model, hurt, targets) / before - 1, (hurt - images) / EPS


def test_maxmin_hurts_the_least_hurt_task_most() -> None:
    found, step = change("maxmin")
    others = [change(name)[0].amin(1) for name in ("dgba", "total", "signsum", "mgda")]
    assert (found > 0).all()
    assert all((found.amin(1) >= other).all() for other in others) and (others[0] < 0).any()
    program = Program(gains=gains(*linear()))
    exact = EPS * solve_pulp(program, "COIN_CMD", gap=0.01).value
    assert (found.amin(1) > 0.97 * exact).all()
    assert (step.abs() > 0.99).float().mean() > 0.9


def test_a_solver_that_comes_closer_gains_more() -> None:
    found, closer = (change("sparse-maxmin", share=0.1, method=method)[0].amin(1) for method in ("dual", "restricted"))
    assert (closer > 1.01 * found).all()


def test_sparse_is_dgba_on_the_best_pixels() -> None:
    whole, full = change("dgba")[1], change("sparse", share=1.0)[1]
    assert torch.equal(whole, full)
    step = change("sparse", share=0.25)[1]
    worth = gains(*linear()).sum(1).abs().sum(1).flatten(1)
    best = torch.zeros_like(worth).scatter(1, worth.topk(9, 1).indices, 1).view(-1, 1, SIZE, SIZE)
    assert torch.equal(step, whole * best)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("name", ["sparse", "sparse-maxmin", "regional"])
def test_no_more_pixels_change_than_the_share(name: str, share: float) -> None:
    options = {"grid": 3} if name == "regional" else {}
    changed = change(name, share=share, **options)[1].any(1)
    if name == "regional":
        cells = changed.unflatten(2, (3, 2)).unflatten(1, (3, 2)).sum((2, 4))
        assert (cells <= max(1, round(4 * share))).all() and cells.any(2).all()
    else:
        assert (changed.sum((1, 2)) <= max(1, round(36 * share))).all() and changed.flatten(1).any(1).all()


def test_a_grid_finer_than_the_image_has_a_cell_a_pixel() -> None:
    free, fine = change("maxmin")[0], change("regional", grid=50)[0]
    torch.testing.assert_close(free, fine, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize("task", ["a", "b", "c"])
def test_a_protected_task_is_not_hurt_and_the_others_are(task: str) -> None:
    found = change(f"protected:{task}")[0]
    place = "abc".index(task)
    assert (found[:, place] <= 1e-5).all()
    assert (found[:, [i for i in range(3) if i != place]] > 1e-4).all()


def test_protected_scores_punish_what_the_protected_task_lost() -> None:
    aggregator = create_aggregator("protected:depth")
    assert aggregator.tasks(["segmentation", "depth", "normals"]) == ("depth", "segmentation", "normals")
    e = float(torch.e)
    scores = aggregator.score(torch.tensor([[1.0, e, e], [0.5, e, e], [e, e, e], [e, 1.0, 1.0]]))
    torch.testing.assert_close(scores, torch.tensor([2.0, 2.0, 0.0, -2.0]))


def test_the_only_task_cannot_be_protected() -> None:
    with pytest.raises(InputError, match="protected:depth spares the model's only task"):
        create_aggregator("protected:depth").tasks(["depth"])
    with pytest.raises(UnknownNameError, match="unknown task 'depht'; did you mean 'depth'"):
        create_aggregator("protected:depht").tasks(["depth", "normals"])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sparse", {"share": 0}, r"share 0 is outside \(0, 1\]"),
        ("sparse-maxmin", {"share": 1.5}, r"share 1.5 is outside \(0, 1\]"),
        ("regional", {"share": "much"}, r"share 'much' is outside"),
        ("regional", {"grid": 0}, "grid 0 is not a whole number ≥ 1"),
        ("maxmin", {"share": 0.1}, "no option 'share'"),
        ("maxmin", {"method": "duel"}, "unknown method 'duel'; did you mean 'dual'"),
    ],
)
def test_options_out_of_range(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_attack(f"pgd-{name}", eps=0.1, **options)


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_made_for_signs(name: str) -> None:
    with pytest.raises(InputError, match="is made for linf.*not for l2"):
        create_attack(f"pgd-{name.replace(':b', ':depth')}", eps=0.1, norm="l2")


@pytest.mark.parametrize("name", ["sparse", "sparse-maxmin"])
def test_sparse_steps_suit_sparse_threats(name: str) -> None:
    images, targets = toy_batch(3)
    hurt = create_attack(f"pgd-{name}", eps=4, norm="l0", steps=3)(ToyNet(), images, targets)
    assert ((hurt != images).any(1).flatten(1).sum(1) <= 4).all()


@pytest.mark.parametrize("name", [*NAMES[:4], "protected:depth"])
class TestOnAModel:
    def test_the_gap_is_noted(self, name: str) -> None:
        images, targets = toy_batch(3)
        gap = create_attack(f"pgd-{name}", eps=0.03, steps=2).run(ToyNet(), images, targets).diagnostics["gap"]
        assert gap.shape == (3,) and (gap >= 0).all() and (gap <= 1).all()
        assert name != "sparse" or (gap < 1e-9).all()

    def test_a_result_does_not_depend_on_its_batch(self, name: str) -> None:
        images, targets = toy_batch(6)
        attack, ids = create_attack(f"apgd-{name}", eps=0.03, steps=3), list("abcdef")
        together = attack(ToyNet(), images, targets, ids)
        alone = [attack(ToyNet(), images[[i]], {k: v[[i]] for k, v in targets.items()}, [ids[i]]) for i in (0, 5)]
        assert torch.equal(torch.cat(alone), together[[0, 5]])

    def test_the_score_rises(self, name: str) -> None:
        images, targets = toy_batch(6)
        model, aggregator = ToyNet().eval(), create_aggregator(name)
        hurt = create_attack(f"apgd-{name}", eps=0.03, steps=5)(model, images, targets)
        tasks = aggregator.tasks(list(model.tasks))
        before, after = (
            torch.stack([model.tasks[task].loss(model(x)[task], targets[task]) for task in tasks], 1)
            for x in (images, hurt)
        )
        unit = before if aggregator.relative_to_clean else torch.ones_like(before)
        assert aggregator.score(after / unit).mean() > aggregator.score(before / unit).mean()


@pytest.mark.parametrize("name", ["maxmin", "sparse-maxmin", "regional", "protected:depth"])
def test_a_task_without_labels_leaves_the_minimum_to_the_others(name: str) -> None:
    images, targets = toy_batch(3)
    targets["segmentation"][1] = 255
    model, attack = ToyNet(), create_attack(f"fgsm-{name}", eps=0.03)
    hurt = attack(model, images, targets)
    others = {key: task for key, task in model.tasks.items() if key != "segmentation"}
    model.tasks = others
    alone = attack(model, images, {key: targets[key] for key in others})
    # Another number of tasks, another grid that weights are rounded to: a pixel or two may differ.
    assert not torch.equal(hurt[1], images[1]) and (hurt[1] == alone[1]).float().mean() > 0.95
    assert not torch.equal(hurt[0], alone[0])
