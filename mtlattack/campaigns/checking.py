"""Looking at all cells before the first one runs: whether what they name is there, and how much work they are."""

import json
from collections.abc import Sequence

from torch import nn

from mtlattack.campaigns.cells import Cell
from mtlattack.campaigns.stock import Stock
from mtlattack.errors import InputError
from mtlattack.evaluation import Chosen
from mtlattack.evaluation.members import expand
from mtlattack.evaluation.preparation import check_precision

# Of a forward pass; what multiplies it for input gradients.
_BACKWARD = 2


def measure_work(cells: Sequence[Cell]) -> dict[str, float]:
    """How much work each cell is about, by name, in a unit of no meaning: passes × images × pixels × parameters.

    InputError lists everything that is wrong with any cell, each once. Models are loaded one by one, in the order of
    the cells.
    """
    stock = Stock()
    seen: dict[str, float] = {}
    problems: dict[str, None] = {}
    for cell in cells:
        kind = _kind(cell)
        if kind in seen:
            continue
        try:
            check_precision(cell.precision)
            seen[kind] = _work(cell.choose(stock.model, stock.images))
        except InputError as error:
            seen[kind] = 0
            problems[str(error)] = None
    if problems:
        raise InputError(" · ".join(problems))
    return {cell.name: seen[_kind(cell)] for cell in cells}


def _kind(cell: Cell) -> str:
    """Equal for cells that differ in their seeds alone."""
    plan = cell.plan()
    plan["changes"].pop("seed", None)
    return json.dumps(plan | {"name": None})


def _work(chosen: Chosen) -> float:
    tasks = chosen.model.tasks
    costs = [attack.cost(len(tasks)) for attack in expand(chosen.attacks, tasks)[0]]
    passes = 1 + sum(cost.forward + _BACKWARD * cost.backward for cost in costs)
    height, width = chosen.images.size
    module = chosen.model
    parameters = sum(p.numel() for p in module.parameters()) if isinstance(module, nn.Module) else 1
    return passes * len(chosen.images) * height * width * max(1, parameters)
