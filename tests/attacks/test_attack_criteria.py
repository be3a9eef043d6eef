"""Criteria: the weighted losses by hand, fixed weights in the gradient, and which losses judge."""

from collections.abc import Callable, Mapping

import pytest
import torch
from attack_toys import LinearNet, ToyNet, losses_of, toy_batch
from kind_toys import every_task as kinds
from torch import Tensor

from mtlattack.attacks import create_attack, list_attacks, list_criteria
from mtlattack.attacks.criteria import create_criterion
from mtlattack.attacks.objective import Objective
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Classification, MultiLabel, Scalar, Segmentation, Task

TASKS = {name: task for name, task in kinds(4).items() if task.dense}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
CRITERIA = list_criteria()
JUDGES = ["dlr"]
GUIDES = [name for name in CRITERIA if name not in JUDGES]
WEIGHTS = ["cospgd", "segpgd"]


def example(task: Task, batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A float64 prediction `[B, channels, 5, 4]` and a target with invalid pixels, in the last image all."""
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn(batch, task.channels, 5, 4, generator=generator, dtype=torch.float64)
    if task.kind == "segmentation":
        target = torch.randint(0, 4, (batch, 5, 4), generator=generator)
        target[:, 0, 0] = target[-1] = 255
        return prediction, target
    target = torch.rand(batch, *task.target_channels, 5, 4, generator=generator, dtype=torch.float64) * 0.9 + 0.1
    target[..., 0, 0] = target[-1] = torch.nan
    return prediction, target


def cospgd_factor(task: Task, p: Tensor, t: Tensor) -> Tensor:
    """Of one pixel: prediction and target as vectors."""
    if task.kind == "segmentation":
        true = torch.zeros(4, dtype=torch.float64)
        true[int(t)] = 1
        return torch.cosine_similarity(p.softmax(0), true, dim=0)
    if task.kind == "normals":
        return (1 + torch.cosine_similarity(p, t, dim=0)) / 2
    if task.kind in ("edge_texture", "keypoints2d", "reshading"):
        p = p.clamp(0, 1)
        return torch.cosine_similarity(torch.cat([p, 1 - p]), torch.cat([t, 1 - t]), dim=0)
    return torch.cosine_similarity(torch.cat([p, t]), torch.cat([t, p]), dim=0).clamp_min(0)


def pixel_loss(task: Task, p: Tensor, t: Tensor) -> Tensor:
    if task.kind == "segmentation":
        return -p.log_softmax(0)[int(t)]
    return 1 - torch.cosine_similarity(p, t, dim=0) if task.kind == "normals" else (p - t).abs().mean()


def by_hand(
    task: Task, prediction: Tensor, target: Tensor, factor: Callable[[Task, Tensor, Tensor], Tensor]
) -> list[float]:
    """Means over the valid pixels of factor × loss, pixel by pixel."""
    means = []
    for guess, true in zip(prediction, target, strict=True):
        values = []
        for row in range(5):
            for column in range(4):
                p, t = guess[:, row, column], true[..., row, column].reshape(-1)
                if (t != 255).all() if task.kind == "segmentation" else t.isfinite().all():
                    values.append(float(factor(task, p, t) * pixel_loss(task, p, t)))
        means.append(sum(values) / max(len(values), 1))
    return means


@every_task
def test_cospgd_by_hand(task: Task) -> None:
    prediction, target = example(task)
    expected = by_hand(task, prediction, target, cospgd_factor)
    assert create_criterion("cospgd").loss(task, prediction, target, 0.3).tolist() == pytest.approx(expected, abs=1e-9)
    assert expected[-1] == 0 and expected[0] > 0


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.95])
def test_segpgd_by_hand(progress: float) -> None:
    task = TASKS["segmentation"]
    prediction, target = example(task)

    def factor(task: Task, p: Tensor, t: Tensor) -> Tensor:
        return torch.tensor(1 - progress / 2 if int(p.argmax()) == int(t) else progress / 2)

    expected = by_hand(task, prediction, target, factor)
    result = create_criterion("segpgd").loss(task, prediction, target, progress).tolist()
    assert result == pytest.approx(expected, abs=1e-9)


def houdini_by_hand(logits: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Value and slope in the logits of one image, in the form of Mao et al.: ∓ the normal density at the true class,
    and, where that is another one, at the predicted class."""
    task, normal = TASKS["segmentation"], torch.distributions.Normal(0.0, 1.0)
    overlap = float(task.metrics(task.statistics(logits[None], labels[None])[0].numpy())["miou"]) / 100
    slope, values = torch.zeros_like(logits), []
    for row, column in (labels != 255).nonzero().tolist():
        z, y = logits[:, row, column], int(labels[row, column])
        lead = z[y] - z.max()
        density = normal.log_prob(lead).exp()
        slope[z.argmax(), row, column] = overlap * density
        slope[y, row, column] = -overlap * density
        values.append(float(overlap * (1 - normal.cdf(lead))))
    return sum(values) / max(len(values), 1), slope / max(len(values), 1)


def test_houdini_by_hand() -> None:
    prediction, target = example(TASKS["segmentation"])
    at = prediction.clone().requires_grad_()
    value = create_criterion("houdini").loss(TASKS["segmentation"], at, target, 0.3)
    (gradient,) = torch.autograd.grad(value.sum(), at)
    for image in range(2):
        expected, slope = houdini_by_hand(prediction[image], target[image])
        assert value[image].item() == pytest.approx(expected, abs=1e-6) and expected > 0
        torch.testing.assert_close(gradient[image], slope, rtol=1e-5, atol=1e-8)
    assert value[2] == 0 and not gradient[2].any()


@pytest.mark.parametrize("name", ["segpgd", "dlr", "houdini"])
@every_task
def test_those_for_segmentation_leave_other_tasks_alone(task: Task, name: str) -> None:
    prediction, target = example(task)
    changed = create_criterion(name).loss(task, prediction, target, 0.5)
    assert torch.equal(changed, task.loss(prediction, target)) == (task.kind != "segmentation")


@every_task
def test_similarity_is_1_where_they_agree_and_within_0_and_1(task: Task) -> None:
    prediction, target = example(task)
    _, valid = task.pixel_losses(prediction, target)
    alike = task.similarity(prediction, target)
    assert alike.shape == valid.shape and alike.isfinite().all()
    assert alike.min() >= 0 and alike.max() <= 1 + 1e-12
    if task.kind == "segmentation":
        truth = 50 * torch.nn.functional.one_hot(target.clamp_max(3), 4).movedim(3, 1).double()
    else:
        truth = target.nan_to_num(1.0).reshape(prediction.shape)
    torch.testing.assert_close(task.similarity(truth, target)[valid], torch.ones(int(valid.sum()), dtype=torch.float64))


@every_task
def test_loss_is_the_mean_of_the_pixel_losses(task: Task) -> None:
    prediction, target = example(task)
    values, valid = task.pixel_losses(prediction, target)
    means = [float(v[m].mean()) if m.any() else 0.0 for v, m in zip(values, valid, strict=True)]
    assert task.loss(prediction, target).tolist() == pytest.approx(means, abs=1e-12)
    plain = by_hand(task, prediction, target, lambda *pixel: torch.ones(()))
    assert means == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("name", WEIGHTS)
@every_task
def test_gradients_are_those_of_fixed_weights(task: Task, name: str) -> None:
    """Finite differences of Σ w·loss, w as at the point itself."""
    prediction, target = example(task)
    criterion, point = create_criterion(name), prediction.clone().requires_grad_()
    values, valid = task.pixel_losses(prediction, target)
    if name == "cospgd":
        weights = task.similarity(prediction, target)
    else:
        right = prediction.argmax(1) == target if task.kind == "segmentation" else torch.ones_like(valid)
        weights = torch.where(right, 0.8, 0.2) if task.kind == "segmentation" else torch.ones_like(values)
    (gradient,) = torch.autograd.grad(criterion.loss(task, point, target, 0.4).sum(), point)

    def weighted(at: Tensor) -> float:
        values, valid = task.pixel_losses(at, target)
        kept = torch.where(valid, weights * values, 0.0).sum((1, 2))
        return float((kept / valid.sum((1, 2)).clamp_min(1)).sum())

    for place in ((0, 0, 1, 2), (1, task.channels - 1, 4, 3), (0, 0, 0, 0), (2, 0, 1, 1)):
        change = torch.zeros_like(prediction)
        change[place] = 1e-6
        slope = (weighted(prediction + change) - weighted(prediction - change)) / 2e-6
        assert float(gradient[place]) == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", ["cospgd", "dlr"])
def test_a_class_of_the_image_is_that_of_an_image_of_one_pixel(name: str, classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, classes, generator=generator)
    labels = torch.randint(0, classes, (6,), generator=generator)
    labels[3] = 255
    criterion = create_criterion(name)
    whole, dense = logits.clone().requires_grad_(), logits[..., None, None].clone().requires_grad_()
    one = criterion.loss(Classification(classes, ignore=255), whole, labels, 0.3)
    other = criterion.loss(Segmentation(classes), dense, labels[:, None, None], 0.3)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=0)
    gradients = (torch.autograd.grad(loss.sum(), point)[0] for loss, point in ((one, whole), (other, dense)))
    torch.testing.assert_close(*(gradient.flatten(1) for gradient in gradients))
    assert one[3] == 0 and (one > 0).sum() == 5


def test_answers_that_are_known_one_by_one_are_weighted_one_by_one() -> None:
    logits, labels = torch.tensor([[2.0, -1.0, 3.0]]), torch.tensor([[1.0, 1.0, torch.nan]])
    p, losses = logits.sigmoid(), torch.nn.functional.softplus(-logits)
    factor = p / (p**2 + (1 - p) ** 2).sqrt()
    expected = (factor * losses)[0, :2].mean()
    torch.testing.assert_close(create_criterion("cospgd").loss(MultiLabel(3), logits, labels, 0.0)[0], expected)
    assert create_criterion("dlr").loss(Scalar(), logits[:, :1], labels[:, 0], 0.0).tolist() == [1.0]


def judging_losses(name: str, points: Tensor, targets: Mapping[str, Tensor]) -> list[Tensor]:
    """Of `ToyNet`, by which an attack with this criterion knows its best point, `[B]` each."""
    if name in GUIDES:
        return losses_of(ToyNet(), points, targets)
    model, criterion = ToyNet().eval(), create_criterion(name)
    predictions = model(points)
    return [criterion.loss(task, predictions[key], targets[key], 0.0) for key, task in model.tasks.items()]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("aggregator", ["total", "dgba", "signsum", "single:segmentation"])
@pytest.mark.parametrize("name", CRITERIA)
def test_criteria_compose_and_do_not_feel_the_batch(name: str, aggregator: str) -> None:
    images, targets = toy_batch(4)
    attack = create_attack(f"apgd-{aggregator}+{name}", eps=0.1, steps=6)
    assert attack.name == f"apgd-{aggregator}+{name}"
    result = attack(ToyNet(), images, targets)
    alone = attack(ToyNet(), images[[2]], {task: value[[2]] for task, value in targets.items()}, [2])
    assert torch.equal(alone[0], result[2])
    assert not torch.equal(result, create_attack(f"apgd-{aggregator}", eps=0.1, steps=6)(ToyNet(), images, targets))
    assert attack.cost(3) == create_attack(f"apgd-{aggregator}", eps=0.1, steps=6).cost(3)
    judged = [torch.stack(judging_losses(name, x, targets), 1) for x in (images, result)]
    columns = [0] if aggregator.startswith("single") else [0, 1, 2]
    clean, hurt = (attack.aggregator.score(losses[:, columns]) for losses in judged)
    assert (hurt >= clean).all() and (hurt > clean).any()


@pytest.mark.parametrize("name", CRITERIA)
def test_the_score_is_that_of_the_plain_losses_or_of_a_criterion_that_judges(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(Objective):
        def gradient(self, points: Tensor, view: object = None) -> tuple[Tensor, Tensor]:
            score, direction = super().gradient(points, view)
            seen.append((points, score))
            return score, direction

    monkeypatch.setattr("mtlattack.attacks.composed.Objective", Spy)
    images, targets = toy_batch(3)
    create_attack(f"bim-total+{name}", eps=0.1, steps=3)(ToyNet(), images, targets)
    for points, score in seen:
        torch.testing.assert_close(score, torch.stack(judging_losses(name, points, targets), 1).sum(1).detach())


def test_segpgd_goes_by_the_share_of_the_climb_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def loss(self: object, task: Task, prediction: Tensor, target: Tensor, progress: float) -> Tensor:
        seen.append(progress)
        return task.loss(prediction, target)

    monkeypatch.setattr("mtlattack.attacks.criteria.segpgd.SegPGD.loss", loss)
    create_attack("pgd-single:segmentation+segpgd", eps=0.1, steps=4, restarts=2)(ToyNet(), *toy_batch(2))
    assert seen == [0, 0.25, 0.5, 0.75] * 2


def test_cospgd_needs_the_losses_of_pixels() -> None:
    model = LinearNet({"a": torch.ones(3, 4, 4)})
    images, targets = torch.full((2, 3, 4, 4), 0.5), {"a": torch.zeros(2)}
    with pytest.raises(InputError, match="a: cospgd needs the losses of pixels, and Offset is no Task"):
        create_attack("pgd-total+cospgd", eps=0.1, steps=2)(model, images, targets)
    plain = create_attack("pgd-total", eps=0.1, steps=2)(model, images, targets)
    assert torch.equal(create_attack("pgd-total+segpgd", eps=0.1, steps=2)(model, images, targets), plain)


def test_names() -> None:
    assert CRITERIA == ["cospgd", "dlr", "houdini", "segpgd"]
    assert JUDGES == [name for name in CRITERIA if create_criterion(name).judges]
    with pytest.raises(UnknownNameError, match="unknown criterion 'cosgpd'; did you mean 'cospgd'"):
        create_attack("pgd-total+cosgpd", eps=0.1)


def test_lists_name_only_what_can_be_made() -> None:
    names = list_attacks("*+*", tasks=["depth"])
    assert {"apgd-dgba+cospgd", "pgd-single:depth+segpgd"} <= set(names)
    assert all(create_attack(name, eps=0.1).name == name for name in names)
    assert list_attacks("square-*+*") == list_attacks("*-feature+*") == []


def test_segpgd_leaves_an_image_where_every_pixel_is_wrong_its_plain_loss() -> None:
    task, target = Segmentation(3), torch.tensor([[[0, 1], [255, 2]], [[2, 2], [255, 2]]])
    prediction = torch.zeros(2, 3, 2, 2)
    prediction[:, 1] = 2.0  # right at one pixel of the first image, at none of the second
    found, plain = create_criterion("segpgd").loss(task, prediction, target, 0.0), task.loss(prediction, target)
    assert torch.equal(found[1], plain[1])
    assert 0 < found[0] < plain[0]
