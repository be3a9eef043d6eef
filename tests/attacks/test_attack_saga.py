"""Auto-SAGA: equal to a plain loop over tasks, inside its threat, at the cost that it says."""

import json

import pytest
import torch
from attack_toys import Counted, LinearNet, ToyNet, losses_of, toy_batch
from sync_toys import Waits
from torch import Tensor

from mtlattack.attacks import AutoSAGA, Cost, Threat, create_attack, list_attacks
from mtlattack.errors import InputError, UnknownNameError

EPS = 8 / 255


def gradients_of(model: ToyNet, x: Tensor, targets: dict[str, Tensor]) -> list[Tensor]:
    """One gradient a task, each from a forward pass of its own."""
    found = []
    for task in range(3):
        image = x.clone().requires_grad_()
        found.append(torch.autograd.grad(losses_of(model, image, targets)[task].sum(), image)[0])
    return found


def plain_auto_saga(model: ToyNet, images: Tensor, targets: dict[str, Tensor], eps: float, steps: int) -> Tensor:
    """The published update, written down task by task."""
    length, x = eps / steps, images
    weights = [torch.ones_like(images) for _ in range(3)]

    def inside(points: Tensor) -> Tensor:
        return torch.maximum(torch.minimum(points, images + eps), images - eps).clamp(0, 1)

    for _ in range(steps):
        g = gradients_of(model, x, targets)
        u = sum(a * each for a, each in zip(weights, g, strict=True))
        at_trial = sum(gradients_of(model, inside(x + length * u.sign()), targets))
        weights = [
            a + 10 * at_trial * (50 * length * each / torch.cosh(50 * u) ** 2)
            for a, each in zip(weights, g, strict=True)
        ]
        x = inside(x + length * sum(a * each for a, each in zip(weights, g, strict=True)).sign())
    return x


@pytest.mark.parametrize("steps", [1, 4])
def test_it_is_the_published_update_with_every_tasks_gradient(steps: int) -> None:
    images, targets = toy_batch(4)
    result = create_attack("auto-saga", eps=EPS, steps=steps)(ToyNet(), images, targets)
    expected = plain_auto_saga(ToyNet().eval(), images, targets, EPS, steps)
    # Where a direction is about zero, rounding decides its sign.
    assert ((result - expected).abs() < 1e-6).double().mean() > 0.98


def test_it_is_not_bim_on_the_sum_of_the_losses() -> None:
    images, targets = toy_batch(4)
    results = [create_attack(name, eps=EPS, steps=4)(ToyNet(), images, targets) for name in ("auto-saga", "bim-total")]
    assert not torch.equal(*results)


def test_weights_follow_the_chain_rule_in_closed_form() -> None:
    """Two tasks that are linear in the image: ∇L is the same everywhere, so one step's weights can be written down."""
    generator = torch.Generator().manual_seed(0)
    first, second = (0.01 * torch.randn(3, 4, 4, generator=generator) for _ in range(2))
    images, length = torch.full((1, 3, 4, 4), 0.5), 0.05
    u = first + second
    slope = 10 * u * 50 * length / torch.cosh(50 * u) ** 2
    combined = (1 + slope * first) * first + (1 + slope * second) * second
    # The steps' length is chosen such that the second step stays inside as well.
    result = AutoSAGA(threat=Threat("linf", 0.05), steps=1)(
        LinearNet({"a": first, "b": second}), images, {"a": torch.ones(1), "b": torch.ones(1)}
    )
    torch.testing.assert_close(result, images + 0.05 * combined.sign())


def test_result_is_inside_and_does_not_depend_on_the_batch() -> None:
    images, targets = toy_batch(6)
    attack = create_attack("auto-saga", eps=EPS, steps=5)
    result = attack(ToyNet(), images, targets)
    assert ((result.double() - images.double()).abs() <= EPS).all() and result.min() >= 0 and result.max() <= 1
    alone = [attack(ToyNet(), images[[i]], {k: v[[i]] for k, v in targets.items()}) for i in range(6)]
    assert torch.equal(torch.cat(alone), result)
    before, after = (torch.stack(losses_of(ToyNet(), x, targets), 1) for x in (images, result))
    assert (after.sum(1) > before.sum(1)).all()


@pytest.mark.parametrize("steps", [1, 3])
def test_cost(steps: int) -> None:
    model, attack = Counted(ToyNet()), create_attack("auto-saga", eps=EPS, steps=steps)
    model.model.train()
    values = [value.clone() for value in model.state_dict().values()]
    attack(model, *toy_batch(2))
    assert Cost(model.forwards, model.backwards["images"]) == attack.cost(3) == Cost(2 * steps, 4 * steps)
    assert model.model.training and all(map(torch.equal, values, model.state_dict().values()))
    assert model.model.stem.requires_grad and model.model.stem.grad is None


def test_no_step_waits_for_the_device() -> None:
    images, targets = toy_batch(2)
    with Waits() as waits:
        create_attack("auto-saga", eps=EPS, steps=3)(ToyNet(), images, targets)
    assert waits.count == 1  # the range of the images


def test_names_options_and_config() -> None:
    attack = create_attack("auto-saga", eps=EPS, seed=3)
    assert attack.config() == {
        "name": "auto-saga", "norm": "linf", "eps": EPS, "seed": 3, "steps": 20, "step_size": EPS / 20,
    }  # fmt: skip
    assert create_attack(**json.loads(json.dumps(attack.config()))).config() == attack.config()
    assert str(attack) == "auto-saga (linf 8/255)"
    assert list_attacks("auto*") == ["auto-saga"] and list_attacks("auto*+*") == []
    for options, message in [
        ({"steps": 0}, "steps 0 is not a whole number"),
        ({"steps": True}, "steps True is not a whole number"),
        ({"step_size": -1.0}, r"step_size -1.0 is outside \(0, ∞\)"),
        ({"restarts": 2}, "auto-saga takes no option 'restarts'; it takes: steps, step_size"),
        ({"norm": "l2"}, "auto-saga is made for linf, not for l2"),
    ]:
        with pytest.raises(InputError, match=message):
            create_attack("auto-saga", **{"eps": EPS} | options)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown attack 'auto-sagas'; did you mean 'auto-saga'"):
        create_attack("auto-sagas", eps=EPS)
    with pytest.raises(UnknownNameError, match="unknown attack 'auto-saga-dgba'"):
        create_attack("auto-saga-dgba", eps=EPS)
    with pytest.raises(InputError, match="takes no criterion, 'cospgd' was given"):
        create_attack("auto-saga+cospgd", eps=EPS)
