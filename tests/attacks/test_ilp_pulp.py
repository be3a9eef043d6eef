"""PuLP's solvers: which is taken, and that one which does not prove its solution is an error."""

import tempfile
from pathlib import Path

import numpy as np
import pulp
import pytest
import torch

from mtlattack.attacks.ilp import Program, SolverError, choose_solver, solve_pulp, solve_restricted
from mtlattack.attacks.ilp.pulp_model import ImageProgram
from mtlattack.errors import InputError, UnknownNameError

SOLVERS = ("HiGHS", "COIN_CMD")

PROGRAM = Program(gains=torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)))


class Fake(pulp.LpSolver):
    """Ends with a status, or an error, and solves nothing."""

    name = "fake"

    def __init__(self, status: int, solution: int, error: str = "") -> None:
        super().__init__(timeLimit=2.5)
        self.result, self.error = (status, solution), error

    def actualSolve(self, lp: pulp.LpProblem, **_: object) -> int:
        if self.error:
            raise pulp.PulpSolverError(self.error)
        lp.assignVarsVals({variable.name: 0.0 for variable in lp.variables()})
        lp.assignStatus(*self.result)
        return self.result[0]


@pytest.mark.parametrize("solve", [solve_pulp, solve_restricted])
@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (
            Fake(pulp.LpStatusOptimal, pulp.LpSolutionIntegerFeasible),
            "fake: Optimal, Solution Found, no proven",
        ),
        (Fake(pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound), "fake: Not Solved, No Solution Found"),
        (Fake(pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible), "fake: Infeasible"),
        (Fake(pulp.LpStatusUnbounded, pulp.LpSolutionUnbounded), "fake: Unbounded"),
        (Fake(0, 0, "it crashed"), r"fake failed \(time limit 2.5 s\): it crashed"),
    ],
    ids=["timeout", "nothing", "infeasible", "unbounded", "crash"],
)
def test_a_solver_without_a_proven_solution_is_an_error(solve, solver: Fake, message: str) -> None:
    with pytest.raises(SolverError, match=message) as caught:
        solve(PROGRAM, solver)
    assert "time limit 2.5 s" in str(caught.value) and isinstance(caught.value, InputError)


def test_a_time_limit_that_is_too_short_is_an_error() -> None:
    values = torch.randn(1, 4, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    with pytest.raises(SolverError, match="COIN_CMD.*time limit 0.05 s"):
        solve_pulp(Program(gains=values, budgets=(40,)), "COIN_CMD", time_limit=0.05)


def test_an_unknown_solver_is_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown PuLP solver 'HIGHS'; did you mean 'HiGHS'"):
        choose_solver("HIGHS")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The solvers that PuLP finds; CBC only if it is among them."""
    names: list[str] = []
    every = pulp.listSolvers()
    monkeypatch.setattr(pulp, "listSolvers", lambda onlyAvailable=False: list(names) if onlyAvailable else every)
    monkeypatch.setattr("mtlattack.attacks.ilp.pulp_solver._cbc_path", lambda: None)
    return names


def test_a_missing_solver_is_an_error_and_no_other_is_taken(here: list[str]) -> None:
    with pytest.raises(SolverError, match="HiGHS or HiGHS_CMD or COIN_CMD is not here, only: none"):
        choose_solver()
    here.append("COIN_CMD")
    with pytest.raises(SolverError, match="PuLP solver HiGHS is not here, only: COIN_CMD"):
        solve_pulp(PROGRAM, "HiGHS")
    assert choose_solver().name == "COIN_CMD"


def test_highs_is_preferred(monkeypatch: pytest.MonkeyPatch, here: list[str]) -> None:
    made = []
    here += ["COIN_CMD", "PULP_CBC_CMD", "HiGHS"]
    monkeypatch.setattr(pulp, "getSolver", lambda name, **options: made.append((name, options)))
    choose_solver(time_limit=3, gap=0.1)
    assert made == [("HiGHS", {"msg": False, "timeLimit": 3, "gapRel": 0.1})]


def test_a_bound_below_a_known_step_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def sure(image: ImageProgram, solver: pulp.LpSolver, gap: float) -> tuple[np.ndarray, float]:
        return np.zeros(image.wanted.shape[1:], np.int8), 0.0

    monkeypatch.setattr("mtlattack.attacks.ilp.pulp_solver.solve_image", sure)
    assert (solve_pulp(PROGRAM).gap > 0.9).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_temporary_folder_with_a_space_and_nothing_left_in_it(
    solver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporäre files"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    assert (solve_pulp(PROGRAM, solver).gap < 1e-6).all()
    assert [*tmp_path.rglob("*")] == [folder]


def test_no_folder_without_a_space_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr("mtlattack.attacks.ilp.pulp_solver._PLACES", ())
    with pytest.raises(SolverError, match="COIN_CMD needs a temporary folder without a space"):
        solve_pulp(PROGRAM, "COIN_CMD")


@pytest.mark.parametrize("budget", [{}, {"budgets": (4,)}])
def test_highs_knows_its_own_bound(budget: dict) -> None:
    values = torch.randn(2, 3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    program = Program(gains=values, **budget)
    rough, exact = (solve_pulp(program, "HiGHS", gap=gap) for gap in (0.05, 0.0))
    assert (rough.bound >= exact.value - 1e-6).all() and (rough.gap < 0.06).all()
    assert (exact.gap < 1e-6).all()


@pytest.mark.parametrize("pixels", [0, -3])
def test_free_pixels_out_of_range(pixels: int) -> None:
    with pytest.raises(InputError, match=f"{pixels} free pixels, expected at least 1"):
        solve_restricted(PROGRAM, pixels=pixels)
