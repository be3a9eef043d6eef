"""Ensembles in a run: their members are what is run."""

from collections.abc import Iterable
from typing import Any

from mtlattack.attacks import Attack, Standard
from mtlattack.tasks import TaskMap


def expand(attacks: Iterable[Attack], tasks: TaskMap) -> tuple[list[Attack], list[dict[str, Any]]]:
    """What is run on a model with these tasks, and for the plan what the ensembles among `attacks` are made of.

    The other attacks come first, in their order; then the members that are not among them yet, each once. An ensemble
    is its name, version, threat and seed, and `members`: their places in what is run.
    """
    attacks = list(attacks)
    run = [attack for attack in attacks if not isinstance(attack, Standard)]
    ensembles: list[dict[str, Any]] = []
    for attack in attacks:
        if isinstance(attack, Standard):
            places = [_place(member, run) for member in attack.members(tasks)]
            planned = {"name": attack.name, "version": attack.version, **attack.threat.config(), "seed": attack.seed}
            if {**planned, "members": places} not in ensembles:
                ensembles.append({**planned, "members": places})
    return run, ensembles


def _place(member: Attack, run: list[Attack]) -> int:
    """Where a member is among what is run; it is appended if it is not."""
    config = member.config()
    for place, attack in enumerate(run):
        if attack.config() == config:
            return place
    run.append(member)
    return len(run) - 1
