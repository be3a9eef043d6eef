"""Views against torch's own resampling and against blocks moved by hand; what is said comes back to its place."""

import pytest
import torch
import torch.nn.functional as F

from mtlattack.attacks.views import Darkened, Shrunk, Shuffled


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


def test_a_darker_image_is_what_it_was_and_so_is_what_is_said() -> None:
    images = images_of(6, 6)
    assert torch.equal(Darkened(0.25).image(images), images / 4)
    assert torch.equal(Darkened(0.25).prediction(images), images)


# Rows of 10 cut at .3, .5: 3, 2 and 5 of them. Each list is a permutation: the rank of each part.
CUTS, RANKS = [0.3, 0.5, 1.0], [1, 2, 0]
INSIDE = [[0.5, 0.75, 1.0], [0.25, 0.5, 1.0], [0.25, 0.75, 1.0]]
RANKS_INSIDE = [[0, 1, 2], [2, 1, 0], [1, 0, 2]]


def shuffled(across: bool) -> Shuffled:
    parts = (torch.tensor(CUTS), torch.tensor(RANKS), torch.tensor(INSIDE), torch.tensor(RANKS_INSIDE))
    cuts, ranks, inside, ranks_inside = (part[None] for part in parts)
    return Shuffled(cuts, ranks, inside, ranks_inside, torch.tensor([across]))


def in_order(parts: list[torch.Tensor], ranks: list[int]) -> list[torch.Tensor]:
    return [part for _, part in sorted(zip(ranks, parts, strict=True), key=lambda pair: pair[0])]


def moved_by_hand(image: torch.Tensor) -> torch.Tensor:
    """Strips of rows of `[C, 10, 8]`, their blocks shuffled, then the strips."""
    strips = []
    for strip, cuts, ranks in zip(image.split([3, 2, 5], 1), INSIDE, RANKS_INSIDE, strict=True):
        ends = [round(8 * cut) for cut in cuts]
        widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
        strips.append(torch.cat(in_order(list(strip.split(widths, 2)), ranks), 2))
    return torch.cat(in_order(strips, RANKS), 1)


def test_blocks_are_moved_as_by_hand() -> None:
    image = images_of(10, 8)[:1]
    assert torch.equal(shuffled(True).image(image)[0], moved_by_hand(image[0]))
    assert torch.equal(shuffled(False).image(image.mT)[0], moved_by_hand(image[0]).mT)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), *SHAPES])
def test_what_is_said_of_blocks_comes_back_exactly(shape: tuple[int, int], across: bool) -> None:
    image, view = images_of(*shape)[:1].requires_grad_(), shuffled(across)
    back = view.prediction(view.image(image))
    assert torch.equal(back, image)
    weight = torch.rand(image.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((weight * back).sum(), image)
    assert torch.equal(gradient, weight)


def test_a_smaller_prediction_comes_back_to_its_places() -> None:
    """Half as large and cut where both can be cut: what an average of 2 × 2 pixels says is where those were."""
    image, cuts = images_of(16, 16)[:1], torch.tensor([[0.25, 0.5, 1.0]])
    ranks = torch.tensor([[2, 0, 1]])
    view = Shuffled(cuts, ranks, cuts[:, None].expand(1, 3, 3), ranks[:, None].expand(1, 3, 3), torch.tensor([True]))
    said = F.avg_pool2d(view.image(image), 2)
    assert not torch.equal(said, F.avg_pool2d(image, 2))
    assert torch.equal(view.prediction(said), F.avg_pool2d(image, 2))


def test_what_has_no_place_is_left_as_it_is() -> None:
    vector = torch.rand(1, 5)
    assert shuffled(True).prediction(vector) is vector
