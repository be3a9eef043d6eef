"""What is attacked: the zoo's models, and beside each kind of them the same network untrained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mtlattack.data import PreparedDataset, load_dataset
from mtlattack.errors import UnknownNameError
from mtlattack.models import MultiTaskNetwork, create_model, create_network, list_models

ROOMS, NYUV2 = "rooms", "nyuv2"


@dataclass(frozen=True)
class Subject:
    """A zoo model by name, as it ships or with fresh weights, and the data it is for: a name or a prepared file."""

    model: str
    trained: bool
    data: str | Path

    @property
    def name(self) -> str:
        """The zoo's name, or that of the kind with `.untrained`."""
        return self.model if self.trained else f"{self.model}.untrained"

    def network(self, seed: int) -> MultiTaskNetwork:
        """The network in eval mode; `seed` draws the weights of an untrained one."""
        model = create_model(self.model)
        if self.trained:
            return model
        torch.manual_seed(seed)
        return create_network(model.config).eval()

    def images(self, network: MultiTaskNetwork, limit: int | None) -> PreparedDataset:
        """The first images of its test split, with the labels that the network needs."""
        return load_dataset(self.data, "test", tasks=network.tasks, limit=limit)


def choose_subjects(patterns: Sequence[str], nyuv2: Path | None, *, untrained: bool) -> tuple[list[Subject], list[str]]:
    """Models that match one of the globs, trained ones first, and the names left out for want of NYUv2.

    An untrained network goes with the first zoo model of its description, whatever the globs leave out, so that
    disjoint globs have disjoint subjects. UnknownNameError for a glob that matches nothing.
    """
    known = list_models()
    names: dict[str, None] = {}
    for pattern in patterns:
        matches = list_models(pattern)
        if not matches:
            raise UnknownNameError("model", pattern, known)
        names.update(dict.fromkeys(matches))
    data = {ROOMS: ROOMS, NYUV2: nyuv2}
    places = {name: data[name.partition("-")[0]] for name in names}
    chosen = [Subject(name, True, place) for name, place in places.items() if place is not None]
    firsts = set(_first_of_each_kind(known)) if untrained else ()
    chosen += [Subject(one.model, False, one.data) for one in chosen if one.model in firsts]
    return chosen, [name for name, place in places.items() if place is None]


def _first_of_each_kind(names: Sequence[str]) -> Iterator[str]:
    """Names whose networks' description no name before has; adversarial training changes weights only."""
    seen = []
    for name in names:
        config = create_model(name).config
        if config not in seen:
            seen.append(config)
            yield name
