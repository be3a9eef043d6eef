"""One progress bar for every long job: throughput and time left, silent when standard error is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Throughput(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "", style="dim")


class Bar:
    """A running job's bar: `advance` it by what was done."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1) -> None:
        """Move the bar by `amount` units of work."""
        self._progress.advance(self._task, amount)  # type: ignore[arg-type]

    def describe(self, text: str) -> None:
        """Change the words before the bar."""
        self._progress.update(self._task, description=text)  # type: ignore[arg-type]


@contextmanager
def progress_bar(description: str, total: float, unit: str = "images") -> Iterator[Bar]:
    """A bar on standard error for a job of `total` units."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Throughput(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield Bar(progress, progress.add_task(description, total=total, unit=unit))
