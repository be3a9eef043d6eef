"""Time, passes and strength of every contestant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from peer_attacks import CONTESTANTS, TIMED, Contestant, ours_of
from peer_cases import Arena, Passes
from timing import Spread, interleave, ratio

from mtlattack.analysis.resampling import resampling_weights

RESAMPLES = 10_000
_ROUNDING = 1e-6  # of a point on the ball's edge, in pixel values


@dataclass(frozen=True)
class Timing:
    """Seconds of whole attacks by contestant, one entry a round, and the passes that they spend."""

    seconds: dict[str, list[float]]
    passes: dict[str, Passes]
    scale: float
    highest: float  # L/S of any point that a peer visited

    def over_ours(self, contestant: Contestant) -> Spread:
        """Time of a contestant over that of our first attack of its kind, each round by itself."""
        return ratio(self.seconds[contestant.name], self.seconds[ours_of(contestant.kind)[0].name])


@dataclass(frozen=True)
class Lead:
    """A difference on the images as they are, and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Strength:
    """Summed losses `[N]` by image: of the clean images, and of the points that each contestant returned."""

    clean: NDArray[np.float64]
    losses: dict[str, NDArray[np.float64]]
    highest: float  # L/S of any point that a peer visited
    error: float  # of the cross entropy at the clean images, relative
    seed: int

    def leads(self) -> list[tuple[Contestant, Contestant, Lead]]:
        """Each of ours, each of theirs of its kind, and the lead of ours."""
        rivals = [theirs for theirs in CONTESTANTS if not theirs.ours]
        return [(ours, theirs, self.lead(ours, theirs)) for theirs in rivals for ours in ours_of(theirs.kind)]

    def relative(self, contestant: Contestant) -> float:
        """Mean summed loss over the mean clean one."""
        return float(self.losses[contestant.name].mean() / self.clean.mean())

    def lead(self, ours: Contestant, theirs: Contestant) -> Lead:
        """Ours − theirs in units of the mean clean loss, with a 95 % bootstrap interval over the images, paired."""
        difference = self.losses[ours.name] - self.losses[theirs.name]
        weights = resampling_weights(len(self.clean), RESAMPLES, self.seed)
        values = (weights @ difference) / (weights @ self.clean)
        low, high = np.quantile(values[1:], [0.025, 0.975])
        return Lead(float(values[0]), float(low), float(high))


def measure_time(arena: Arena, rounds: int, advance: Callable[[], None]) -> Timing:
    """All contestants in turn on one batch, `rounds` times after a round to warm up; passes are counted on an image."""
    works = {c.name: arena.work(c) for c in TIMED}
    seconds = interleave(works, rounds, device=arena.batch.images.device, advance=advance)
    first = arena.first_image()
    passes = {c.name: first.count(first.work(c)) for c in TIMED}
    return Timing(seconds, passes, arena.classifier.scale, arena.classifier.check_never_flipped())


def measure_strength(arenas: Iterable[Arena], seed: int, advance: Callable[[int], None]) -> Strength:
    """Every contestant once on every batch; `advance` gets the number of images done."""
    torch.manual_seed(seed)  # the peers' random starts
    clean: list[torch.Tensor] = []
    losses: dict[str, list[torch.Tensor]] = {c.name: [] for c in CONTESTANTS}
    highest = error = 0.0
    for arena in arenas:
        for contestant in CONTESTANTS:
            points = arena.work(contestant)()
            _check_inside(contestant.name, points, arena)
            losses[contestant.name].append(arena.losses(points))
        clean.append(arena.clean)
        highest = max(highest, arena.classifier.check_never_flipped())
        error = max(error, arena.cross_entropy_error())
        advance(len(arena.clean))
    return Strength(_joined(clean), {name: _joined(parts) for name, parts in losses.items()}, highest, error, seed)


def _check_inside(name: str, points: torch.Tensor, arena: Arena) -> None:
    excess = float((points - arena.batch.images).abs().amax()) - arena.setting.eps
    low, high = (float(value) for value in points.aminmax())
    if excess > _ROUNDING or low < 0 or high > 1:
        raise RuntimeError(f"{name} left the ball by {excess:.1e}, or [0, 1]: values from {low:g} to {high:g}")


def _joined(parts: list[torch.Tensor]) -> NDArray[np.float64]:
    return torch.cat(parts).cpu().numpy()
