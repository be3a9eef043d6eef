"""Where the time of a whole suite goes, end to end: how much of it is not forward and backward passes.

Run as `python benchmarks/speed/suite.py`; see suite.md beside it.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from ledger import Ledger
from report import show, started, write_json
from suite_report import describe, lines, plot
from suite_sections import ABSORBED, LOADING, REPORT, accounted
from timing import interleave, synchronise

from mtlattack.cli.script import run_script
from mtlattack.data import load_dataset
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate, load_suite
from mtlattack.evaluation.preparation import check_precision
from mtlattack.files import write_whole
from mtlattack.models import resolve_model
from mtlattack.progress import progress_bar

# Of a run's plan, what says how much work it was; the environment stands in the file already.
PLANNED = ("suite", "model", "data", "tasks", "attacks", "preparation", "seed", "batch_size")


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """A suite on a model and data, its own unless others are named."""

    suite: str
    model: str | None
    data: str | None
    limit: int | None
    precision: str
    device: torch.device

    @property
    def title(self) -> str:
        """E.g. `quick float32`."""
        return f"{self.suite} {self.precision}"

    def account(self, ledgers: list[Ledger], plan: dict[str, Any]) -> None:
        """Run all of it, from names to a written record, as `mtlattack run` does; append the account, fill the plan."""
        ledger = Ledger(ABSORBED, partial(synchronise, self.device))
        with TemporaryDirectory() as folder:
            with ledger.section(LOADING):
                suite = load_suite(self.suite)
                reference = self.model or suite.model
                if reference is None:
                    raise InputError(f"suite {suite.name!r} names no model; give one with --model")
                model: Any
                model, name = resolve_model(reference)
                limit = self.limit or suite.limit
                data = load_dataset(self.data or suite.data, suite.split, tasks=model.tasks, limit=limit)
                attacks = suite.create_attacks(model.tasks)
            with accounted(ledger, model.tasks):
                evidence = evaluate(
                    model,
                    data,
                    attacks,
                    path=Path(folder) / "evidence.h5",
                    name=name,
                    suite={"name": suite.name, "version": suite.version},
                    precision=self.precision,  # type: ignore[arg-type]
                    batch_size=suite.batch_size,
                    device=str(self.device),
                    seed=suite.seed,
                )
            with ledger.section(REPORT):
                report = evidence.report()
                write_whole(Path(folder) / "record.json", report.record.model_dump_json(indent=1) + "\n")
                str(report)
        ledger.close()
        ledgers.append(ledger)
        plan.update({key: evidence.plan[key] for key in PLANNED})


def main(
    suite: Annotated[list[str], typer.Option(help="Suite by name or TOML file; repeatable.")] = ["quick"],  # noqa: B006
    model: Annotated[str | None, typer.Option(help="Zoo name or checkpoint; default: the suite's.")] = None,
    data: Annotated[str | None, typer.Option(help="Name or prepared file; default: the suite's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images.")] = None,
    precision: Annotated[list[str], typer.Option(help="Of the gradients; repeatable.")] = ["float32", "bfloat16"],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, after one to warm up.")] = 3,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (torch's default).")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Where to write every number.")] = None,
    plot_path: Annotated[Path | None, typer.Option("--plot", help="Where to draw the picture.")] = None,
) -> None:
    """Account for the wall time of whole suites, interleaved."""
    chosen = choose_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    for name in precision:
        check_precision(name)
    runs = [
        SuiteRun(suite=name, model=model, data=data, limit=limit, precision=kind, device=chosen)
        for name, kind in product(suite, precision)
    ]
    start = started(chosen)
    ledgers: dict[str, list[Ledger]] = {one.title: [] for one in runs}
    plans: dict[str, dict[str, Any]] = {one.title: {} for one in runs}
    with progress_bar("suites", rounds + 1, "rounds") as bar:
        contestants = {one.title: partial(one.account, ledgers[one.title], plans[one.title]) for one in runs}
        seconds = interleave(contestants, rounds, device=chosen, advance=bar.advance)
    counted = {title: all_rounds[1:] for title, all_rounds in ledgers.items()}
    show("A suite's wall time", [line for title in counted for line in lines(title, counted[title])])
    if json_path:
        results = {title: {"plan": plans[title], **describe(counted[title], seconds[title])} for title in counted}
        write_json(json_path, "speed/suite", start, results=results)
    if plot_path:
        plot(counted, plot_path)


if __name__ == "__main__":
    run_script(main)
