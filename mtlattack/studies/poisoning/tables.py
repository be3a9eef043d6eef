"""The study as tables."""

from collections.abc import Sequence

from mtlattack.poisoning import Kind
from mtlattack.poisoning.experiment import Estimate
from mtlattack.poisoning.metrics import HEADLINE
from mtlattack.studies.poisoning.measuring import MODES, PAIRS_PART
from mtlattack.studies.poisoning.reading import cells_of, tables_of
from mtlattack.studies.poisoning.related import rank_correlation
from mtlattack.studies.poisoning.sources import SOURCES
from mtlattack.studies.study import Measured, Table

_ROWS = {
    "clean": "clean",
    "random": "random points",
    "patom": "PATOM",
    "frozen": "PATOM, Ω frozen",
}


def all_tables(measured: Sequence[Measured]) -> list[Table]:
    """Errors, correlations and utilities of every attack, the pairs, and what the tables are."""
    return [
        _attacks(measured, "error", "test error of the targets: 1 - AUC of classes, NMSE of numbers"),
        _attacks(measured, "within", "mean |correlation| within the attacked group"),
        _attacks(measured, "utility", "utility: sum of the targets' clean training losses"),
        _pairs(measured),
        _about(measured),
    ]


def _attacks(measured: Sequence[Measured], key: str, title: str) -> Table:
    names = tables_of(measured)
    rows = []
    for mode in MODES:
        for attack, shown in _ROWS.items():
            values = [
                [cell.numbers["attacks"][attack][key] for cell in cells_of(measured, table, mode)] for table in names
            ]
            rows.append([f"{mode}: {shown}", *(_shown(each) for each in values)])
    return Table(f"{title}; mean over splits [95 %, Student's t]", ["attack", *names], rows)


def _pairs(measured: Sequence[Measured]) -> Table:
    rows = []
    for table in tables_of(measured):
        cells = cells_of(measured, table, PAIRS_PART)
        if cells:
            decoupled = max(abs(rise) for cell in cells for rise in cell.numbers["decoupled_rise"])
            rhos = [_shown([rank_correlation(cell, of) for cell in cells]) for of in ("omega", "correlation")]
            rises = _shown([sum(cell.numbers["rise"]) / len(cell.numbers["rise"]) for cell in cells])
            rows.append([table, str(len(cells[0].numbers["pairs"])), *rhos, rises, f"{decoupled:.1g}"])
    columns = [
        "table",
        "pairs a split",
        "ρ with clean |Ω|",
        "ρ with clean |correlation|",
        "mean rise",
        "largest at λ₂ = 0",
    ]
    return Table("one task attacked, one target", columns, rows)


def _about(measured: Sequence[Measured]) -> Table:
    rows = []
    for table in tables_of(measured):
        cells = [cell for cell in measured if cell.settings["table"] == table]
        first = cells[0]
        of = first.numbers
        splits = len({cell.settings["seed"] for cell in cells})
        metric = HEADLINE[Kind(of["kind"])].replace("_", " ")
        sizes = [f"{of[key]:,}" for key in ("tasks", "points", "features")]
        rows.append([table, of["kind"], metric, *sizes, f"{first.settings['relation']:g}", str(splits)])
    known = tables_of(measured)
    if any(table in SOURCES for table in known):
        rows += [[table, "not at hand", *[""] * 6] for table in SOURCES if table not in known]
    return Table("the tables", ["table", "kind", "error", "tasks", "points", "features", "λ₂", "splits"], rows)


def _shown(values: Sequence[float]) -> str:
    if not values:
        return "–"
    found = Estimate.of(list(values))
    interval = "" if found.low is None else f" [{found.low:.3g}, {found.high:.3g}]"
    return "–" if found.mean is None else f"{found.mean:.3g}{interval}"
