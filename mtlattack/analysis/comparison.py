"""Several runs together: parts of one experiment joined, different ones side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtlattack.analysis.record import AttackResult, Interval, Record
from mtlattack.analysis.summaries import robust_skill
from mtlattack.analysis.tables import compact_interval, threat_text
from mtlattack.printing import Grid
from mtlattack.wording import counted

# Names of models take several lines beyond.
_LONGEST = 40


def join_parts(records: Mapping[Path, Record]) -> dict[Path, Record]:
    """Records by the folder of their run; those that are parts of one experiment become one, under the first folder.

    Parts have the same model, images, seed and precision, and no attack in common: one run for each ε, say.
    """
    joined: dict[Path, Record] = {}
    for folder, record in records.items():
        whole = next((key for key, other in joined.items() if _are_parts(other, record)), None)
        if whole is None:
            joined[folder] = record
        else:
            parts = (joined[whole], record)
            attacks = sorted([r for part in parts for r in part.attacks], key=lambda result: (result.norm, result.eps))
            flags = [flag for part in parts for flag in part.flags]
            update = {
                "attacks": attacks,
                "robust_skill": robust_skill(attacks),
                "flags": [flag for place, flag in enumerate(flags) if flag not in flags[:place]],
                "checked": list(dict.fromkeys(name for part in parts for name in part.checked)),
            }
            joined[whole] = joined[whole].model_copy(update=update)
    return joined


def _are_parts(one: Record, other: Record) -> bool:
    keys = ("model", "data", "tasks", "seed", "search_precision", "judged", "clean")
    same = all(getattr(one, key) == getattr(other, key) for key in keys)
    configs = [result.config for result in one.attacks]
    return same and not any(result.config in configs for result in other.attacks)


def render_comparison(records: Sequence[Record]) -> Grid:
    """ARP with its interval for every attack that occurs in any of the runs."""
    table = Grid(title="arp %, side by side")
    table.add_column("attack")
    for record in records:
        lines = [record.model["name"], f"{record.data['name']} ({record.data['images']})"]
        if record.search_precision != "float32":
            lines.append(f"gradients in {record.search_precision}")
        table.add_column("\n".join(lines), "right", longest=_LONGEST)
    columns = [{_label(result): result.arp for result in record.attacks} for record in records]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    for name, threat, steps in labels:
        # The number of steps is said where it alone tells two apart.
        several = sum(label[:2] == (name, threat) for label in labels) > 1
        text = f"{name} {threat}, {counted(steps, 'step')}" if several and steps else f"{name} {threat}"
        table.add_row(text, *(_cell(column.get((name, threat, steps))) for column in columns))
    return table


def _label(result: AttackResult) -> tuple[str, str, int | None]:
    return result.name, threat_text(result), result.config.get("steps")


def _cell(interval: Interval | None) -> str:
    if interval is None or interval.value is None:
        return "–"
    return compact_interval(interval, percent=True)
