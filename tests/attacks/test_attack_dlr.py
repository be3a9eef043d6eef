"""DLR against AutoAttack's formula, and that no scale of the logits changes what is found."""

import pytest
import torch
from attack_toys import ToyNet, toy_batch
from torch import Tensor, nn

from mtlattack.attacks import create_attack
from mtlattack.attacks.criteria import create_criterion
from mtlattack.tasks import Segmentation

DLR = create_criterion("dlr")


def example(classes: int = 5, seed: int = 0) -> tuple[Segmentation, Tensor, Tensor]:
    """Logits float64 `[3, classes, 6, 7]` and labels, some ignored, in the last image all."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 6, 7, generator=generator, dtype=torch.float64)
    target = torch.randint(0, classes, (3, 6, 7), generator=generator)
    target[:, 0, :3] = target[-1] = 255
    return Segmentation(classes), logits, target


def autoattack_dlr(x: Tensor, y: Tensor) -> Tensor:
    """`dlr_loss` of AutoAttack's autopgd_base.py, for logits `[N, classes]`, without what guards the denominator."""
    x_sorted, ind_sorted = x.sort(dim=1)
    ind = (ind_sorted[:, -1] == y).to(x)
    u = torch.arange(x.shape[0])
    return -(x[u, y] - x_sorted[:, -2] * ind - x_sorted[:, -1] * (1.0 - ind)) / (x_sorted[:, -1] - x_sorted[:, -3])


def value_and_gradient(task: Segmentation, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    at = logits.clone().requires_grad_()
    value = DLR.loss(task, at, target, 0.0)
    (gradient,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), gradient


@pytest.mark.parametrize("classes", [3, 5])
def test_it_is_the_mean_of_autoattacks_dlr_bounded(classes: int) -> None:
    task, logits, target = example(classes)
    reference = logits.clone().requires_grad_()
    pixels = [
        autoattack_dlr(image.flatten(1).T[valid.flatten()], labels[valid])
        for image, labels, valid in zip(reference, target, target != 255, strict=True)
    ]
    expected = torch.stack([(1 + p.tanh()).sum() / max(len(p), 1) for p in pixels])
    (slope,) = torch.autograd.grad(expected.sum(), reference)
    value, gradient = value_and_gradient(task, logits, target)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, slope)
    assert value[-1] == 0 and (value[:-1] > 0).all() and not gradient[:, :, 0, :3].any()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_neither_shift_nor_scale_changes_value_or_direction(classes: int) -> None:
    task, logits, target = example(classes)
    value, gradient = value_and_gradient(task, logits, target)
    for scale in (2.0**-30, 0.25, 2.0**40):  # powers of two: to the last bit
        scaled = value_and_gradient(task, scale * logits, target)
        assert torch.equal(scaled[0], value) and torch.equal(scale * scaled[1], gradient)
    shift = torch.randn(3, 1, 6, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    changed = value_and_gradient(task, 50 * logits + shift, target)
    torch.testing.assert_close(changed[0], value)
    torch.testing.assert_close(50 * changed[1], gradient)


def test_each_pixel_may_have_a_scale_of_its_own() -> None:
    task, logits, target = example()
    scale = 10 ** torch.randn(3, 1, 6, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    value, gradient = value_and_gradient(task, logits, target)
    changed = value_and_gradient(task, scale * logits, target)
    torch.testing.assert_close(changed[0], value)
    torch.testing.assert_close(scale * changed[1], gradient)


def test_two_classes_are_measured_by_the_images_mean_difference() -> None:
    task, logits, target = example(2)
    value, _ = value_and_gradient(task, logits, target)
    for image, labels, found in zip(logits[:2], target[:2], value[:2], strict=True):
        valid = labels != 255
        lead = (image[1] - image[0])[valid] * (1 - 2 * labels[valid])
        assert float(found) == pytest.approx(float((1 + (lead / lead.abs().mean()).tanh()).mean()))


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [
        ([1.0, 1.0, 1.0, 1.0], 2, 1.0),
        ([1.0, 1.0, 1.0, 0.0], 3, 2.0),
        ([1.0, 1.0, 0.0, 0.0], 1, 1.0),
        ([9.0, 0.0, 0.0, 0.0], 0, 0.2384),
        ([1e30, 0.0, 0.0, -1e30], 3, 1.9640),
        ([1e-30, 0.0, 0.0, -1e-30], 3, 1.9640),
        ([1.0, 1.0, 1 - 2.0**-24, -1e20], 3, 2.0),
    ],
    ids=["all equal", "three equal above", "two equal", "sure", "huge", "tiny", "nearly equal"],
)
def test_ties_and_extremes(logits: list[float], label: int, expected: float) -> None:
    prediction = torch.tensor(logits)[None, :, None, None]
    value, gradient = value_and_gradient(Segmentation(4), prediction, torch.full((1, 1, 1), label))
    assert float(value) == pytest.approx(expected, abs=1e-4)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("classes", [2, 4])
def test_constant_logits_give_no_gradient(classes: int) -> None:
    task, logits, target = example(classes)
    value, gradient = value_and_gradient(task, torch.zeros_like(logits), target)
    assert value.tolist() == [1, 1, 0] and not gradient.any()


class Scaled(nn.Module):
    """A network whose class logits are multiplied by a factor: the same classes for every image."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.network, self.factor = ToyNet(), factor
        self.tasks = self.network.tasks

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        predictions = self.network(images)
        return predictions | {"segmentation": self.factor * predictions["segmentation"]}


@pytest.mark.parametrize("name", ["apgd-single:segmentation", "apgd-relative", "apgd-dgba", "pgd-mgda", "decay-total"])
@pytest.mark.parametrize("factor", [1 / 32, 64.0])
def test_cool_and_hot_logits_meet_the_same_attack_to_the_bit(name: str, factor: float) -> None:
    images, targets = toy_batch(3)
    plain, dlr = (create_attack(name + criterion, eps=0.1, steps=6) for criterion in ("", "+dlr"))
    twin = dlr(Scaled(1.0), images, targets)
    assert torch.equal(dlr(Scaled(factor), images, targets), twin)
    assert not torch.equal(twin, images)
    if name != "apgd-single:segmentation":  # what is shared with other tasks by cross entropy goes by its scale
        assert not torch.equal(plain(Scaled(factor), images, targets), plain(Scaled(1.0), images, targets))


def test_where_cross_entropy_saturates_it_still_climbs() -> None:
    """Of hot logits of right pixels the cross entropy is 0 in float32, and so is its gradient."""
    images, _ = toy_batch(4)
    model = Scaled(4096.0)
    labels = model.eval()(images)["segmentation"].argmax(1)
    targets = toy_batch(4)[1] | {"segmentation": labels}
    hit = {}
    for criterion in ("", "+dlr"):
        attack = create_attack(f"apgd-single:segmentation{criterion}", eps=0.1, steps=10)
        hit[criterion] = (model(attack(model, images, targets))["segmentation"].argmax(1) == labels).double().mean()
    assert hit["+dlr"] < hit[""] - 0.1
