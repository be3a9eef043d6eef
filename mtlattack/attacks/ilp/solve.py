"""One way in to the solvers."""

from collections.abc import Callable
from typing import Any

from mtlattack.attacks.ilp.dual_solver import solve_dual
from mtlattack.attacks.ilp.programs import Program
from mtlattack.attacks.ilp.pulp_solver import solve_pulp
from mtlattack.attacks.ilp.restricted import solve_restricted
from mtlattack.attacks.ilp.solution import Solution
from mtlattack.errors import UnknownNameError

METHODS: dict[str, Callable[..., Solution]] = {"dual": solve_dual, "restricted": solve_restricted, "pulp": solve_pulp}


def solve(program: Program, method: str = "dual", **options: Any) -> Solution:
    """Solve a program: "dual" (batched, fast), "restricted" (dual, then small integer programs) or "pulp" (whole
    integer programs, image by image), with the options of that solver.

    InputError for gains that are not finite, UnknownNameError for another method, SolverError where PuLP's solver is
    missing, out of time or fails.
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    program.check_finite()
    return METHODS[method](program, **options)
