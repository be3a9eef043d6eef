"""The results of a campaign in one table, read from its cells' records."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from mtlattack.analysis.record import Record, RobustSkill, Skill, read_record
from mtlattack.campaigns.campaign import Ended
from mtlattack.campaigns.cells import by_name
from mtlattack.epsilon import threat_text
from mtlattack.evidence.places import RECORD
from mtlattack.printing import Grid
from mtlattack.wording import counted

# A table is for reading.
_ROWS = 60
_COLUMNS = ("cell", "images", "clean skill", "robust skill", "threat", "attack", "s")


def render_summary(ended: Ended) -> RenderableType:
    """A row a cell: clean skill, and of each threat the skill that its strongest attack leaves. Failed ones say so."""
    failed = {result.name for result in ended.failed}
    table = Grid()
    for column in _COLUMNS:
        table.add_column(column, "left" if column in ("cell", "threat", "attack") else "right")
    for cell in by_name(ended.cells)[:_ROWS]:
        if cell.name in failed:
            table.add_row(cell.name, *[""] * 3, "failed", "", "")
        else:
            for row in _rows(cell.name, read_record(ended.out / cell.name / RECORD)):
                table.add_row(*row)
    lines = []
    if len(ended.cells) > _ROWS:
        lines.append(f"… and {counted(len(ended.cells) - _ROWS, 'cell')} more")
    done = [cell.name for cell in ended.cells if cell.name not in failed]
    lines.append(f"{len(done)} of {counted(len(ended.cells), 'cell')} in {ended.out}/")
    if done:
        lines[-1] += f"; mtlattack show {ended.out / done[0]}"
    return Group(table, *map(Text, lines))


def _rows(name: str, record: Record) -> list[list[str]]:
    images = str(record.data.get("images", ""))
    seconds = f"{sum(attack.seconds for attack in record.attacks):.0f}"
    clean = _skill(record.clean_skill)
    robust: Sequence[RobustSkill | None] = record.robust_skill or [None]
    rows = []
    for index, found in enumerate(robust):
        first = [name, images, clean] if index == 0 else ["", "", ""]
        what = ["", "", ""]
        if found:
            threat = threat_text(found.norm, found.eps, found.quantized)
            what = [_skill(found.skill), threat, found.attack]
        rows.append([*first, *what, seconds if index == 0 else ""])
    return rows


def _skill(skill: Skill | None) -> str:
    value = skill.mean.value if skill else None
    return "" if value is None else f"{value:.2f}"
