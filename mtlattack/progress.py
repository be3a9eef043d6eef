"""One progress bar for every long job: throughput and time left, silent when standard error is no terminal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from mtlattack.printing import console as open_console


class _Throughput(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "", style="dim")


def _description() -> TextColumn:
    """The words before a bar, shown as they are."""
    return TextColumn("{task.description}", markup=False)


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
    console = open_console(stderr=True)
    columns = (
        _description(),
        BarColumn(),  # which is shorter where there is little room; all else keeps its one line
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        _Throughput(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield Bar(progress, progress.add_task(description, total=total, unit=unit))


class _TimeLeft(ProgressColumn):
    """From all that was done so far: what comes in large pieces has no speed of the last seconds."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.elapsed or not task.total:
            return Text("-:--:--", style="cyan")
        left = task.elapsed * (task.total - task.completed) / task.completed
        return Text(str(timedelta(seconds=round(left))), style="cyan")


class Above:
    """The first lines of something, as many as leave room for a bar."""

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._part, options.update(height=None), pad=False)
        room = max(console.height - 2, 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], [Segment("…")]]
        for line in lines:
            yield from line
            yield Segment.line()


class _Board(Progress):
    """A bar below something that is drawn anew each time."""

    def __init__(self, above: Callable[[], RenderableType], *columns: ProgressColumn, console: Console) -> None:
        self._above = above
        super().__init__(
            *columns, console=console, disable=not console.is_terminal, transient=True, refresh_per_second=2
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        yield Above(self._above())
        yield from super().get_renderables()


@contextmanager
def progress_board(above: Callable[[], RenderableType], description: str, total: float) -> Iterator[Bar]:
    """A bar on standard error for a job of `total` of whatever unit, below what `above` gives twice a second."""
    console = open_console(stderr=True)
    columns = (_description(), BarColumn(), TaskProgressColumn(), _TimeLeft(table_column=Column(no_wrap=True)))
    with _Board(above, *columns, console=console) as board:
        yield Bar(board, board.add_task(description, total=total))
