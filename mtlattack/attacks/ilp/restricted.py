"""The offline mode for budgets: the dual solver's step, a few pixels of which an integer program sets anew."""

import pulp
import torch

from mtlattack.attacks.ilp.dual_solver import whole
from mtlattack.attacks.ilp.programs import Program
from mtlattack.attacks.ilp.pulp_model import ImageProgram
from mtlattack.attacks.ilp.pulp_solver import choose_solver, solve_image
from mtlattack.attacks.ilp.relaxation import Relaxation
from mtlattack.attacks.ilp.repair import repair
from mtlattack.attacks.ilp.solution import Solution
from mtlattack.errors import InputError
from mtlattack.wording import counted


def solve_restricted(
    program: Program,
    solver: str | pulp.LpSolver | None = None,
    *,
    pixels: int = 32,
    time_limit: float | None = 60,
    gap: float = 1e-4,
) -> Solution:
    """No worse than `solve_dual`, and slow: where the best mixture cares least, so many `pixels` of its step are free.

    Each image is then an integer program of 3·32 values for PuLP (`solver`, `time_limit` and `gap` as in `solve_pulp`,
    SolverError likewise); the bound is that of the relaxation, as in `solve_dual`.
    """
    program.check_finite()
    if pixels < 1:
        raise InputError(f"{counted(pixels, 'free pixel')}, expected at least 1")
    if solver is None or isinstance(solver, str):
        solver = choose_solver(solver, time_limit=time_limit, gap=gap)
    relaxation = Relaxation.of(program)
    rows, single = relaxation.rows, relaxation.rows.values.shape[1] == 1
    start = relaxation.step if single else repair(relaxation)
    first = Solution.certified(program, whole(program, relaxation, start), relaxation.bound * rows.scale)
    if single:
        return first
    strength = rows.values.abs().sum((1, 2))
    key = torch.where(strength > 0, relaxation.indifference / strength, torch.inf).flatten(1)
    places = key.argsort(dim=1, stable=True)[:, :pixels].cpu().numpy()
    values, step = rows.values.flatten(3).cpu().numpy(), start.flatten(2).cpu().numpy().copy()
    region_size = rows.values.shape[4]
    for gains, delta, free in zip(values, step, places, strict=True):
        delta[:, free] = 0
        used = delta.any(0).reshape(-1, region_size).sum(1)
        image = ImageProgram(
            wanted=gains[: rows.objectives, :, free],
            spared=gains[rows.objectives :, :, free],
            offsets=(gains * delta).sum((1, 2)),
            regions=free // region_size,
            budgets=None
            if rows.budgets is None
            else tuple(int(k - u) for k, u in zip(rows.budgets, used, strict=True)),
        )
        delta[:, free], _ = solve_image(image, solver, gap)
    found = torch.from_numpy(step).reshape(start.shape).to(start)
    second = Solution.certified(program, whole(program, relaxation, found), first.bound)
    return second.or_better(first)
