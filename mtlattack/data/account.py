"""What became of a source's labels: how many pixels were kept, and which rule left out the others."""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtlattack.data.labels import task_of, valid_places
from mtlattack.data.prepared import open_prepared
from mtlattack.files import json_value
from mtlattack.hdf5 import attribute, reading

ATTRIBUTE = "account"
"""Of a label in a prepared file, as JSON; outside fingerprints."""
MUCH = 0.01
"""The share of a label's pixels that is not left out without a warning."""
UNSAID = "no label in the source"

Mask = NDArray[np.bool_]
Drop = Callable[[str, Mask], None]
"""Takes a rule, and where it leaves out a pixel."""


def unseen(rule: str, where: Mask) -> None:
    """Counts nothing: for those who only look."""


class Drops:
    """Of one image, how many pixels of each label which rule leaves out.

    `none` counts what means nothing by the word of the source or the recipe; `dropped` what had a meaning, and could
    not be kept.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, Counter[str]]] = {}

    def none(self, label: str) -> Drop:
        """Where a label's numbers are said to mean nothing."""
        return self._counting(label, "none")

    def dropped(self, label: str) -> Drop:
        """Where a label's numbers meant something."""
        return self._counting(label, "dropped")

    def _counting(self, label: str, kind: str) -> Drop:
        counter = self.counts.setdefault(label, {}).setdefault(kind, Counter())

        def count(rule: str, where: Mask) -> None:
            found = int(np.count_nonzero(where))
            if found:
                counter[rule] += found

        return count


@dataclass(frozen=True)
class Account:
    """Of one label, in one image or a split: its pixels, those that were kept, and why the others were not.

    Of whole images the labels are counted.
    """

    pixels: int
    kept: int
    none: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def unsaid(self) -> int:
        """Pixels without a label of which no rule speaks."""
        return self.pixels - self.kept - sum(self.none.values()) - sum(self.dropped.values())

    def plus(self, other: "Account") -> "Account":
        """Both together."""
        none, dropped = (
            dict(Counter(a) + Counter(b)) for a, b in ((self.none, other.none), (self.dropped, other.dropped))
        )
        return Account(self.pixels + other.pixels, self.kept + other.kept, none, dropped)


def accounts_of(
    arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Mapping[str, Any]], drops: Drops
) -> dict[str, Account]:
    """Of an image's stored labels, given their attributes by name: what is valid in them, and what `drops` counted."""
    accounts = {}
    for name, each in attributes.items():
        task = task_of(name, each)
        if task is None:
            continue
        target = task.decode(arrays[name], each)
        counts = drops.counts.get(name, {})
        none, dropped = (dict(counts.get(kind, {})) for kind in ("none", "dropped"))
        valid = valid_places(task, target)
        accounts[name] = Account(valid.numel(), int(valid.sum()), none, dropped)
    return accounts


def to_json(accounts: Mapping[str, Account]) -> str:
    """Accounts by label."""
    return json.dumps({name: vars(account) for name, account in accounts.items()})


def from_json(text: str) -> dict[str, Account]:
    """What `to_json` wrote."""
    return {name: Account(**account) for name, account in json_value(text).items()}


def read_accounts(path: Path) -> dict[tuple[str, str], Account]:
    """By split and label what became of the labels that a file was prepared from; empty for files that do not say."""
    found: dict[tuple[str, str], Account] = {}
    with open_prepared(path) as file, reading(path):
        for split, group in file.items():
            for name, label in group.items() if isinstance(group, h5py.Group) else ():
                if (text := attribute(label, ATTRIBUTE)) is not None:
                    found[split, name] = Account(**json_value(text))
    return found


def describe_accounts(accounts: Mapping[tuple[str, str], Account]) -> list[str]:
    """A table of text, one label a line, below it one line a rule; `!` marks what had a meaning and was left out."""
    width = max((len(f"{split} {name}") for split, name in accounts), default=0)
    lines = [f"{'label'.ljust(width)}  {'pixels':>15}  kept %"] if accounts else []
    for (split, name), account in accounts.items():
        lines.append(f"{f'{split} {name}'.ljust(width)}  {account.pixels:>15,}  {_percent(account.kept, account):>6}")
        reasons = [(rule, count, "!") for rule, count in account.dropped.items()]
        reasons += [(rule, count, " ") for rule, count in (*account.none.items(), (UNSAID, account.unsaid)) if count]
        lines += [f"  {mark} {_percent(count, account):>6} %  {rule}" for rule, count, mark in reasons]
    return lines


def warn_of_much(path: Path, accounts: Mapping[tuple[str, str], Account], stacklevel: int = 2) -> None:
    """Warn of rules that left out more than 1 % of a label's pixels, which had a meaning; and of a label of which
    nothing was kept, whatever the reason. What has one cause is one warning."""
    causes: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for (split, name), account in accounts.items():
        rules = {rule: count for rule, count in account.dropped.items() if count > MUCH * account.pixels}
        nothing = account.pixels > 0 and not account.kept
        if nothing or rules:
            share = "" if nothing else f"{_percent(sum(rules.values()), account)} % of "
            causes.setdefault((nothing, tuple(rules)), []).append(f"{share}{split}/{name}")
    for (nothing, reasons), labels in causes.items():
        listed = ", ".join(labels)
        what = f"nothing of {listed} was kept" if nothing else f"{listed} were left out"
        warnings.warn(": ".join([str(path), what, *filter(None, [", ".join(reasons)])]), stacklevel=stacklevel + 1)


def _percent(count: int, account: Account) -> str:
    return f"{100 * count / max(account.pixels, 1):.2f}"
