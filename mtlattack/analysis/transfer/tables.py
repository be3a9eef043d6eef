"""A transfer as tables: for the terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.analysis.record import Interval
from mtlattack.analysis.tables import compact_interval, compact_number
from mtlattack.analysis.transfer.labels import heading, labels
from mtlattack.analysis.transfer.record import LEVEL, Cell, Correlation, Matrix, TransferRecord
from mtlattack.epsilon import threat_text
from mtlattack.markdown import escape, table_lines
from mtlattack.printing import Grid
from mtlattack.wording import counted

BELOW_NOISE = "°"
NAMES = {"cosine": "cosine of the gradients", "signs": "equal signs of the gradients", "depth": "sharing depth"}


@dataclass(frozen=True)
class Quantity:
    """A number of a cell, and the same of the noise below it."""

    key: str
    title: str
    percent: bool
    of: Callable[[Cell], Interval]


SHARE = Quantity(
    "share", "skill taken, % of what the victim's own white-box attack takes", True, lambda cell: cell.share
)
LOST = Quantity("lost", "skill taken", False, lambda cell: cell.lost)
LOG_RATIO = Quantity("log_ratio", "mean log loss ratio", False, lambda cell: cell.log_ratio)


def render(record: TransferRecord) -> RenderableType:
    """What was done; for each matrix the shares and log loss ratios; then correlations and what does not count."""
    parts: list[RenderableType] = [*(Text(line) for line in headlines(record)), Text()]
    for matrix in record.matrices:
        for quantity in (SHARE, LOG_RATIO):
            place = f"{matrix.title}: " if matrix.kind == "tasks" else ""
            parts += [Text(f"{place}{quantity.title}"), matrix_table(record, matrix, quantity), Text()]
    below_noise = f"{BELOW_NOISE} not above noise of the same norm (p ≥ {LEVEL}, Holm)"
    parts += [Text(line) for line in (f"[ ] the victim's own white-box attack · {below_noise}", *notes(record))]
    return Group(*parts)


def headlines(record: TransferRecord) -> list[str]:
    """What was done, in two lines; a third says what sources take other passes."""
    names = ", ".join(attack["name"] for attack in record.attacks)
    attack = record.attacks[0]
    threat = threat_text(attack["norm"], attack["eps"], attack.get("quantized", False))
    forward, backward = record.passes[0]
    return [
        f"transfer, {heading(record)}: {names} ({threat}), {forward}+{backward} passes an image",
        f"{counted(record.data['images'], 'image')} of {record.data['name']} {record.data['split']} "
        f"({record.data['fingerprint'][:8]}), seed {record.seed}, tasks that count: {', '.join(record.tasks)}",
        *_passes_by_source(record),
    ]


def _passes_by_source(record: TransferRecord) -> list[str]:
    """A line where these differ, or one of the sources is several networks."""
    networks = {name: record.models[name].get("networks", 1) for name in record.source_passes}
    alike = all(passes == record.passes[0] for passes in record.source_passes.values())
    if alike and max(networks.values(), default=1) == 1:
        return []
    texts = [
        f"{forward}+{backward} on {name}"
        + (f" (a pass is one of each of its {networks[name]} networks)" if networks[name] > 1 else "")
        for name, (forward, backward) in record.source_passes.items()
    ]
    return [f"passes an image: {'; '.join(texts)}"]


def matrix_table(record: TransferRecord, matrix: Matrix, quantity: Quantity) -> Grid:
    """Rows are sources, columns victims; what the floor and the own attack do stands below."""
    table = Grid()
    table.add_column(f"made {'for' if matrix.kind == 'tasks' else 'on'} ↓ judged on →")
    for label in labels(record, matrix.victims):
        table.add_column(label.replace(".", "\n"), "right")
    for label, row in zip(labels(record, matrix.sources), matrix.cells, strict=True):
        table.add_row(label, *(short_cell(quantity, cell) for cell in row))
    for name, values in below(matrix, quantity):
        table.add_row(name, *(compact_number(value.value, quantity.percent) for value in values))
    return table


def below(matrix: Matrix, quantity: Quantity) -> list[tuple[str, list[Interval]]]:
    """The floor and the yardstick of each victim."""
    if quantity.key == "log_ratio":
        return [("noise", matrix.noise_log), ("own white box", matrix.white_box_log)]
    if quantity.key == "share":
        return [("noise", [_share(*pair) for pair in zip(matrix.noise, matrix.white_box, strict=True)])]
    return [("noise", matrix.noise), ("own white box", matrix.white_box), ("skill without attack", matrix.clean)]


def _share(part: Interval, whole: Interval) -> Interval:
    """Without bounds: those of a quotient are not the quotients of bounds."""
    defined = part.value is not None and whole.value is not None and whole.value > 0
    return Interval(value=part.value / whole.value if defined else None, low=None, high=None)  # type: ignore[operator]


def short_cell(quantity: Quantity, cell: Cell) -> str:
    """`41`, `41°` where it is not above noise, `[100]` where it is the victim's own."""
    text = compact_number(quantity.of(cell).value, quantity.percent)
    return f"[{text}]" if cell.own else f"{text}{BELOW_NOISE}" if not cell.beats_noise else text


def notes(record: TransferRecord) -> list[str]:
    """The means, the correlations, and what does not count."""
    lines = []
    for matrix in record.matrices:
        degree = "" if matrix.degree is None else f" (sharing degree {matrix.degree:.2f})"
        foreign = [cell for row in matrix.cells for cell in row if not cell.own]
        above, are = sum(cell.beats_noise for cell in foreign), "is" if len(foreign) == 1 else "are"
        lines.append(
            f"{matrix.title}{degree}: on average {compact_interval(matrix.mean_share, percent=True)} % of the own "
            f"attack's damage carries over; {above} of {counted(len(foreign), 'cell')} {are} above noise"
        )
        lines += [f"{victim}: {text}" for victim, text in strongest(matrix).items()] if matrix.kind == "models" else []
    lines += [correlation_text(each) for each in record.correlations]
    return [*lines, *(f"left out: {sentence}" for sentence in record.left_out)]


def strongest(matrix: Matrix) -> dict[str, str]:
    """For each victim the foreign source that raises its loss most, and those that are not told from it."""
    found = {}
    for column, victim in enumerate(matrix.victims):
        foreign = [
            (row[column].log_ratio.value, name)
            for name, row in zip(matrix.sources, matrix.cells, strict=True)
            if not row[column].own
        ]
        known = [(value, name) for value, name in foreign if value is not None]
        if known:
            best = max(known)[1]
            equal = [
                each.other if each.source == best else each.source
                for each in matrix.differences
                if each.victim == victim
                and best in (each.source, each.other)
                and victim not in (each.source, each.other)
                and not each.is_for(best)
            ]
            rest = f"; not told from it: {', '.join(equal)}" if equal else "; more than by those of any other"
            found[victim] = f"hurt most by images of {best}{rest if len(foreign) > 1 else ''}"
    return found


def correlation_text(found: Correlation) -> str:
    """One in a line."""
    of = "share taken" if found.of == "share" else "log loss ratio"
    how = f"{found.permutations} permutations of the labels{'' if found.exact else ', drawn'}"
    rho, cells = compact_interval(found.rho, percent=False), counted(found.cells, "cell")
    return f"rank correlation of {NAMES[found.common]} with {of}: {rho}, p = {found.p:.2g} ({how}; {cells})"


def to_markdown(record: TransferRecord) -> str:
    """A table a matrix, with intervals: share and log loss ratio; then the notes."""
    lines = [*map(escape, headlines(record)), ""]
    lines[:-2] = [f"{line}  " for line in lines[:-2]]  # each a line of its own
    for matrix in record.matrices:
        for quantity in (SHARE, LOG_RATIO):
            lines += [*markdown_table(record, matrix, quantity), ""]
    return "\n".join([*lines, *(f"- {escape(note)}" for note in notes(record)), ""])


def markdown_table(record: TransferRecord, matrix: Matrix, quantity: Quantity) -> list[str]:
    """Lines of a table; the own cells are bold."""
    place = f"{matrix.title}, " if matrix.kind == "tasks" else ""
    corner = f"made {'for' if matrix.kind == 'tasks' else 'on'} ↓, judged on →"
    rows = []
    for label, row in zip(labels(record, matrix.sources), matrix.cells, strict=True):
        texts = [compact_interval(quantity.of(cell), percent=quantity.percent) for cell in row]
        marked = [
            f"**{text}**" if cell.own else text if cell.beats_noise else f"{text}{BELOW_NOISE}"
            for text, cell in zip(texts, row, strict=True)
        ]
        rows.append([escape(label), *marked])
    for name, values in below(matrix, quantity):
        rows.append([f"*{name}*", *(compact_number(value.value, quantity.percent) for value in values)])
    titles = [corner, *map(escape, labels(record, matrix.victims))]
    return [f"**{escape(place)}{quantity.title}**", "", *table_lines(titles, rows)]


def to_csv(record: TransferRecord) -> str:
    """One line a number: matrix, source, victim, quantity, value, low, high."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["matrix", "source", "victim", "quantity", "value", "low", "high"])
    for matrix in record.matrices:
        for source, victim, quantity, number in _numbers(matrix):
            writer.writerow([matrix.title, source, victim, quantity, number.value, number.low, number.high])
    return out.getvalue()


def _numbers(matrix: Matrix) -> Iterable[tuple[str, str, str, Interval]]:
    """Of the victims, then of the cells."""
    for column, victim in enumerate(matrix.victims):
        for quantity in ("clean", "white_box", "white_box_log", "noise", "noise_log"):
            yield "", victim, quantity, getattr(matrix, quantity)[column]
    for row, source in enumerate(matrix.sources):
        for column, victim in enumerate(matrix.victims):
            cell, alike = matrix.cells[row][column], matrix.alike[row][column]
            for quantity in ("lost", "share", "log_ratio", "above_noise", "log_above_noise"):
                yield source, victim, quantity, getattr(cell, quantity)
            for quantity in ("p", "p_holm"):
                yield source, victim, quantity, Interval(value=getattr(cell, quantity), low=None, high=None)
            yield source, victim, "cosine", alike.cosine
            yield source, victim, "signs", alike.signs
            if matrix.depth is not None:
                yield source, victim, "depth", Interval(value=matrix.depth[row][column], low=None, high=None)
