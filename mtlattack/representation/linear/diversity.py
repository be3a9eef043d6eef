"""Task diversity (ν, ε) from its definition, for linear tasks under l_2.

(ν, ε): for every h', gap_target(h') ≤ gap_source(h')/ν + ε, where a gap is how far the best head on h' stays from the
least risk (Watkins et al., NeurIPS 2024; the source gap is the mean over tasks). So ν(ε) is the least of
gap_source/(gap_target − ε) over all h' with gap_target > ε: it is searched for, and what is found is an upper bound.
"""

import torch
from torch import Tensor

from mtlattack.errors import InputError
from mtlattack.representation.linear.losses import LinearLoss, Margin, Squared
from mtlattack.representation.linear.problem import Tasks
from mtlattack.representation.linear.risks import margin_risk, squared_risk
from mtlattack.representation.linear.solver import minimise

_TRIES = 4
# Keeps the search from where both gaps vanish in rounding.
_NEAR = 1e-6
_GOLDEN = (5**0.5 - 1) / 2


def smallest_singular(tasks: Tasks) -> Tensor:
    """The proxy of diversity in use: σ_min² of the sources' heads, divided by their number; `[S]`."""
    return torch.linalg.eigvalsh(_second_moment(tasks))[:, 0]


def clean_nu(tasks: Tasks) -> Tensor:
    """ν(0) without an attack and with the squared loss: 1/(a₀ᵀ C⁻¹ a₀), C = Σ a_j a_jᵀ/t, `[S]`; 0 if C is singular.

    The gaps are tr(GC) and a₀ᵀGa₀ for some 0 ≤ G ≤ I, whose ratio is least for a G of rank one.
    """
    _check_one_head(tasks)
    moment, head = _second_moment(tasks), tasks.target_head
    inverse = torch.linalg.pinv(moment, hermitian=True)
    within = (moment @ inverse @ head[..., None])[..., 0]
    covered = torch.linalg.vector_norm(within - head, dim=-1) < 1e-6 * torch.linalg.vector_norm(head, dim=-1)
    return torch.where(covered, 1 / (head[:, None] @ inverse @ head[..., None])[:, 0, 0], 0.0)


def estimate_nu(loss: LinearLoss, tasks: Tasks, eps: float, slack: float = 0.0, tries: int = _TRIES) -> Tensor:
    """The least ratio that L-BFGS finds over representations from several starts a seed, `[S]`; `slack` is the ε of the
    definition, `eps` that of the attack.

    Under l_2 the best head on h' makes w = c·Pw*/‖Pw*‖, so that a gap depends on h' through ‖Pw*‖ alone, P being the
    projection on its rows. Infinite where no representation that was seen leaves the target a gap above the slack.
    """
    if slack < 0:
        raise InputError(f"slack {slack:g}, expected at least 0")
    _check_one_head(tasks)
    rank = tasks.problem.rank
    # What lies outside the span of B matters only by how much of it there is: k directions more are all there can be.
    size = min(tasks.problem.dimension, 2 * rank)
    padding = (0, size - rank)
    sources = torch.nn.functional.pad(tasks.source_heads, padding)
    target = torch.nn.functional.pad(tasks.target_head[:, None], padding)
    best = torch.full((len(sources),), torch.inf, dtype=sources.dtype)
    full_source, full_target = (_least(loss, tasks, heads.norm(dim=-1), heads, eps) for heads in (sources, target))

    def gaps(basis: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.linalg.qr(basis.mT).Q.mT
        source, found = (torch.linalg.vector_norm(heads @ rows.mT, dim=-1) for heads in (sources, target))
        source_gap = (_least(loss, tasks, source, sources, eps) - full_source).mean(1)
        return source_gap, (_least(loss, tasks, found, target, eps) - full_target)[:, 0]

    def objective(flat: Tensor) -> Tensor:
        source_gap, target_gap = gaps(flat.view(len(sources), rank, size))
        return (source_gap + _NEAR).log() - (target_gap - slack).clamp_min(1e-12).log()

    for number in range(tries):
        noise = torch.randn(rank, size, generator=torch.Generator().manual_seed(number), dtype=sources.dtype)
        start = (torch.eye(rank, size, dtype=sources.dtype) + noise * 0.5).expand(len(sources), rank, size)
        found = minimise(objective, start.flatten(1), steps=40, tolerance=1e-6)
        source_gap, target_gap = gaps(found.point.view(len(sources), rank, size))
        ratio = torch.where(target_gap > slack + 1e-9, source_gap / (target_gap - slack), torch.inf)
        best = torch.minimum(best, ratio.detach())
    return best


def _check_one_head(tasks: Tasks) -> None:
    if tasks.problem.kind == "classes":
        raise InputError("ν is known here for tasks of one weight vector each; got classes, expected another kind")


def _second_moment(tasks: Tasks) -> Tensor:
    heads = tasks.source_heads.flatten(1, -2)
    return heads.mT @ heads / heads.shape[1]


def _least(loss: LinearLoss, tasks: Tasks, reach: Tensor, heads: Tensor, eps: float) -> Tensor:
    """The least risk when w may be c·u with uᵀw* = `reach` `[S, t]`, found by golden section over c; `[S, t]`.

    Its derivative is taken at the c that was found, as the envelope theorem allows.
    """
    length = heads.norm(dim=-1)

    def risk(size: Tensor, reach: Tensor) -> Tensor:
        # Two coordinates stand for all: along u, and the rest of w*.
        rest = (length.square() - reach.square()).clamp_min(0).sqrt()
        weights = torch.stack([size, torch.zeros_like(size)], -1)
        truth = torch.stack([reach, rest], -1)
        if isinstance(loss, Squared):
            return squared_risk(weights, truth, tasks.problem.noise, eps, "l2")
        if isinstance(loss, Margin):
            return margin_risk(weights, truth, eps, "l2", loss.phi)
        raise InputError(f"diversity is known here for Squared and Margin, got {type(loss).__name__}")

    with torch.no_grad():
        # Squared: no c beyond ‖Pw*‖ pays. Margins: the surrogate has its minimum in c at 2‖Pw*‖ or below it.
        low, high = torch.zeros_like(reach), 2 * reach + 1e-9
        for _ in range(40):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            nearer = risk(left, reach) < risk(right, reach)
            low, high = torch.where(nearer, low, left), torch.where(nearer, right, high)
    return risk((low + high) / 2, reach)
