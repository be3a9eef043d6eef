"""Evidence → record: the matrices of a transfer with their intervals, tests and correlations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtlattack.analysis.report import BOOTSTRAP_SEED, RESAMPLES, interval
from mtlattack.analysis.resampling import Array
from mtlattack.analysis.transfer.correlation import Pair, permutation_test, spearman
from mtlattack.analysis.transfer.damage import Damage, Victim, victim_of, weights_for
from mtlattack.analysis.transfer.pairs import holm, paired_p
from mtlattack.analysis.transfer.record import Alike, Cell, Correlation, Difference, Matrix, TransferRecord
from mtlattack.evidence import Agreement, Evidence


@dataclass(frozen=True)
class Grid:
    """A matrix before it is written down: its victims' columns, and every number of its cells under each resample,
    `[R, rows, columns]`; `own` `[rows, columns]` marks the cells that are a victim's own."""

    title: str
    kind: Literal["tasks", "models"]
    sources: list[str]
    columns: dict[str, Victim]
    own: NDArray[np.bool_]
    cosine: Array
    signs: Array
    depth: list[list[float]] | None
    degree: float | None

    @property
    def share(self) -> Array:
        """Of what the victim's own white-box attack takes; NaN where that takes nothing."""
        return self._stacked(lambda damage, victim: _share(damage.lost, victim.own.lost))

    @property
    def log_ratio(self) -> Array:
        """Mean log loss ratio."""
        return self._stacked(lambda damage, victim: damage.log_ratio)

    def _stacked(self, number: Callable[[Damage, Victim], Array]) -> Array:
        columns = [[number(damage, victim) for damage in victim.sources] for victim in self.columns.values()]
        return np.array(columns).transpose(2, 1, 0)


def build_matrices(
    plan: Mapping[str, Any], runs: Mapping[str, Evidence], agreements: Sequence[Agreement]
) -> TransferRecord:
    """Every number that a transfer says."""
    build = _between_models if plan["between"] == "models" else _between_tasks
    grids = build(plan, runs, agreements)
    first = next(iter(runs.values()))
    floor, *attacks = first.plan["attacks"]
    known: dict[str, Mapping[str, Any]] = {}
    for entry in attacks:
        known.setdefault(entry["config"]["name"].partition("@")[0], entry)
    return TransferRecord(
        between=plan["between"],
        attacks=[entry["config"] | {"name": name} for name, entry in known.items()],
        passes=[_passes(entry) for entry in known.values()],
        source_passes=_source_passes(plan, attacks),
        noise=floor["config"],
        models=plan["models"],
        data=first.plan["data"],
        tasks=plan["tasks"],
        left_out=plan["left_out"],
        seed=first.plan.get("seed", 0),
        batch_size=first.plan.get("batch_size", 1),
        bootstrap={"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        environment=first.environment | first.plan.get("environment", {}),
        matrices=[_matrix(grid) for grid in grids],
        correlations=_correlations(grids),
    )


def _passes(entry: Mapping[str, Any]) -> list[int | None]:
    return [entry.get("forward_passes"), entry.get("backward_passes")]


def _source_passes(plan: Mapping[str, Any], attacks: Sequence[Mapping[str, Any]]) -> dict[str, list[int | None]]:
    """Of a victim's attacks behind the floor, those of the sources stand first, in their order."""
    if plan["between"] == "tasks":
        return {}
    return {source: _passes(entry) for source, entry in zip(plan["sources"], attacks, strict=False)}


def _between_models(
    plan: Mapping[str, Any], runs: Mapping[str, Evidence], agreements: Sequence[Agreement]
) -> list[Grid]:
    sources, victims, tasks = plan["sources"], plan["victims"], plan["tasks"]
    places = range(1, len(sources) + 1)  # behind the floor
    columns = {
        name: victim_of(runs[name], tasks, places, 1 + (sources.index(name) if name in sources else len(sources)))
        for name in victims
    }
    own = np.array([[source == victim for victim in victims] for source in sources])
    (agreement,) = agreements
    return [
        Grid("models", "models", sources, columns, own, _mean(agreement.cosine), _mean(agreement.signs), None, None)
    ]


def _between_tasks(
    plan: Mapping[str, Any], runs: Mapping[str, Evidence], agreements: Sequence[Agreement]
) -> list[Grid]:
    tasks = plan["tasks"]
    places = range(1, len(tasks) + 1)
    grids = []
    for name, agreement in zip(plan["victims"], agreements, strict=True):
        columns = {task: victim_of(runs[name], [task], places, 1 + i) for i, task in enumerate(tasks)}
        sharing = plan["models"][name]["sharing"]
        grids.append(
            Grid(
                name, "tasks", tasks, columns, np.eye(len(tasks), dtype=bool), _mean(agreement.cosine),
                _mean(agreement.signs), _depth(plan["models"][name], tasks), sharing and sharing["degree"],
            )
        )  # fmt: skip
    return grids


def _depth(model: Mapping[str, Any], tasks: Sequence[str]) -> list[list[float]] | None:
    if model["sharing"] is None:
        return None
    places = [model["tasks"].index(task) for task in tasks]
    return [[model["sharing"]["depth"][one][other] for other in places] for one in places]


def _mean(values: Array) -> Array:
    """Of `[N, rows, columns, K]` the mean over losses, then images, under each resample, `[R, rows, columns]`."""
    defined = np.isfinite(values)
    counts = defined.sum(-1)
    images = np.divide(np.where(defined, values, 0).sum(-1), counts, out=np.zeros(counts.shape), where=counts > 0)
    weights = weights_for(len(values))
    rows, columns = counts.shape[1:]
    drawn, sums = (
        (weights @ each.reshape(len(values), -1)).reshape(-1, rows, columns) for each in (counts > 0, images)
    )
    return np.divide(sums, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)


def _share(lost: Array, own: Array) -> Array:
    return np.divide(lost, own, out=np.full(lost.shape, np.nan), where=own > 0)


def _matrix(grid: Grid) -> Matrix:
    victims = list(grid.columns.values())
    share = grid.share
    p = [
        [paired_p(victim.sources[row].per_image_above(victim.noise)) for victim in victims]
        for row in range(len(share[0]))
    ]
    asked = [(row, column) for row, column in np.ndindex(*grid.own.shape) if not grid.own[row, column]]
    corrected = dict(zip(asked, holm([p[row][column] for row, column in asked]), strict=True))

    def cell(row: int, column: int) -> Cell:
        victim = victims[column]
        damage = victim.sources[row]
        return Cell(
            own=bool(grid.own[row, column]),
            lost=interval(damage.lost),
            share=interval(share[:, row, column]),
            log_ratio=interval(damage.log_ratio),
            above_noise=interval(damage.lost - victim.noise.lost),
            log_above_noise=interval(damage.log_ratio - victim.noise.log_ratio),
            p=p[row][column],
            p_holm=corrected.get((row, column), p[row][column]),
        )

    rows, columns = grid.own.shape
    foreign = np.where(grid.own, np.nan, share)
    defined = np.isfinite(foreign)
    counts = defined.sum((1, 2))
    mean_share = np.divide(
        np.where(defined, foreign, 0).sum((1, 2)), counts, out=np.full(len(share), np.nan), where=counts > 0
    )
    return Matrix(
        title=grid.title,
        kind=grid.kind,
        sources=grid.sources,
        victims=list(grid.columns),
        clean=[interval(victim.clean) for victim in victims],
        white_box=[interval(victim.own.lost) for victim in victims],
        white_box_log=[interval(victim.own.log_ratio) for victim in victims],
        noise=[interval(victim.noise.lost) for victim in victims],
        noise_log=[interval(victim.noise.log_ratio) for victim in victims],
        cells=[[cell(row, column) for column in range(columns)] for row in range(rows)],
        alike=[
            [
                Alike(cosine=interval(grid.cosine[:, row, column]), signs=interval(grid.signs[:, row, column]))
                for column in range(columns)
            ]
            for row in range(rows)
        ],
        depth=grid.depth,
        degree=grid.degree,
        mean_share=interval(mean_share),
        differences=_differences(grid),
    )


def _differences(grid: Grid) -> list[Difference]:
    """Every two sources on every victim."""
    asked: list[tuple[str, str, str, Damage, Damage]] = [
        (name, grid.sources[one], grid.sources[other], victim.sources[one], victim.sources[other])
        for name, victim in grid.columns.items()
        for one, other in combinations(range(len(grid.sources)), 2)
    ]
    p = [paired_p(one.per_image_above(other)) for *_, one, other in asked]
    return [
        Difference(
            victim=victim,
            source=source,
            other=rival,
            lost=interval(one.lost - other.lost),
            log_ratio=interval(one.log_ratio - other.log_ratio),
            p=value,
            p_holm=corrected,
        )
        for (victim, source, rival, one, other), value, corrected in zip(asked, p, holm(p), strict=True)
    ]


def _correlations(grids: Sequence[Grid]) -> list[Correlation]:
    """Of each thing that sources and victims have in common with each measure of transfer, where both vary."""
    found = []
    for name in ("cosine", "signs", "depth"):
        for of in ("share", "log_ratio"):
            pairs = {grid.title: pair for grid in grids if (pair := _pair(grid, name, of)) and pair.varies}
            if pairs:
                p, count, exact = permutation_test(list(pairs.values()))
                found.append(
                    Correlation(
                        common=name,  # type: ignore[arg-type]
                        of=of,  # type: ignore[arg-type]
                        cells=sum(int(pair.counts.sum()) for pair in pairs.values()),
                        matrices=list(pairs),
                        rho=interval(spearman(list(pairs.values()))),
                        p=p,
                        permutations=count,
                        exact=exact,
                    )
                )
    return found


def _pair(grid: Grid, name: str, of: str) -> Pair | None:
    """None for a matrix that has nothing of the name."""
    transfer = grid.share if of == "share" else grid.log_ratio
    if name == "depth":
        if grid.depth is None:
            return None
        common = np.broadcast_to(np.array(grid.depth), transfer.shape)
    else:
        common = grid.cosine if name == "cosine" else grid.signs
    shared = [name for name in grid.sources if name in grid.columns]
    rows, columns = (
        [names.index(name) for name in [*shared, *(name for name in names if name not in shared)]]
        for names in (grid.sources, list(grid.columns))
    )
    down, across = np.ix_(rows, columns)
    return Pair(common[:, down, across], transfer[:, down, across], ~grid.own[down, across], len(shared))
