"""Square against a loop over images by hand, noise against its definition; neither sees a gradient or the search."""

import math

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from torch import Tensor

from mtlattack.attacks import Cost, create_attack, create_step
from mtlattack.attacks.noise import Noise
from mtlattack.errors import InputError

EPS, STEPS = 0.05, 40
MODEL = ToyNet()
BLACK_BOXES = {"square": {"steps": 12}, "noise": {"restarts": 5}}
black_boxes = pytest.mark.parametrize("name", BLACK_BOXES)


def score_of(point: Tensor, targets: dict[str, Tensor]) -> float:
    with torch.no_grad():
        return float(torch.stack(losses_of(MODEL, point, targets), 1).sum(1))


def square_by_hand(image: Tensor, targets: dict[str, Tensor], name: int) -> Tensor:
    """Image `[1, 3, H, W]`, pixel by pixel in Python; the noise is the rule's."""
    noise, (height, width) = Noise(0, [name]), image.shape[2:]
    low, high = ((image + sign * EPS).clamp(0, 1) for sign in (-1, 1))
    stripes = noise.apart("stripes").uniform((3, 1, width), 0)[0, :, 0]
    best = image.clone()
    for c in range(3):
        for j in range(width):
            best[0, c, :, j] = (low if stripes[c, j] < 0 else high)[0, c, :, j]
    best_score = score_of(best, targets)
    for query, draw in enumerate(noise.apart("squares").uniform((STEPS, 5), 0)[0].tolist()):
        at = query / STEPS * 10000
        halvings = sum(at > after for after in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
        side = min(max(round(math.sqrt(0.8 / 2**halvings * height * width)), 1), height, width)
        top, left = (int((u + 1) / 2 * (n - side + 1)) for u, n in ((draw[0], height), (draw[1], width)))
        window = (0, slice(None), slice(top, top + side), slice(left, left + side))
        colours = [u >= 0 for u in draw[2:]]
        for _ in range(2):
            point = best.clone()
            for c, bright in enumerate(colours):
                point[window][c] = (high if bright else low)[window][c]
            if not torch.equal(point, best):
                break
            colours = [not bright for bright in colours]
        score = score_of(point, targets)
        if score > best_score:
            best, best_score = point, score
    return best


def test_square_by_hand() -> None:
    images, targets = toy_batch(4)
    result = create_attack("square-total", eps=EPS, steps=STEPS)(MODEL, images, targets)
    for i in range(4):
        expected = square_by_hand(images[[i]], {name: value[[i]] for name, value in targets.items()}, i)
        assert torch.allclose(result[[i]], expected, atol=1e-6)


def test_sides_shrink_as_in_the_paper_over_its_own_budget() -> None:
    sides = list(create_step("square", steps=10_000, area=0.8)._sides(300, 200))
    changes = [query for query in range(1, 10_000) if sides[query] != sides[query - 1]]
    assert changes == [11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001]
    assert sides[0] == 200 and sides[11] == round(math.sqrt(0.4 * 60_000)) and sides[-1] == round((48_000 / 512) ** 0.5)
    assert min(create_step("square")._sides(3, 3)) == 1


def test_square_finds_the_optimum_of_a_linear_model() -> None:
    weight = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    model, images = LinearNet({"a": weight}), torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    best = (images + 0.1 * weight.sign()).clamp(0, 1)
    gain = []
    for steps in (20, 200, 2000):
        result = create_attack("square-total", eps=0.1, steps=steps)(model, images, {"a": torch.full((3,), 100.0)})
        gain.append(float(((result - images) * weight).sum() / ((best - images) * weight).sum()))
    assert gain[0] < gain[1] < gain[2] and gain[2] > 0.9


def test_more_queries_never_hurt_the_score_and_more_noise_neither() -> None:
    images, targets = toy_batch(4)
    for few, many in (({"restarts": 1}, {"restarts": 6}), ({"restarts": 6}, {"restarts": 20})):
        scores = []
        for options in (few, many):
            result = create_attack("noise-total", eps=EPS, **options)(MODEL, images, targets)
            scores.append([score_of(result[[i]], {n: v[[i]] for n, v in targets.items()}) for i in range(4)])
        assert all(b >= a for a, b in zip(*scores, strict=True)) and scores[0] != scores[1]


@pytest.mark.parametrize(("norm", "eps"), [("linf", EPS), ("l2", 0.4), ("l1", 1.5), ("l0", 4), ("patch", 0.2)])
def test_noise_is_the_best_of_its_points(norm: str, eps: float) -> None:
    images, targets = toy_batch(3)
    attack = create_attack("noise-total", norm=norm, eps=eps, restarts=4)
    result = attack(MODEL, images, targets)
    ball, noise = attack.threat.ball(images), Noise(0, range(3))
    for i in range(3):
        truth = {name: value[[i]] for name, value in targets.items()}
        steps = [ball.steepest(noise.uniform((3, 6, 6), restart)) for restart in range(4)]
        points = [ball.project(images + attack.threat.radius * step)[[i]] for step in steps]
        best = max(points, key=lambda point: score_of(point, truth))
        assert torch.allclose(result[[i]], best, atol=1e-6)
    if norm == "linf":
        assert ((result == ball.lower) | (result == ball.upper)).all()


@black_boxes
def test_a_model_that_gives_no_gradient_is_attacked_all_the_same(name: str) -> None:
    class Opaque(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            return super().forward((images * 255).round().detach() / 255)

    images, targets = toy_batch(3)
    attack = create_attack(f"{name}-dgba", eps=EPS, **BLACK_BOXES[name])
    assert not torch.equal(attack(Opaque(), images, targets), images)


@black_boxes
def test_the_search_model_is_never_asked(name: str) -> None:
    class Forbidden(ToyNet):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise AssertionError("a black box has no search")

    model, (images, targets) = Counted(ToyNet()), toy_batch(3)
    attack = create_attack(f"{name}-total", eps=EPS, **BLACK_BOXES[name])
    result = attack(model, images, targets, search=Forbidden())
    assert torch.equal(result, attack(ToyNet(), images, targets))
    assert attack.cost_with_search(3) == attack.cost(3) == Cost(model.forwards, model.backwards["images"])
    assert attack.cost(3) == {"square": Cost(13, 0), "noise": Cost(5, 0)}[name]


@black_boxes
def test_a_criterion_has_nothing_to_change(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} takes no gradients, so cospgd has none to change"):
        create_attack(f"{name}-total+cospgd", eps=EPS)


def test_square_is_for_linf() -> None:
    with pytest.raises(InputError, match="square is made for linf, not for l2"):
        create_attack("square-total", norm="l2", eps=1.0)
