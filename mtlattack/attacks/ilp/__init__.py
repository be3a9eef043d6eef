"""The integer programs of an attack step, on tensors alone, and their solvers."""

from mtlattack.attacks.ilp.dual_solver import solve_dual
from mtlattack.attacks.ilp.programs import TOLERANCE, Program
from mtlattack.attacks.ilp.pulp_solver import SolverError, choose_solver, solve_pulp
from mtlattack.attacks.ilp.restricted import solve_restricted
from mtlattack.attacks.ilp.solution import Solution
from mtlattack.attacks.ilp.solve import METHODS, solve

__all__ = [
    "METHODS",
    "TOLERANCE",
    "Program",
    "Solution",
    "SolverError",
    "choose_solver",
    "solve",
    "solve_dual",
    "solve_pulp",
    "solve_restricted",
]
