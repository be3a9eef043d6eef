"""Where an attacker may go: ball ∩ [0, 1] around each image of a batch, exact to the last float.

A returned point p satisfies ‖p − x‖ ≤ ε in float64 arithmetic on the float32 values, not only up to rounding.
"""

from mtlattack.attacks.balls.base import Ball, Lengths
from mtlattack.attacks.balls.l0 import L0Ball
from mtlattack.attacks.balls.l1 import L1Ball
from mtlattack.attacks.balls.l2 import L2Ball
from mtlattack.attacks.balls.linf import LinfBall
from mtlattack.attacks.balls.patch import PatchBall

# By the name that a threat takes; ε counts what each class says.
BALLS: dict[str, type[Ball]] = {ball.norm: ball for ball in (LinfBall, L2Ball, L1Ball, L0Ball, PatchBall)}

__all__ = ["BALLS", "Ball", "L0Ball", "L1Ball", "L2Ball", "Lengths", "LinfBall", "PatchBall"]
