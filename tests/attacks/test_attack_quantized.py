"""8-bit threats: the image survives saving, the threat is kept, and little strength is lost."""

import io
import math

import numpy as np
import pytest
import torch
from attack_toys import ToyNet, losses_of, toy_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mtlattack.attacks import Threat, create_attack
from mtlattack.errors import InputError

SIZES = {"linf": 8 / 255, "l2": 0.3, "l1": 2.0, "l0": 4, "patch": 0.2}
NAMES = ["fgsm-total", "pgd-dgba", "apgd-dgba", "apgd-single:depth"]


def through_png(images: torch.Tensor) -> torch.Tensor:
    """Saved and read again, as any program would; what is not a grey level is cut off."""
    read = []
    for image in images:
        pixels = (255 * image.permute(1, 2, 0).double() + 1e-3).numpy().astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        read.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255)
    return torch.stack(read)


def assert_kept(norm: str, eps: float, images: torch.Tensor, points: torch.Tensor) -> None:
    levels = (255 * points.double()).round() - (255 * images.double()).round()
    delta = points.double() - images.double()
    if norm == "linf":
        assert levels.abs().max() <= math.floor(255 * eps + 1e-6)
        assert delta.abs().max() <= eps + 2**-24
    elif norm == "l0":
        assert ((delta != 0).any(1).flatten(1).sum(1) <= eps).all()
    elif norm in ("l1", "l2"):
        assert (torch.linalg.vector_norm(delta.flatten(1), ord=int(norm[1]), dim=1) <= eps).all()
    else:
        inside = Threat(norm, eps).ball(images).inside
        assert (delta == 0)[..., ~inside].all()


def relative_change(images: torch.Tensor, points: torch.Tensor, targets: dict) -> float:
    clean, hurt = (torch.stack(losses_of(ToyNet(), x, targets), 1) for x in (images, points))
    return (hurt / clean).log().mean().item()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("norm", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_adversarial_images_survive_saving(name, norm):
    images, targets = toy_batch()
    options = {"norm": norm, "eps": SIZES[norm]} | ({} if name.startswith("fgsm") else {"steps": 8})
    plain = create_attack(name, **options)(ToyNet(), images, targets)
    result = create_attack(name, quantized=True, **options)(ToyNet(), images, targets)
    assert torch.equal(through_png(result), result)
    assert norm in ("l0", "patch") or not torch.equal(through_png(plain), plain)
    assert_kept(norm, SIZES[norm], images, result)
    full, kept = relative_change(images, plain, targets), relative_change(images, result, targets)
    assert kept > 0.9 * full - 0.01
    alone = create_attack(name, quantized=True, **options)(
        ToyNet(), images[3:4], {task: value[3:4] for task, value in targets.items()}, [3]
    )
    assert torch.equal(alone, result[3:4])


@pytest.mark.parametrize("name", NAMES)
def test_one_grey_level_still_hurts(name):
    images, targets = toy_batch()
    result = create_attack(name, eps=1 / 255, quantized=True)(ToyNet(), images, targets)
    assert torch.equal(through_png(result), result) and not torch.equal(result, images)
    assert_kept("linf", 1 / 255, images, result)
    task = name.partition(":")[2]
    clean, hurt = (torch.stack(losses_of(ToyNet(), x, targets), 1) for x in (images, result))
    assert (hurt > clean)[:, 1].float().mean() > 0.5 if task else hurt.sum() > clean.sum()


@pytest.mark.parametrize("norm", SIZES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([1e-3, 0.3, 1.0]), scale=st.sampled_from([0.003, 0.05, 1.0]))
def test_rounding_keeps_the_threat_and_what_is_8_bit(norm, seed, share, scale):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2, 3, 5, 4), generator=generator) / 255
    sizes = {"linf": share, "l2": 4 * share, "l1": 30 * share, "l0": 1 + int(share * 19), "patch": share}
    eps = max(sizes[norm], 1.01 / 255)
    ball = Threat(norm, eps, quantized=True).ball(images)
    points = ball.project(images + scale * torch.randn(images.shape, generator=generator))
    result = ball.quantized(points)
    assert_kept(norm, eps, images, result)
    assert torch.equal(through_png(result), result)
    assert torch.equal(ball.quantized(result), result) and torch.equal(ball.quantized(images), images)
    assert ((result - points).abs() < 1.001 / 255).all()
    assert ((result - images) * (points - images) >= 0).all()


def test_the_largest_remainders_go_outward():
    images = torch.full((1, 3, 1, 2), 100 / 255)
    change = torch.tensor([1.2, -1.9, 0.6, 0.4, -0.3, 0.0]).view(1, 3, 1, 2)
    ball = Threat("l1", 5.1 / 255).ball(images)
    assert ((ball.quantized(images + change / 255) - images) * 255).round().flatten().tolist() == [1, -2, 1, 1, 0, 0]
    ball = Threat("l2", math.sqrt(6.5) / 255).ball(images)
    assert ((ball.quantized(images + change / 255) - images) * 255).round().flatten().tolist() == [1, -2, 1, 0, 0, 0]


def test_images_must_be_8_bit():
    images, targets = toy_batch(4)
    attack = create_attack("bim-dgba", eps=8 / 255, steps=2, quantized=True)
    nearly = images * 255 * torch.tensor(1 / 255)  # as loaders have it that multiply
    assert torch.equal(through_png(attack(ToyNet(), nearly, targets)), through_png(attack(ToyNet(), images, targets)))
    images[2, 1, 3, 4], images[3, 0, 0, 0] = 0.1234, 0.5
    with pytest.raises(
        InputError, match=r"image 2 holds 0\.1234\d* at channel 1, row 3, column 4, which is no grey level"
    ):
        attack(ToyNet(), images, targets)
    create_attack("bim-dgba", eps=8 / 255, steps=2)(ToyNet(), images, targets)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_threat_of_less_than_a_grey_level_is_refused(norm):
    with pytest.raises(InputError, match=f"eps 0.002 .{norm}. is too small for 8-bit images"):
        Threat(norm, 0.002, quantized=True)
    with pytest.raises(InputError, match="quantized 1 is neither true nor false"):
        Threat(norm, 0.5, quantized=1)


def test_config_says_so():
    config = create_attack("pgd-total", eps=0.5, norm="l2", quantized=True).config()
    assert config["quantized"] is True and create_attack(**config).threat == Threat("l2", 0.5, quantized=True)
    assert "quantized" not in create_attack("pgd-total", eps=0.5).config()


def test_images_made_in_inference_mode_are_of_use_outside() -> None:
    model = ToyNet()
    with torch.inference_mode():
        images, targets = toy_batch(2)
        for quantized in (False, True):
            attack = create_attack("pgd-total", eps=0.1, steps=2, quantized=quantized)
            assert not attack(model, images, targets).is_inference()
