"""The batched solver: the signs of the best mixture of the tasks, repaired; no loop over images, no waiting."""

from dataclasses import replace

from torch import Tensor

from mtlattack.attacks.ilp.programs import Program
from mtlattack.attacks.ilp.relaxation import Relaxation
from mtlattack.attacks.ilp.repair import repair
from mtlattack.attacks.ilp.solution import Solution


def solve_dual(program: Program) -> Solution:
    """Solve a program by its dual; exact where it has a closed form (one row: signs, or the best pixels).

    Its bound is that of the relaxation. Whether the gains are finite it does not look: that waits for the device. MPS
    has no float64: from there a program goes to the CPU and back.
    """
    device = program.gains.device
    if device.type == "mps":
        program = replace(program, gains=program.gains.cpu())
    relaxation = Relaxation.of(program)
    step = relaxation.step if relaxation.rows.values.shape[1] == 1 else repair(relaxation)
    solution = Solution.certified(program, whole(program, relaxation, step), relaxation.bound * relaxation.rows.scale)
    return solution.to(device)


def whole(program: Program, relaxation: Relaxation, step: Tensor) -> Tensor:
    """A step `[B, C, R, S]` as `[B, C, H, W]`."""
    return relaxation.rows.restored(step).reshape(program.gains[:, 0].shape).to(program.gains.dtype)
