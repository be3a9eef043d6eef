"""Aggregators by inner products: other libraries and certificates of optimality, one image at a time, as oracles."""

import numpy as np
import pytest
import scipy.optimize
import torch
from aggregator_toys import GRAM, direction_of, gradients_of, some_gradients, unit
from torch import Tensor

from mtlattack.attacks import create_aggregator
from mtlattack.attacks.aggregators.gram import inner_products, unit_gradients
from mtlattack.attacks.aggregators.nonnegative import minimise, quadratic, shortest
from mtlattack.errors import InputError

TASKS = [1, 2, 3, 5, 11]
torchjd = pytest.importorskip("torchjd.aggregation", reason="needs torchjd, of the extra `test`")


def gram_of(gradients: Tensor) -> Tensor:
    """`[B, T, T]` float64 with longest gradient 1."""
    rows = gradients.flatten(2).double()
    rows = rows / rows.norm(dim=2).amax(1)[:, None, None]
    return rows @ rows.mT


def weights_of(name: str, gradients: Tensor, **options: float) -> tuple[Tensor, Tensor]:
    """Weights `[B, T]` and the Gram matrix that they were made from."""
    gram = gram_of(gradients)
    return create_aggregator(name, **options).weights(gram, gradients_of(gradients)), gram


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (unit(a) * unit(b)).sum(1)


def theirs(aggregator: object, gradients: Tensor) -> Tensor:
    """What TorchJD makes of the same gradients, image by image, `[B, N]`."""
    return torch.stack([aggregator(rows) for rows in gradients.flatten(2).double()])


def on_the_dual_cone(wanted: Tensor, gram: Tensor) -> Tensor:
    """For each row u of `wanted` the v ≥ u that minimises vᵀGv: what TorchJD asks quadprog, which may crash."""
    factor = np.linalg.cholesky(gram.numpy() + 1e-9 * np.eye(len(gram))).T
    rows = [scipy.optimize.lsq_linear(factor, np.zeros(len(gram)), (u, np.inf), "bvls").x for u in wanted.numpy()]
    return torch.tensor(np.stack(rows))


@pytest.mark.parametrize("common", [0.0, 2.0])
@pytest.mark.parametrize("tasks", TASKS)
def test_upgrad_is_torchjds(tasks, common):
    gradients = some_gradients(tasks, common=common)
    expected = theirs(torchjd.UPGrad(projector=on_the_dual_cone), gradients)
    assert torch.allclose(unit(direction_of(create_aggregator("upgrad"), gradients)), unit(expected), atol=1e-5)
    weights, gram = weights_of("upgrad", gradients)
    assert ((gram @ weights[..., None])[..., 0] > -1e-8).all()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("c", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("tasks", TASKS)
def test_cagrad_is_torchjds(tasks, c):
    pytest.importorskip("cvxpy")
    gradients = some_gradients(tasks, spread=0.2)
    expected = theirs(torchjd.CAGrad(c=c, norm_eps=0.0), gradients)
    assert torch.allclose(unit(direction_of(create_aggregator("cagrad", c=c), gradients)), unit(expected), atol=1e-3)


@pytest.mark.parametrize("tasks", TASKS)
def test_mgda_is_torchjds(tasks):
    gradients = some_gradients(tasks, batch=2, spread=0.1)
    expected = theirs(torchjd.MGDA(epsilon=1e-6, max_iters=3000), gradients)
    weights = weights_of("mgda", gradients)[0]
    found = (weights[..., None] * gradients.flatten(2)).sum(1)
    assert (found.norm(dim=1) <= (1 + 1e-9) * expected.norm(dim=1)).all()
    assert torch.allclose(found, expected, atol=0.02 * expected.norm(dim=1).min().item())


@pytest.mark.parametrize("tasks", TASKS)
def test_pcgrad_is_torchjds_for_the_worst_conflict_first(tasks, monkeypatch):
    gradients = some_gradients(tasks)
    expected = []
    for rows in gradients.flatten(2).double():
        cosines = unit(rows) @ unit(rows).T
        orders = iter([sorted(range(tasks), key=row.__getitem__) for row in cosines.tolist()])
        monkeypatch.setattr(torch, "randperm", lambda n, orders=orders: torch.tensor(next(orders)))
        expected.append(torchjd.PCGrad()(rows))
    found = direction_of(create_aggregator("pcgrad"), gradients)
    assert torch.allclose(unit(found), unit(torch.stack(expected)), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # TorchJD's program is not what cvxpy would have it be, and ECOS is old
@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_nash_is_torchjds(tasks):
    pytest.importorskip("ecos", reason="needs torchjd[nash-mtl]; the next test asks the equation itself")
    gradients = some_gradients(tasks, spread=0.1)
    expected = []
    for rows in gradients.flatten(2).double():
        expected.append(torchjd.NashMTL(n_tasks=tasks, max_norm=0.0, optim_niter=100)(rows))
    assert (cosine(direction_of(create_aggregator("nash"), gradients), torch.stack(expected)) > 0.9999).all()


@pytest.mark.parametrize("tasks", TASKS)
def test_nash_solves_its_equation(tasks):
    weights, gram = weights_of("nash", some_gradients(tasks, batch=50))
    assert (weights > 0).all()
    assert torch.allclose(weights * (gram @ weights[..., None])[..., 0], torch.ones(()).double(), atol=1e-5)


@pytest.mark.parametrize("common", [0.0, 2.0])
@pytest.mark.parametrize("tasks", TASKS)
def test_mgda_is_the_shortest_to_a_millionth(tasks, common):
    """Weak duality: no combination is shorter than the least inner product with any one."""
    gradients = some_gradients(tasks, batch=100, common=common)
    weights, gram = weights_of("mgda", gradients)
    products = (gram @ weights[..., None])[..., 0]
    squared = (weights * products).sum(1)
    assert torch.allclose(weights.sum(1), torch.ones(()).double()) and (weights >= 0).all()
    assert (products.amin(1) >= (1 - 1e-6) * squared).all()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("c", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("tasks", TASKS)
def test_cagrad_is_optimal(tasks, c):
    """d is as far from g_0 as allowed, and no d that near serves the worst served task better: ⟨g_w, d⟩ ≤ the dual."""
    weights, gram = weights_of("cagrad", some_gradients(tasks, batch=100), c=c)
    mean = torch.full_like(weights, 1 / tasks)
    along = (gram @ mean[..., None])[..., 0]
    radius = c * (along * mean).sum(1).sqrt()
    moved = weights - mean
    length = (moved * (gram @ moved[..., None])[..., 0]).sum(1).sqrt()
    assert torch.allclose(length, radius, rtol=2e-3)
    w = moved / moved.sum(1, keepdim=True)
    dual = (w * along).sum(1) + radius * (w * (gram @ w[..., None])[..., 0]).sum(1).sqrt()
    worst = (gram @ weights[..., None])[..., 0].amin(1)
    assert (w > -1e-12).all() and ((dual - worst).abs() <= 1e-4 * along.abs().amax(1)).all()


def test_cagrad_where_tasks_are_pareto_stationary():
    """Two opposed tasks and a third that leans to one of them: g_w is zero, and the way out is across the two."""
    rows = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.3, 0.0, 1.0]])
    direction = unit(direction_of(create_aggregator("cagrad"), rows.view(1, 3, 3, 1, 1)))
    assert torch.allclose(direction, torch.tensor([[0.0, 0.0, 1.0]]).double(), atol=1e-2)


@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_ta_moo_minimises_what_it_says(tasks, gamma):
    gradients = some_gradients(tasks, batch=4)
    gram = gram_of(gradients)
    start = torch.ones(4, tasks)
    losses = 1.5 + torch.arange(4 * tasks).view(4, tasks) % 3 * 0.5  # 1.5, 2, 2.5: the last is achieved
    aggregator = create_aggregator("ta-moo", gamma=gamma)
    found = aggregator.weights(gram, gradients_of(gradients, losses, {"ta-moo start": start}))
    for matrix, row, weights in zip(gram.numpy(), losses.numpy(), found.numpy(), strict=True):
        still = row <= 2
        wanted = still / still.sum() if still.any() else np.full(tasks, 1 / tasks)

        def value(w, matrix=matrix, wanted=wanted):
            return w @ matrix @ w + gamma * ((w - wanted) ** 2).sum()

        best = scipy.optimize.minimize(
            value,
            np.full(tasks, 1 / tasks),
            method="SLSQP",
            bounds=[(0, 1)] * tasks,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert value(weights) <= best.fun + 1e-9
        assert np.allclose(weights, best.x, atol=1e-4)


def test_ta_moo_between_mgda_and_equal_weights():
    gradients = some_gradients(4)
    assert torch.allclose(weights_of("ta-moo", gradients, gamma=0)[0], weights_of("mgda", gradients)[0], atol=1e-9)
    assert torch.allclose(weights_of("ta-moo", gradients, gamma=1e6)[0], torch.tensor(0.25).double(), atol=1e-5)


def test_ta_moo_leaves_an_achieved_task_and_remembers_the_start_of_its_climb():
    gradients, memory = some_gradients(2, spread=0), {}
    aggregator = create_aggregator("ta-moo", gamma=10, goal=0.5)
    gram = gram_of(gradients)
    first = aggregator.weights(gram, gradients_of(gradients, memory=memory))
    later = aggregator.weights(gram, gradients_of(gradients, torch.tensor([[1.6, 1.4]]).expand(6, 2), memory))
    assert (later[:, 0] < first[:, 0] - 0.2).all()
    everyone = aggregator.weights(gram, gradients_of(gradients, torch.full((6, 2), 9.0), memory))
    assert torch.equal(everyone, first)


@pytest.mark.parametrize("name", GRAM)
def test_one_task_or_several_that_agree(name):
    gradients = some_gradients(1)
    expected = unit(gradients.flatten(1).double())
    for tasks in (1, 2, 11):
        found = direction_of(create_aggregator(name), gradients.expand(-1, tasks, -1, -1, -1))
        assert torch.allclose(unit(found), expected, atol=1e-6)


@pytest.mark.parametrize("name", GRAM)
def test_opposed_gradients_cancel_to_nothing(name):
    gradients = some_gradients(1)
    pair = torch.cat([gradients, -gradients], 1)
    assert (direction_of(create_aggregator(name), pair) == 0).all()
    if name not in ("cagrad", "ta-moo"):  # which lean on the mean gradient
        pair = torch.cat([gradients, -3.3 * gradients], 1)
        assert (direction_of(create_aggregator(name), pair) == 0).all()


@pytest.mark.parametrize("tasks", TASKS)
def test_orthogonal_gradients(tasks):
    lengths = 0.5 + torch.arange(tasks)
    gradients = torch.zeros(2, tasks, 3 * 16)
    gradients[:, torch.arange(tasks), 2 * torch.arange(tasks)] = lengths
    gradients = gradients.view(2, tasks, 3, 4, 4)
    plain, equal = gradients.sum(1), (gradients != 0).float().sum(1)
    alike = (gradients / lengths.view(1, -1, 1, 1, 1).square()).sum(1)  # every ⟨g_i, d⟩ is the same
    expected = {"average": equal, "nash": equal, "pcgrad": plain, "upgrad": plain, "mgda": alike}
    for name, direction in expected.items():
        found = direction_of(create_aggregator(name), gradients)
        assert torch.allclose(unit(found), unit(direction.flatten(1).double()), atol=1e-6), name


@pytest.mark.parametrize("name", GRAM)
def test_a_task_without_gradient_is_absent(name):
    gradients = some_gradients(3)
    expected = unit(direction_of(create_aggregator(name), gradients))
    more = torch.cat([gradients[:, :1], torch.zeros_like(gradients[:, :1]), gradients[:, 1:]], 1)
    assert torch.allclose(unit(direction_of(create_aggregator(name), more)), expected, atol=1e-5)
    assert (direction_of(create_aggregator(name), torch.zeros_like(more)) == 0).all()


@pytest.mark.parametrize("scale", [1e-38, 1e-12, 1e6, 1e34])
@pytest.mark.parametrize("name", GRAM)
def test_the_scale_of_all_gradients_is_not_felt(name, scale):
    gradients = some_gradients(4)
    expected = direction_of(create_aggregator(name), gradients)
    found = direction_of(create_aggregator(name), scale * gradients)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", GRAM)
def test_the_unit_of_one_loss_is_not_felt(name):
    gradients, units = some_gradients(4), torch.tensor([1e-3, 1.0, 7.0, 1e4])
    expected = direction_of(create_aggregator(name), gradients)
    scaled = gradients * units.view(1, -1, 1, 1, 1)
    found = direction_of(create_aggregator(name), scaled, units.expand(6, 4))
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", GRAM)
def test_a_vanishing_loss_stays_finite(name):
    losses = torch.tensor([[0.0, 1.0, 1e-30]]).expand(6, 3)
    assert direction_of(create_aggregator(name), 1e34 * some_gradients(3), losses).isfinite().all()


@pytest.mark.parametrize("name", GRAM)
def test_the_order_of_the_tasks_is_not_felt(name):
    gradients, order = some_gradients(5), torch.tensor([3, 0, 4, 2, 1])
    expected = unit(direction_of(create_aggregator(name), gradients))
    assert torch.allclose(unit(direction_of(create_aggregator(name), gradients[:, order])), expected, atol=1e-5)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("tasks", [1, 3, 11])
@pytest.mark.parametrize("name", GRAM)
def test_a_direction_does_not_feel_its_batch(name, tasks):
    gradients, aggregator = some_gradients(tasks, batch=32, size=9), create_aggregator(name)
    together = direction_of(aggregator, gradients)
    alone = torch.cat([direction_of(aggregator, one[None]) for one in gradients])
    assert torch.equal(alone, together)
    assert torch.equal(direction_of(aggregator, gradients.flip(0)).flip(0), together)


def test_pcgrad_leaves_two_tasks_without_conflict():
    gradients = some_gradients(2, batch=50)
    direction = direction_of(create_aggregator("pcgrad"), gradients)
    gains = (gradients.flatten(2).double() * direction[:, None]).sum(2)
    assert (gains >= -1e-6 * gradients.flatten(2).norm(dim=2) * direction.norm(dim=1, keepdim=True)).all()


def test_inner_products_are_exact():
    gradients = some_gradients(3)
    units, lengths = unit_gradients(gradients, torch.full((6, 3), 2.0))
    rows = units.flatten(2).double()
    assert torch.allclose(inner_products(units), rows @ rows.mT, rtol=1e-14, atol=1e-15)
    assert torch.allclose(lengths, gradients.flatten(2).double().norm(dim=2) / 2)


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_minimise_is_scipys_nonnegative_least_squares(size):
    generator = torch.Generator().manual_seed(size)
    matrices = torch.randn(20, size + 2, size, generator=generator, dtype=torch.float64)
    right = torch.randn(20, size + 2, generator=generator, dtype=torch.float64)
    linear = -(matrices.mT @ right[..., None])[..., 0]
    found = minimise(quadratic(matrices.mT @ matrices, linear), torch.ones(20, size).double())
    expected = [scipy.optimize.nnls(a.numpy(), b.numpy())[0] for a, b in zip(matrices, right, strict=True)]
    assert np.allclose(found.numpy(), np.array(expected), atol=1e-8)


def test_shortest_shares_alike_between_equal_gradients_and_knows_nothing_of_absent_ones():
    rows = torch.tensor([[[1.0, 0], [1, 0], [0, 0], [0, 1]], [[0, 0], [0, 0], [0, 0], [0, 0]]]).double()
    assert torch.allclose(shortest(rows @ rows.mT), torch.tensor([[0.25, 0.25, 0, 0.5], [0, 0, 0, 0]]).double())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cagrad", {"c": 1.0}, r"c 1.0 is outside \[0, 1\)"),
        ("cagrad", {"c": -0.1}, r"c -0.1 is outside"),
        ("ta-moo", {"gamma": float("nan")}, r"gamma nan is outside \[0, ∞\)"),
        ("ta-moo", {"goal": "far"}, "goal 'far' is outside"),
        ("mgda", {"c": 0.5}, "mgda takes no option 'c'"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(InputError, match=message):
        create_aggregator(name, **options)
