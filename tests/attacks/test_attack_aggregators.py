"""The aggregators do what their papers say: directions, invariances, optimality."""

import itertools

import pulp
import pytest
import torch
from aggregator_toys import GRAM
from attack_toys import ToyNet, losses_of, toy_batch

from mtlattack.attacks import create_aggregator, create_attack, list_aggregators
from mtlattack.attacks.objective import Objective
from mtlattack.attacks.problem import Problem
from mtlattack.tasks import Depth, Segmentation

SCALES = [0.01, 0.5, 4.0, 100.0]


class Scaled:
    """A task whose loss is multiplied by a number."""

    def __init__(self, task, scale):
        self.task, self.scale, self.name = task, scale, task.name

    def loss(self, prediction, target):
        return self.scale * self.task.loss(prediction, target)

    def __getattr__(self, name):
        return getattr(self.task, name)


def scaled_net(scale: float, name: str = "depth") -> ToyNet:
    model = ToyNet().eval()
    model.tasks = {**model.tasks, name: Scaled(model.tasks[name], scale)}
    return model


def objective(aggregator: str, model=None, targets=None) -> Objective:
    model = ToyNet().eval() if model is None else model
    images, truth = toy_batch(4)
    truth = truth if targets is None else targets
    images = images[: len(truth["depth"])]
    return Objective(Problem(model, model, model.tasks, truth, images), create_aggregator(aggregator))


def task_gradients(model, images, targets):
    """L_i and ∇L_i, each task by a forward and backward pass of its own."""
    results = []
    for i in range(len(model.tasks)):
        x = images.clone().requires_grad_()
        loss = losses_of(model, x, targets)[i]
        results.append((loss.detach(), torch.autograd.grad(loss.sum(), x)[0]))
    losses, gradients = zip(*results, strict=True)
    return torch.stack(losses, 1), torch.stack(gradients)


def test_directions_are_the_combinations_of_the_task_gradients():
    model, (images, targets) = ToyNet(), toy_batch(4)
    losses, gradients = task_gradients(model, images, targets)
    expected = {
        "single:segmentation": gradients[0],
        "single:normals": gradients[2],
        "total": gradients.sum(0),
        "signsum": gradients.sign().sum(0),
        "dgba": sum(gradients[i] / losses[:, i, None, None, None] for i in range(3)),
    }
    for name, direction in expected.items():
        score, found = objective(name).gradient(images)
        assert torch.allclose(found, direction, rtol=1e-4, atol=1e-6 * direction.abs().max().item()), name
        assert score.shape == (4,) and not score.requires_grad and not found.requires_grad


def test_scores():
    model, (images, targets) = ToyNet(), toy_batch(4)
    losses = torch.stack(losses_of(model, images, targets), 1).detach()
    expected = {"single:depth": losses[:, 1], "total": losses.sum(1), "dgba": losses.log().sum(1)}
    expected["signsum"] = expected["dgba"]
    for name, score in expected.items():
        assert torch.allclose(objective(name).score(images), score, rtol=1e-5)
        assert torch.equal(objective(name).score(images), objective(name).gradient(images)[0])


def test_dgba_is_the_gradient_of_the_sum_of_logs():
    images, targets = toy_batch(4)
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(torch.stack(losses_of(ToyNet(), x, targets)).log().sum(), x)
    assert torch.allclose(objective("dgba").gradient(images)[1], expected, rtol=1e-4, atol=1e-6)


def test_dgba_agrees_with_finite_differences():
    model, (images, targets) = ToyNet().double(), toy_batch(2)
    x, h = images.double(), 1e-6
    targets = {name: value.double() if value.is_floating_point() else value for name, value in targets.items()}

    def logs(points):
        return torch.stack(losses_of(model, points, targets), 1).log().sum(1)

    found = objective("dgba", model.eval(), targets).gradient(x)[1]
    for c, row, column in [(0, 3, 3), (1, 2, 4), (2, 5, 5), (0, 0, 2)]:
        step = torch.zeros_like(x)
        step[:, c, row, column] = h
        slope = (logs(x + step) - logs(x - step)) / (2 * h)
        assert torch.allclose(found[:, c, row, column], slope, rtol=1e-4, atol=1e-6)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("aggregator", sorted(set(list_aggregators(tasks=["depth"])) - {"feature"}))
def test_who_feels_the_scale_of_a_loss(aggregator, scale):
    """Those that sum plain losses, and no other."""
    images, _ = toy_batch(4)
    plain, scaled = (objective(aggregator, model).gradient(images)[1] for model in (None, scaled_net(scale)))
    if aggregator == "single:depth":
        plain = scale * plain
    same = torch.allclose(scaled, plain, rtol=1e-3, atol=1e-4 * plain.abs().max().item())
    assert same == (aggregator not in ("total", "wgd", "wgd-inverse"))


@pytest.mark.parametrize("scale", [0.5, 4.0])
def test_pgd_dgba_gives_the_same_images_whatever_the_scale(scale):
    images, targets = toy_batch(4)
    attack = create_attack("pgd-dgba", eps=0.1, steps=5)
    assert torch.equal(attack(ToyNet(), images, targets), attack(scaled_net(scale), images, targets))
    total = create_attack("pgd-total", eps=0.1, steps=5)
    assert not torch.equal(total(ToyNet(), images, targets), total(scaled_net(scale), images, targets))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("aggregator", ["single:depth", "single:normals", "total", "signsum", "dgba"])
@pytest.mark.parametrize("step", ["fgsm", "bim", "pgd", "mim", "apgd"])
def test_an_image_without_valid_pixels_for_a_task(step, aggregator, norm):
    images, targets = toy_batch(4)
    attack = create_attack(f"{step}-{aggregator}", norm=norm, eps=0.1, **({} if step == "fgsm" else {"steps": 6}))
    usual = attack(ToyNet(), images, targets)
    targets["depth"][1] = 0
    result = attack(ToyNet(), images, targets)
    others = [0, 2, 3]
    assert result.isfinite().all()
    assert torch.equal(result[others], usual[others])
    moved = not torch.equal(result[1], images[1])
    assert moved == (aggregator != "single:depth" or step == "pgd")
    if aggregator == "dgba" and step == "fgsm":
        x = images[[1]].clone().requires_grad_()
        segmentation, _, normals = losses_of(ToyNet(), x, {name: value[[1]] for name, value in targets.items()})
        (rest,) = torch.autograd.grad((segmentation.log() + normals.log()).sum(), x)
        assert torch.allclose(objective("dgba", targets=targets).gradient(images)[1][[1]], rest, rtol=1e-4, atol=1e-6)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("step", ["bim", "apgd"])
@pytest.mark.parametrize("aggregator", [*GRAM, "minmax", "relative", "saga", "smta:normals", "wgd", "wgd-inverse"])
def test_a_task_without_valid_pixels_stops_no_other(aggregator, step):
    images, targets = toy_batch(4)
    attack = create_attack(f"{step}-{aggregator}", eps=0.1, steps=6)
    usual = attack(ToyNet(), images, targets)
    targets["depth"][1] = 0
    result = attack(ToyNet(), images, targets)
    others = [0, 2, 3]
    assert result.isfinite().all() and torch.equal(result[others], usual[others])
    assert (result[1] - images[1]).abs().max() > 0.05


def test_an_image_without_any_label_stays():
    images, targets = toy_batch(3)
    targets["depth"][1], targets["segmentation"][1], targets["normals"][1] = 0, 255, 0
    for name in ("bim-dgba", "mim-total", "apgd-signsum", "bim-cagrad", "apgd-mgda", "bim-minmax", "bim-saga"):
        result = create_attack(name, eps=0.1, steps=4)(ToyNet(), images, targets)
        assert torch.equal(result[1], images[1])
        assert not torch.equal(result[0], images[0]) and not torch.equal(result[2], images[2])


def test_a_head_that_is_cut_off_costs_the_others_nothing():
    class Cut(ToyNet):
        def forward(self, images):
            predictions = super().forward(images)
            return predictions | {"depth": predictions["depth"].detach()}

    images, targets = toy_batch(2)
    for aggregator in ("total", "signsum"):
        found = objective(aggregator, Cut().eval(), targets).gradient(images)[1]
        _, gradients = task_gradients(ToyNet(), images, targets)
        gradients = gradients.sign() if aggregator == "signsum" else gradients
        assert torch.allclose(found, gradients[0] + gradients[2], atol=1e-6)


@pytest.fixture(scope="module")
def tiny():
    """Images of 12 values, the relative gradients Σ_i ∇L_i/L_i in float64, and DGBA's perturbation of them."""
    images = 0.3 + 0.4 * torch.rand(3, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    targets = {name: value[:3, ..., :2, 3:5].contiguous() for name, value in toy_batch(4)[1].items()}
    losses, gradients = task_gradients(ToyNet(), images, targets)
    relative = (gradients.double() / losses.T.double()[:, :, None, None, None]).sum(0).flatten(1)
    eps = 0.05
    delta = create_attack("fgsm-dgba", eps=eps)(ToyNet(), images, targets) - images
    return relative, delta.flatten(1).double(), eps


def test_no_sign_vector_beats_dgba_to_first_order(tiny):
    relative, delta, eps = tiny
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=12)), dtype=torch.float64)
    changes = eps * signs @ relative.T / 3
    best, index = changes.max(0)
    assert torch.allclose(delta, eps * signs[index], atol=1e-6)
    assert torch.allclose((delta * relative).sum(1) / 3, best, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pulp")
def test_integer_linear_program_gives_the_same_direction(tiny):
    available = pulp.listSolvers(onlyAvailable=True)
    if not available:
        pytest.skip("PuLP finds no solver (install pulp[cbc] or highspy)")
    relative, delta, eps = tiny
    for coefficients, ours in zip(relative.tolist(), delta, strict=True):
        program = pulp.LpProblem("step", pulp.LpMaximize)
        step = [pulp.LpVariable(f"d{j}", -1, 1, cat="Integer") for j in range(12)]
        program += pulp.lpSum(c * d for c, d in zip(coefficients, step, strict=True))
        program.solve(pulp.getSolver(available[0], msg=False))
        assert pulp.LpStatus[program.status] == "Optimal"
        theirs = eps * torch.tensor([d.value() for d in step], dtype=torch.float64)
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_tiny_losses_do_not_break_dgba():
    aggregator = create_aggregator("dgba")
    losses = torch.tensor([[0.0, 1.0], [1e-12, 2.0], [0.5, 4.0]])
    assert aggregator.weights(losses).isfinite().all() and aggregator.score(losses).isfinite().all()
    assert aggregator.weights(losses)[2].tolist() == [2.0, 0.25]


def test_tasks_that_an_aggregator_looks_at():
    names = ["segmentation", "depth"]
    assert create_aggregator("single:depth").tasks(names) == ("depth",)
    assert create_aggregator("dgba").tasks(names) == ("segmentation", "depth")
    assert [create_aggregator(name).backward_passes(5) for name in ("single:depth", "total", "dgba", "signsum")] == [
        1,
        1,
        1,
        5,
    ]


def test_one_task_alone():
    """With one task dgba, total and single go the same way."""
    model, (images, targets) = ToyNet(), toy_batch(2)
    for task in (Depth(), Segmentation(4)):
        model.tasks = {task.name: task}
        results = [
            create_attack(f"bim-{name}", eps=0.1, steps=4)(model, images, targets)
            for name in ("total", "dgba", "signsum", f"single:{task.name}")
        ]
        assert all(torch.equal(result, results[0]) for result in results)
