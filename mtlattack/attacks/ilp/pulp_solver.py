"""PuLP's solvers: which there are, and an image's program solved by one."""

import contextlib
import importlib
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pulp
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlattack.attacks.ilp.dual_solver import solve_dual
from mtlattack.attacks.ilp.programs import Program
from mtlattack.attacks.ilp.pulp_model import ImageProgram
from mtlattack.attacks.ilp.rows import Rows
from mtlattack.attacks.ilp.solution import Solution
from mtlattack.errors import InputError, UnknownNameError

# The first of these that is there is taken: HiGHS is the faster one on these programs, COIN_CMD is CBC (extra `cbc`).
PREFERRED = ("HiGHS", "HiGHS_CMD", "COIN_CMD")


# Where files may be put if the folder for temporary ones has a space in its name.
_PLACES = ("/tmp", "/var/tmp")
# A solver's bound is refuted by more than this, relatively.
_ROUNDING = 1e-6


class SolverError(InputError):
    """A solver that is not there, or that gave no proven solution: names it, its status and its time limit."""


def choose_solver(name: str | None = None, *, time_limit: float | None = None, gap: float = 0.0) -> pulp.LpSolver:
    """PuLP's solver called `name`, by default the first of PREFERRED that is installed; it says nothing.

    It may take `time_limit` seconds an image, and stops when its solution is proven to be within `gap`, relatively, of
    the best. UnknownNameError for a name that PuLP does not know, SolverError if it, or all of them, are missing.
    """
    if name is not None and name not in pulp.listSolvers():
        raise UnknownNameError("PuLP solver", name, pulp.listSolvers())
    here, cbc = pulp.listSolvers(onlyAvailable=True), _cbc_path()
    if cbc and "COIN_CMD" not in here:
        here.append("COIN_CMD")
    wanted = PREFERRED if name is None else (name,)
    found = next((solver for solver in wanted if solver in here), None)
    if found is None:
        raise SolverError(f"PuLP solver {' or '.join(wanted)} is not here, only: {', '.join(here) or 'none'}")
    path = {"path": cbc} if found == "COIN_CMD" else {}
    return pulp.getSolver(found, msg=False, timeLimit=time_limit, gapRel=gap, **path)


def _cbc_path() -> str | None:
    """CBC as `pulp[cbc]` installs it, as older wheels of PuLP hold it, or as the shell finds it."""
    with contextlib.suppress(ImportError):
        return str(importlib.import_module("cbcbox").cbc_bin_path())
    held = getattr(pulp.PULP_CBC_CMD, "pulp_cbc_path", None)
    return held if held and os.access(held, os.X_OK) else shutil.which("cbc")


def solve_pulp(
    program: Program, solver: str | pulp.LpSolver | None = None, *, time_limit: float | None = None, gap: float = 0.0
) -> Solution:
    """Solve a program image by image, each as a PuLP problem, to within `gap` of its best: its bound is the solver's.

    `solver` is a name for `choose_solver`, or a solver of PuLP's that is set up already, to the same `gap`. SolverError
    for one that is missing, runs out of time (`time_limit` seconds an image) or fails: nothing else is tried.
    """
    program.check_finite()
    if solver is None or isinstance(solver, str):
        solver = choose_solver(solver, time_limit=time_limit, gap=gap)
    images, scale = image_programs(program)
    solved = [solve_image(image, solver, gap) for image in images]
    step = torch.from_numpy(np.stack([delta for delta, _ in solved])) if solved else torch.zeros(0)
    bound = torch.tensor([bound for _, bound in solved], dtype=torch.float64) * scale
    gains = program.gains
    answer = Solution.certified(program, step.reshape(gains[:, 0].shape).to(gains), bound.to(gains.device))
    return _believable(program, answer)


def _believable(program: Program, answer: Solution) -> Solution:
    """The answer, but with the relaxation's bound where a known step is better than the solver's bound allows."""
    known = solve_dual(program)
    refuted = known.value > answer.bound * (1 + _ROUNDING)
    return Solution.certified(program, answer.step, torch.where(refuted, known.bound, answer.bound))


def image_programs(program: Program) -> tuple[list[ImageProgram], Tensor]:
    """The program of each image, and the factors `[B]` from their objectives to the program's."""
    rows = Rows.of(replace(program, gains=program.gains.cpu(), budgets=None, regions=None))
    images = [
        ImageProgram(
            wanted=values[: rows.objectives],
            spared=values[rows.objectives :],
            offsets=np.zeros(len(values)),
            regions=program.pixel_regions,
            budgets=program.budgets,
        )
        for values in rows.values[:, :, :, 0].numpy()
    ]
    return images, rows.scale / rows.count


def solve_image(image: ImageProgram, solver: pulp.LpSolver, gap: float) -> tuple[NDArray[np.int8], float]:
    """δ `[C, P]` and a bound of the objective by a solver set to a relative `gap`; SolverError unless it gets there."""
    problem, delta = image.state()
    try:
        with _scratch(solver):
            problem.solve(solver)
    except pulp.PulpSolverError as error:
        raise SolverError(f"PuLP solver {solver.name} failed (time limit {_limit(solver)}): {error}") from error
    if problem.sol_status != pulp.LpSolutionOptimal:
        status = f"{pulp.LpStatus[problem.status]}, {pulp.LpSolution[problem.sol_status]}"
        raise SolverError(f"PuLP solver {solver.name}: {status}, no proven solution (time limit {_limit(solver)})")
    value = image.unit * float(problem.objective.value())
    if not math.isfinite(value):
        raise SolverError(f"PuLP solver {solver.name} gave the objective {value} (time limit {_limit(solver)})")
    chosen = np.array([variable.value() for variable in delta]).round().astype(np.int8)
    return chosen.reshape(image.wanted.shape[1:]), value + _unproven(problem, image, value, gap)


@contextlib.contextmanager
def _scratch(solver: pulp.LpSolver) -> Iterator[None]:
    """A folder for the files of a solver that is a program of its own; whatever happens, none of them is left."""
    if not isinstance(solver, pulp.apis.LpSolver_CMD):
        yield
        return
    # PuLP takes a command line apart at its spaces.
    places = [place for place in (tempfile.gettempdir(), *_PLACES, os.getcwd()) if not re.search(r"\s", place)]
    place = next((place for place in places if os.access(place, os.W_OK)), None)
    if place is None:
        raise SolverError(f"PuLP solver {solver.name} needs a temporary folder without a space (TMPDIR), or use HiGHS")
    before = solver.tmpDir
    with tempfile.TemporaryDirectory(dir=place) as folder:
        solver.tmpDir = folder
        try:
            yield
        finally:
            solver.tmpDir = before


def _unproven(problem: pulp.LpProblem, image: ImageProgram, value: float, gap: float) -> float:
    """How far above the solver's solution the best may be."""
    model: Any = getattr(problem, "solverModel", None)
    if gap and hasattr(model, "getInfo"):  # highspy's, which knows; of the others PuLP keeps only the solution
        info = model.getInfo()
        return image.unit * abs(float(info.mip_dual_bound) - float(info.objective_function_value))
    # Their gap is relative to some value between the solution and the relaxation's.
    return gap * image.ceiling


def _limit(solver: pulp.LpSolver) -> str:
    limit = getattr(solver, "timeLimit", None)
    return "none" if limit is None else f"{limit:g} s"
