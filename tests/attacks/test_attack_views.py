"""The shrunk look at an image against torch's own resampling, and that what is said comes back to its place."""

import pytest
import torch
import torch.nn.functional as F

from mtlattack.attacks.views import Shrunk


def view(*rows: tuple[float, float, float]) -> Shrunk:
    return Shrunk(*torch.tensor(rows).unbind(1))


VIEW = view((0.9, 0.0, 1.0), (0.93, 0.4, 0.7), (1.0, 0.3, 0.2))
SHAPES = [(6, 6), (17, 9), (64, 48)]


def images_of(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(3, channels, height, width, generator=torch.Generator().manual_seed(0))


def grid_of(scale: torch.Tensor, y: torch.Tensor, x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The grid of an affine map x_in = scale · x_out + shift, in torch's coordinates from −1 to 1."""
    theta = torch.zeros(len(scale), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 2], theta[:, 1, 2] = scale, scale, x, y
    return F.affine_grid(theta, list(shape), align_corners=False)


def shifts(view: Shrunk) -> tuple[torch.Tensor, torch.Tensor]:
    """How far the middle of the image is moved, in torch's coordinates."""
    room = 1 - view.size
    return room * (2 * view.top - 1), room * (2 * view.left - 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_is_resampled_as_torch_does_it(shape: tuple[int, int]) -> None:
    images, (y, x) = images_of(*shape), shifts(VIEW)
    grid = grid_of(1 / VIEW.size, -y / VIEW.size, -x / VIEW.size, images.shape)
    expected = F.grid_sample(images - 0.5, grid, align_corners=False) + 0.5
    torch.testing.assert_close(VIEW.image(images), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_prediction_is_resampled_as_torch_does_it(shape: tuple[int, int]) -> None:
    prediction, (y, x) = images_of(*shape, channels=7), shifts(VIEW)
    grid = grid_of(VIEW.size, y, x, prediction.shape)
    expected = F.grid_sample(prediction, grid, align_corners=False, padding_mode="border")
    torch.testing.assert_close(VIEW.prediction(prediction), expected, atol=2e-5, rtol=0)


def test_what_is_not_shrunk_is_the_same_to_the_last_float() -> None:
    images = images_of(17, 9)
    assert torch.equal(VIEW.image(images)[2], images[2]) and torch.equal(VIEW.prediction(images)[2], images[2])
    assert not torch.equal(VIEW.image(images)[0], images[0])


def test_what_is_said_comes_back_to_where_the_labels_are() -> None:
    """A model that repeats its image: smooth pictures come back, but for the edge, which meets the grey."""
    rows, columns = torch.linspace(0, 1, 64)[:, None], torch.linspace(0, 1, 48)[None]
    picture = torch.stack([rows.expand(64, 48), columns.expand(64, 48), rows * columns])
    images = picture.expand(3, 3, 64, 48)
    back = VIEW.prediction(VIEW.image(images))
    torch.testing.assert_close(back[..., 2:-2, 2:-2], images[..., 2:-2, 2:-2], atol=2e-3, rtol=0)
    assert (VIEW.image(images)[0] - images[0]).abs().max() > 0.05


def test_a_prediction_without_a_place_stays() -> None:
    scores = torch.rand(3, 5)
    assert VIEW.prediction(scores) is scores


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_prediction_keeps_its_dtype(dtype: torch.dtype) -> None:
    prediction = images_of(6, 6).to(dtype)
    result = VIEW.prediction(prediction)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), VIEW.prediction(prediction.float()), atol=1e-2, rtol=0)


@pytest.mark.parametrize("shape", [*SHAPES, (96, 130)])
def test_an_image_does_not_feel_its_batch(shape: tuple[int, int]) -> None:
    images = images_of(*shape).requires_grad_()
    together = VIEW.image(images)
    (gradient,) = torch.autograd.grad(together.square().sum(), images)
    for i in range(3):
        one = images[i : i + 1].detach().requires_grad_()
        alone = Shrunk(VIEW.size[[i]], VIEW.top[[i]], VIEW.left[[i]]).image(one)
        assert torch.equal(alone[0], together[i])
        assert torch.equal(torch.autograd.grad(alone.square().sum(), one)[0][0], gradient[i])
