"""Several runs side by side: one line an attack and ε, one column a run."""

from collections.abc import Sequence

from rich.table import Table

from mtlattack.evaluation.record import AttackResult, Interval, Record
from mtlattack.evaluation.tables import compact_interval, threat_text


def render_comparison(records: Sequence[Record]) -> Table:
    """ARP with its interval for every attack that occurs in any of the runs."""
    table = Table(box=None, title="arp %, side by side", title_justify="left", padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("attack", no_wrap=True)
    for record in records:
        table.add_column(f"{record.model['name']}\n{record.data['name']} ({record.data['images']})", justify="right")
    columns = [{_label(result): result.arp for result in record.attacks} for record in records]
    for label in dict.fromkeys(name for column in columns for name in column):
        table.add_row(" ".join(label), *(_cell(column.get(label)) for column in columns))
    return table


def _label(result: AttackResult) -> tuple[str, str]:
    return result.name, threat_text(result)


def _cell(interval: Interval | None) -> str:
    if interval is None or interval.value is None:
        return "–"
    return compact_interval(interval, percent=True)
