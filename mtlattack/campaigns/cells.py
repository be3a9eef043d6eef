"""Cells: what a campaign comes to, each one run with a folder of its own."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, count, product
from pathlib import Path
from typing import Any, Literal

from torch import nn

from mtlattack.campaigns.description import Campaign, ModelEntry
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import Chosen, choose, load_suite
from mtlattack.files import file_name
from mtlattack.models import list_models
from mtlattack.models.checkpoint_files import SUFFIX
from mtlattack.registry import natural_key


@dataclass(frozen=True)
class Cell:
    """One run of a campaign: the options of `mtlattack run`; `name` is that of its folder."""

    name: str
    suite: str
    model: str | None
    checkpoint: str | None
    data: str | None
    changes: dict[str, Any] = field(hash=False)
    precision: str
    cuda_graphs: Literal["auto", "on", "off"]
    device: str | None

    def choose(
        self,
        resolve: Callable[[str, Path | None], tuple[nn.Module, str]],
        load: Callable[..., PreparedDataset],
    ) -> Chosen:
        """What its names mean; arguments and errors as for `evaluation.choose`."""
        checkpoint = None if self.checkpoint is None else Path(self.checkpoint)
        return choose(self.suite, self.model, checkpoint, self.data, self.changes, resolve=resolve, load=load)

    def plan(self) -> dict[str, Any]:
        """Everything that it is, as plain JSON."""
        return asdict(self)


def expand(campaign: Campaign) -> list[Cell]:
    """The cells of a campaign, model by model; InputError for a glob over models that matches none.

    A cell is called <suite>-<model>, as the folder of a run, and by the entry of every other axis that has several.
    """
    axes: list[Sequence[Any]] = [
        _models(campaign.models),
        campaign.suites,
        campaign.data or [None],
        campaign.attacks or [None],
        campaign.eps or [None],
        campaign.seeds or [None],
    ]
    parts = list(product(*axes))
    taken: set[str] = set()
    cells = []
    for model, suite, data, attacks, eps, seed in parts:
        entry = {"model": model} if isinstance(model, str | None) else model.model_dump()
        names = [_short(suite), _model_name(entry, suite)]
        names += [text for axis, text in zip(axes[2:], _texts(data, attacks, eps, seed), strict=True) if len(axis) > 1]
        name = file_name("-".join(names))
        name = next(free for free in chain([name], (f"{name}-{n}" for n in count(2))) if free not in taken)
        taken.add(name)
        changes = {"attacks": _listed(attacks), "eps": _listed(eps), "seed": seed} | {
            key: getattr(campaign, key) for key in ("norm", "quantize", "every", "limit", "batch_size", "target")
        }
        cells.append(
            Cell(
                name=name,
                suite=suite,
                model=entry["model"],
                checkpoint=entry.get("checkpoint"),
                data=data,
                changes={key: value for key, value in changes.items() if value is not None},
                precision=campaign.precision,
                cuda_graphs=campaign.cuda_graphs,
                device=campaign.device,
            )
        )
    return cells


def _models(entries: Sequence[str | ModelEntry]) -> list[str | ModelEntry | None]:
    """Globs over the zoo replaced by what they match, each model once."""
    models: dict[str | ModelEntry | None, None] = {}
    for entry in entries:
        is_file = isinstance(entry, str) and ("/" in entry or entry.endswith(SUFFIX))
        is_glob = isinstance(entry, str) and any(sign in entry for sign in "*?[") and not is_file
        found = list_models(entry) if is_glob and isinstance(entry, str) else [entry]
        if not found:
            raise UnknownNameError("model", str(entry), list_models())
        models |= dict.fromkeys(found)
    return list(models) or [None]


def _model_name(entry: dict[str, Any], suite: str) -> str:
    """Of a model in the name of its cell; that of the suite where there is none."""
    if entry.get("checkpoint"):
        return f"{entry['model']}@{Path(entry['checkpoint']).stem}"
    if entry["model"] is None:
        try:
            return _short(load_suite(suite).model or "model")
        except InputError:  # of which the check of all cells will tell
            return "model"
    return _short(entry["model"])


def _texts(data: Any, attacks: Any, eps: Any, seed: Any) -> list[str]:
    return [
        _short(str(data)),
        "+".join(_listed(attacks) or []) or "clean",
        "eps" + "+".join(f"{value:g}" for value in _listed(eps) or []),
        f"seed{seed}",
    ]


def _short(name: str) -> str:
    """A name, of a file without folder and suffix."""
    is_file = name.endswith((".toml", ".h5", ".hdf5", ".safetensors"))
    return Path(name).stem if is_file else name


def _listed(entry: Any) -> list[Any] | None:
    return entry if entry is None or isinstance(entry, list) else [entry]


def by_name(cells: Sequence[Cell]) -> list[Cell]:
    """In natural order: seed 2 before seed 10."""
    return sorted(cells, key=lambda cell: natural_key(cell.name))
