"""Attacks that see gradients against attacks that do not, in the same threat."""

from collections.abc import Callable

from mtlattack.analysis.change import bounds
from mtlattack.analysis.trust.run import Finished, Job, Sighting

AS_STRONG = 0.9


def black_box_beats_white_box(run: Finished) -> list[Sighting] | None:
    """`black-box-beats-white-box`."""
    contests = _contests(run, lambda job: not job.white_box)
    seen: list[Sighting] = []
    for black_box, white_boxes in contests:
        if all(bounds(black_box.strength - white_box.strength)[0] > 0 for white_box in white_boxes):
            best = _strongest(white_boxes)
            low, high = bounds(black_box.strength - best.strength)
            text = f"{_compared(black_box, best)} (difference [{low:.2g}, {high:.2g}])"
            seen.append((str(black_box), f"it needs no gradients and is stronger than all that follow them: {text}"))
    return seen if contests else None


def noise_as_strong(run: Finished) -> list[Sighting] | None:
    """`noise-as-strong`."""
    contests = _contests(run, lambda job: job.name.startswith("noise-"))
    seen: list[Sighting] = []
    for noise, white_boxes in contests:
        best = _strongest(white_boxes)
        # An attack that lowers losses is beaten by noise that lowers them less.
        if noise.strength[0] >= min(best.strength[0], AS_STRONG * best.strength[0]):
            text = f"random noise is at {AS_STRONG:.0%} or more of all that follow gradients"
            seen.append((str(noise), f"{text}: {_compared(noise, best)}"))
    return seen if contests else None


def _contests(run: Finished, wanted: Callable[[Job], bool]) -> list[tuple[Job, list[Job]]]:
    """Every wanted job with its rivals that see gradients, where one of these takes several steps on all tasks at once:
    nobody wonders that one step, or a single task's attack, is beaten."""
    found = []
    for jobs in run.by_threat():
        white_boxes = [job for job in jobs if job.white_box and not job.seeks_smallest and not job.targeted]
        if any(job.config.get("steps", 1) > 1 and ":" not in job.name for job in white_boxes):
            found += [(job, white_boxes) for job in jobs if wanted(job) and not job.targeted]
    return found


def _compared(one: Job, other: Job) -> str:
    return f"mean log loss ratio {one.strength[0]:.3g}, {other.name} {other.strength[0]:.3g}"


def _strongest(jobs: list[Job]) -> Job:
    return max(jobs, key=lambda job: float(job.strength[0]))
