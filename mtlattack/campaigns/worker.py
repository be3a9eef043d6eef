"""A worker: takes one cell after the other and makes of each the folder that `mtlattack run` would."""

from pathlib import Path

from mtlattack.analysis.record import write_record
from mtlattack.campaigns.cells import Cell
from mtlattack.campaigns.engine import Circumstances, Result
from mtlattack.campaigns.guarding import guarded, settle
from mtlattack.campaigns.stock import Stock
from mtlattack.evaluation import evaluate
from mtlattack.evidence.places import EVIDENCE, RECORD


class Worker:
    """Runs cells in this process, which it makes its own: folder, command and threads."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._out = settle(circumstances)
        self._stock = Stock()

    def run(self, cell: Cell) -> Result:
        """Run a cell, or go on with it; whatever goes wrong is in the result and in its folder, and nothing raised."""
        folder = self._out / cell.name
        return guarded(cell.name, folder, lambda: self._run(cell, folder))

    def ready(self) -> bool:
        """Whether it can take a cell: it can."""
        return True

    def _run(self, cell: Cell, folder: Path) -> None:
        chosen = cell.choose(self._stock.model, self._stock.images)
        finished = evaluate(
            chosen.model,
            chosen.images,
            chosen.attacks,
            fit_data=chosen.fit_images,
            path=folder / EVIDENCE,
            name=chosen.name,
            suite=chosen.reference,
            precision=cell.precision,  # type: ignore[arg-type]
            cuda_graphs=cell.cuda_graphs,
            batch_size=chosen.suite.batch_size,
            device=cell.device,
            seed=chosen.suite.seed,
        )
        write_record(folder / RECORD, finished.report().record)
