"""How far honest runs of the same attack on the same images are apart, in the very numbers that `verify` compares."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from variations import Variation

from mtlattack.evidence import Evidence
from mtlattack.leaderboard.verifying.agreement import (
    ALL_TASKS,
    Difference,
    Pair,
    attacked_differences,
    clean_differences,
    rows_of,
)

Sizes = dict[str, list[float]]
Runs = Sequence[tuple[Variation, Evidence]]
QUANTILES = {"median": 0.5, "q95": 0.95, "q99": 0.99, "max": 1.0}


def draw_subsets(images: int, size: int, count: int, seed: int) -> list[list[int]]:
    """Which of the images are looked at, as a verifier's nonce would pick them."""
    generator = np.random.default_rng(seed)
    return [sorted(generator.choice(images, min(size, images), replace=False).tolist()) for _ in range(count)]


def measure_spread(runs: Runs, subsets: Sequence[list[int]]) -> dict[str, dict[str, Sizes]]:
    """By arithmetic of a pair of runs, and by attack, the sizes of each measure over all pairs and subsets.

    Those of an attack are relative to its mean log loss ratio on the subset, as tolerances are. A pair's arithmetic is
    the one of both that is not float32, if any; of two such pairs nothing is said.
    """
    found: dict[str, dict[str, Sizes]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for (one, first), (other, second) in combinations(runs, 2):
        reduced = [each.arithmetic for each in (one, other) if each.arithmetic != "float32"]
        if len(reduced) < 2:
            by_attack = found[reduced[0] if reduced else "float32"]
            for rows in subsets:
                for attack, measure, size in compare_runs(first, second, rows):
                    by_attack[attack][measure].append(size)
    return {arithmetic: {a: dict(sizes) for a, sizes in by.items()} for arithmetic, by in found.items()}


def compare_runs(reported: Evidence, found: Evidence, rows: list[int]) -> Iterator[tuple[str, str, float]]:
    """Attack (or `clean`), measure and size of every difference on some of the images."""
    tasks = reported.tasks
    clean = Pair(rows_of(reported.clean, rows), rows_of(found.clean, rows))
    for difference in clean_differences(clean, tasks):
        yield "clean", difference.measure, abs(difference.size)
    jobs = zip(reported.plan["attacks"], reported.attacked, found.attacked, strict=True)
    for planned, before, after in jobs:
        pair = Pair(rows_of(before, rows), rows_of(after, rows))
        differences = attacked_differences(clean, pair, tasks)
        for difference in differences:
            if difference.measure != "noted":
                yield planned["config"]["name"], label(difference), abs(difference.size / differences[0].found)
            elif difference.size:
                yield planned["config"]["name"], label(difference), abs(difference.size)


def label(difference: Difference) -> str:
    """The measure, that of all tasks together apart from that of one."""
    together = difference.measure == "log ratio" and difference.subject == ALL_TASKS
    return "all tasks" if together else "task" if difference.measure == "log ratio" else difference.measure


def summary(sizes: Sequence[float]) -> dict[str, float]:
    """Quantiles of the sizes, and how many there are."""
    return {name: float(np.quantile(sizes, q)) for name, q in QUANTILES.items()} | {"count": len(sizes)}
