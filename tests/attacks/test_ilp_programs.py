"""Integer programs small enough to try every step."""

import itertools

import numpy as np
import pytest
import torch

from mtlattack.attacks.ilp import Program, solve
from mtlattack.errors import InputError, UnknownNameError

REGIONS = np.array([[0, 1], [1, 1]])
KINDS = {
    "separable": {"objective": "sum"},
    "maxmin": {},
    "sparse": {"objective": "sum", "budgets": (2,)},
    "sparse maxmin": {"budgets": (2,)},
    "regional sum": {"objective": "sum", "budgets": (1, 1), "regions": REGIONS},
    "regional": {"budgets": (1, 2), "regions": REGIONS},
    "closed region": {"budgets": (0, 3), "regions": REGIONS},
    "protected": {"protected": (False, True, False)},
    "protected sum": {"objective": "sum", "protected": (False, False, True)},
    "one unprotected": {"protected": (True, False, True)},
    "protected sparse": {"budgets": (2,), "protected": (False, True, False)},
    "protected regional": {"budgets": (1, 1), "regions": REGIONS, "protected": (False, True, False)},
}
CLOSED = ["separable", "sparse", "regional sum"]
every_kind = pytest.mark.parametrize("kind", KINDS)
STEPS = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=8))).reshape(-1, 2, 2, 2)


def gains(batch: int = 12, seed: int = 0) -> torch.Tensor:
    """Of three tasks on 2×2 pixels of two channels; the last two images have tasks that pull apart."""
    values = torch.randn(batch, 3, 2, 2, 2, generator=torch.Generator().manual_seed(seed))
    values[-2:, 1] = -values[-2:, 0] + 0.2 * values[-2:, 1]
    return values


def best(program: Program) -> torch.Tensor:
    """The best objective of all feasible steps, `[B]`, from their definition."""
    found = []
    for image in program.gains.double():
        each = (image[:, None] * STEPS).flatten(2).sum(2)
        wanted, spared = each[program.objective_tasks], each[program.protected_tasks]
        value = wanted.sum(0) if program.objective == "sum" else wanted.amin(0)
        allowed = (spared <= 0).all(0)
        if program.budgets is not None:
            regions = np.zeros((2, 2), int) if program.regions is None else program.regions
            for region, budget in enumerate(program.budgets):
                allowed &= STEPS.any(1)[:, torch.from_numpy(regions == region)].sum(1) <= budget
        found.append(value[allowed].max())
    return torch.stack(found)


@pytest.mark.sampled(3)
@every_kind
def test_the_dual_solver_certifies_the_best_step(kind: str) -> None:
    for seed in range(2):
        program = Program(gains=gains(seed=seed), **KINDS[kind])
        solution, optimum = solve(program), best(program)
        assert program.feasible(solution.step).all()
        torch.testing.assert_close(program.value(solution.step), solution.value, rtol=0, atol=0)
        assert (solution.value >= 0).all() and (solution.gap >= 0).all()
        assert (solution.value <= optimum + 1e-9).all()
        assert (solution.bound >= optimum - 1e-9).all()
        if kind in CLOSED:
            torch.testing.assert_close(solution.value, optimum)
            assert (solution.gap < 1e-9).all()


def test_the_dual_solver_is_close_even_where_rounding_is_coarse() -> None:
    for kind in KINDS:
        programs = [Program(gains=gains(seed=seed), **KINDS[kind]) for seed in range(2)]
        share = torch.cat([solve(program).value / best(program).clamp_min(1e-9) for program in programs])
        assert share.median() > 0.8, kind


@pytest.mark.sampled(4)
@every_kind
@pytest.mark.parametrize("method", ["pulp", "restricted"])
@pytest.mark.parametrize("solver", ["HiGHS", "COIN_CMD"])
def test_pulp_finds_the_best_step(kind: str, method: str, solver: str) -> None:
    program = Program(gains=gains(2), **KINDS[kind])
    options = {"pixels": 4, "gap": 0.0} if method == "restricted" else {}
    solution, optimum = solve(program, method, solver=solver, **options), best(program)
    assert program.feasible(solution.step).all()
    torch.testing.assert_close(solution.value, optimum, atol=1e-6, rtol=1e-6)
    assert (solution.bound >= optimum - 1e-6).all() and (solution.gap >= 0).all()
    if method == "pulp":
        assert (solution.gap < 1e-5).all()


@pytest.mark.parametrize("solver", ["HiGHS", "COIN_CMD"])
@pytest.mark.parametrize("factor", [1e3, 1e5, 1e8])
def test_tasks_of_other_orders_of_magnitude(solver: str, factor: float) -> None:
    """The least gain is then that of the small tasks, whatever the large one is multiplied with."""
    values = gains(4)
    values[:, 0] *= factor
    for protected in ((), (False, True, False)):
        program = Program(gains=values, protected=protected)
        solution, optimum = solve(program, "pulp", solver=solver), best(program)
        torch.testing.assert_close(solution.value, optimum, rtol=1e-5, atol=0)
        torch.testing.assert_close(solution.bound, optimum, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gains": torch.zeros(2, 3, 2, 2)}, r"gains have shape \(2, 3, 2, 2\).*expected floats \[B, T, C, H, W\]"),
        ({"gains": torch.zeros(2, 0, 2, 2, 2)}, "with T, C, H, W ≥ 1"),
        ({"gains": torch.zeros(2, 3, 2, 2, 2, dtype=torch.int64)}, "torch.int64"),
        ({"objective": "max"}, "objective 'max', expected 'sum' or 'maxmin'"),
        ({"budgets": (5,)}, r"budgets \(5,\), expected each in 0…4"),
        ({"budgets": (-1,)}, "expected each in 0…4"),
        ({"budgets": ()}, r"budgets \(\), expected"),
        ({"budgets": (1, 1)}, "2 budgets without regions, expected 1"),
        ({"regions": REGIONS}, "regions without budgets"),
        ({"budgets": (1, 1), "regions": REGIONS[:1]}, r"regions have shape \(1, 2\).*expected integers \(2, 2\)"),
        ({"budgets": (1, 1), "regions": REGIONS / 2}, "type float64, expected integers"),
        ({"budgets": (1,), "regions": REGIONS}, "regions reach from 0 to 1, expected 0…0"),
        ({"budgets": (1, 1), "regions": REGIONS - 1}, "regions reach from -1 to 0"),
        ({"protected": (True, False)}, "2 protected marks for 3 tasks"),
        ({"protected": (True, True, True)}, "every task is protected"),
    ],
)
def test_bad_programs_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Program(**{"gains": gains(2), **change})


@pytest.mark.parametrize("method", ["dual", "restricted", "pulp"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_gains_that_are_not_finite_are_refused(method: str, value: float) -> None:
    bad = gains(2)
    bad[1, 2, 1, 0, 1] = value
    with pytest.raises(InputError, match="gains are not finite"):
        solve(Program(gains=bad), method)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown method 'duel'; did you mean 'dual'"):
        solve(Program(gains=gains(1)), "duel")


def test_feasible_says_what_is_wrong_with_a_step() -> None:
    program = Program(gains=gains(5), budgets=(1, 1), regions=REGIONS, protected=(True, False, False))
    steps = torch.zeros(5, 2, 2, 2)
    steps[1, 0, 0, 1] = 2
    steps[2, 0, 0, 1] = 0.5
    steps[3, :, 1] = -program.gains[3, 0, :, 1].sign()  # Two pixels of a region that may change one.
    steps[4, 0, 0, 0] = program.gains[4, 0, 0, 0, 0].sign()  # The protected task gains.
    assert program.feasible(steps).tolist() == [True, False, False, False, False]
