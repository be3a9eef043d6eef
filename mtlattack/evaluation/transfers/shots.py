"""What is made once and judged on many: an attack on a source, and the victims that are shown its images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtlattack.attacks import Attack, create_attack
from mtlattack.data import LabelledImages
from mtlattack.evaluation.plan import plan_attacks
from mtlattack.evaluation.transfers.parties import Party

# Any aggregator: with one draw nobody looks at what it scores.
_FLOOR = "noise-total"


@dataclass(frozen=True)
class Shot:
    """Images of an attack on the model of a party; of the floor they are the same on any."""

    source: Party
    attack: Attack

    def planned(self, victim: Party, data: LabelledImages) -> dict[str, Any]:
        """What the plan of a victim's evidence says of it: made on another model it is called `<attack>@<source>`, and
        is no white-box attack."""
        # An ensemble's pass is one of each of its networks.
        (entry,) = plan_attacks([self.attack], len(self.source.tasks), self.source.prepared, data)
        for passes in ("forward_passes", "backward_passes"):
            entry[passes] *= self.source.networks
        if self.source.name == victim.name or is_floor(self.attack):
            return entry
        config = entry["config"] | {"name": f"{self.attack.name}@{self.source.name}"}
        source = {key: self.source.description[key] for key in ("name", "sha256")}
        return entry | {"config": config, "white_box": False, "source": source}


def floor_of(attack: Attack) -> Attack:
    """Noise of the attack's threat and seed that knows no model: one corner of the ball for each image."""
    threat = attack.threat
    return create_attack(
        _FLOOR, eps=threat.eps, norm=threat.norm, quantized=threat.quantized, seed=attack.seed, restarts=1
    )


def is_floor(attack: Attack) -> bool:
    """Whether it is what `floor_of` gives."""
    return attack.name == _FLOOR


def shots_between_models(sources: Sequence[Party], victims: Sequence[Party], attack: Attack) -> dict[str, list[Shot]]:
    """By victim: the floor, every source's images in their order, and last its own if it is no source."""
    floor, shots = Shot(victims[0], floor_of(attack)), [Shot(source, attack) for source in sources]
    names = {source.name for source in sources}
    return {v.name: [floor, *shots, *([] if v.name in names else [Shot(v, attack)])] for v in victims}


def shots_between_tasks(parties: Sequence[Party], attacks: Mapping[str, Attack]) -> dict[str, list[Shot]]:
    """By model: the floor, then the attack on each of the tasks in their order."""
    floor = Shot(parties[0], floor_of(next(iter(attacks.values()))))
    return {party.name: [floor, *(Shot(party, attack) for attack in attacks.values())] for party in parties}
