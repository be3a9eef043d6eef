"""A transfer: adversarial images are made once a source and judged on all victims."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mtlattack.analysis.transfer import AGREEMENT, PLAN, Transfer, read_transfer
from mtlattack.attacks import Attack, Standard, UniversalAttack
from mtlattack.data import AnyData, Batch, LabelledImages, labelled_images
from mtlattack.devices import choose_device
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation.batching import BatchSize, check_batch_size, largest_batch
from mtlattack.evaluation.crafting import first_images, no_autocast
from mtlattack.evaluation.environment import describe_environment
from mtlattack.evaluation.opening import evidence_at
from mtlattack.evaluation.plan import make_plan
from mtlattack.evaluation.transfers.alike import BetweenModels, BetweenTasks, Comparison, finish
from mtlattack.evaluation.transfers.parties import Party, common_tasks, join, left_out, naming
from mtlattack.evaluation.transfers.shooting import shoot_all
from mtlattack.evaluation.transfers.shots import Shot, shots_between_models, shots_between_tasks
from mtlattack.evidence import AgreementFile
from mtlattack.evidence.places import EVIDENCE
from mtlattack.files import check_same_plan, file_name, read_json, set_aside, write_json
from mtlattack.locking import held
from mtlattack.models import SourceModel
from mtlattack.tasks import Model, Task, alone, describe_tasks

Models = Mapping[str, Model]


@torch.inference_mode(False)
def transfer(
    sources: Models,
    victims: Models | None,
    data: AnyData,
    attack: Attack,
    *,
    path: str | Path | None = None,
    batch_size: BatchSize = 16,
    device: str | None = None,
    resize: bool = False,
    fresh: bool = False,
) -> Transfer:
    """Make adversarial images on each of `sources` and judge them on each of `victims`, by default the sources: a
    matrix of models, by name.

    Each source is attacked on all of its tasks that the data have labels for; what counts are the tasks that all models
    have. A victim that is no source is attacked itself too, for what its own white-box attack takes. All models are
    held on the device; of images one batch. With a folder as `path` the evidence of each victim, an ordinary run's, is
    kept there as it comes, and a transfer that was killed goes on where it stopped. With `resize` a model that says by
    `input_size` (height, width) that it takes another size is shown the images in that. InputError for models, images
    and tasks that do not fit, for a name of two models, and for a folder that holds another transfer.
    """
    victims = sources if victims is None else victims
    models = _together(sources, victims)
    _check_attack(attack)
    chosen, images = choose_device(device), labelled_images(data, _all_tasks(models))
    check_batch_size(batch_size)
    parties = _parties(models, images, chosen, resize)
    size = _sized(batch_size, parties, images, path, fresh, chosen)
    common = common_tasks(parties.values())
    rows, columns = ([parties[name] for name in names] for names in (sources, victims))
    return _carry_out(
        shots_between_models(rows, columns, attack),
        [BetweenModels(rows, columns, common)],
        {
            "between": "models",
            "sources": list(sources),
            "victims": list(victims),
            "tasks": list(common),
            "left_out": left_out(models, common),
        },
        parties, images, path, size, chosen, fresh,
    )  # fmt: skip


@torch.inference_mode(False)
def transfer_between_tasks(
    models: Models,
    data: AnyData,
    attacks: Mapping[str, Attack],
    *,
    path: str | Path | None = None,
    batch_size: BatchSize = 16,
    device: str | None = None,
    resize: bool = False,
    fresh: bool = False,
) -> Transfer:
    """Attack each task of each of `models` alone, and judge what this does to its other tasks: a matrix of tasks a
    model.

    `attacks` are by task, each on that task alone and all of one threat; the tasks are those that all models have.
    The rest as for `transfer`.
    """
    if not models:
        raise InputError("there is no model to make images on")
    _together(models, models)
    for attack in attacks.values():
        _check_attack(attack)
    chosen, images = choose_device(device), labelled_images(data, _all_tasks(models))
    check_batch_size(batch_size)
    parties = _parties(models, images, chosen, resize)
    size = _sized(batch_size, parties, images, path, fresh, chosen)
    common = common_tasks(parties.values())
    if not attacks:
        raise InputError(f"there is no attack; expected one a task, of {', '.join(common)}")
    for task in attacks:
        if task not in common:
            raise UnknownNameError("common task", task, common)
    own = {task: each for task, each in common.items() if task in attacks}
    return _carry_out(
        shots_between_tasks(list(parties.values()), {task: attacks[task] for task in own}),
        [BetweenTasks(party, own) for party in parties.values()],
        {
            "between": "tasks",
            "sources": list(models),
            "victims": list(models),
            "tasks": list(own),
            "left_out": left_out(models, own),
        },
        parties, images, path, size, chosen, fresh,
    )  # fmt: skip


def _carry_out(
    shots: Mapping[str, list[Shot]],
    comparisons: Sequence[Comparison],
    what: Mapping[str, Any],
    parties: Mapping[str, Party],
    data: LabelledImages,
    path: str | Path | None,
    batch_size: int,
    device: torch.device,
    fresh: bool,
) -> Transfer:
    """Do what is not done yet, and read all of it."""
    _check_sources(shots, data[0].to(device))
    plans = _plans(shots, parties, data, batch_size)
    folders = _folders(list(shots))
    plan = {
        **what,
        "models": {name: party.description for name, party in parties.items()},
        "folders": folders,
        "runs": plans,
    }
    with _folder(path) as folder:
        _begin(folder, plan, fresh)
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(
                    evidence_at(
                        folder / folders[name] / EVIDENCE,
                        plans[name],
                        describe_environment(device, "float32", None, parties[name].calls),
                        data.ids,
                        fresh=False,
                    )
                )
                for name in shots
            }
            shoot_all(shots, files, parties, data, batch_size, device)
        agreement, shapes = AgreementFile(folder / AGREEMENT), [each.shape for each in comparisons]
        if agreement.path.exists():
            agreement.check_laid_out(shapes, data.ids)
        else:
            AgreementFile.create(agreement.path, shapes, data.ids)
        finish(agreement, comparisons, data, batch_size, device)
        return read_transfer(folder)


def _plans(
    shots: Mapping[str, list[Shot]], parties: Mapping[str, Party], data: LabelledImages, batch_size: int,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The plan of each victim's run; what they have in common is found once."""
    first = next(iter(shots))
    shared = make_plan(
        parties[first].prepared.judge, data, [], name=first, suite=None, ensembles=[],
        preparation=parties[first].prepared, batch_size=batch_size, seed=shots[first][0].attack.seed,
    )  # fmt: skip
    plans = {}
    for name, own in shots.items():
        party = parties[name]
        plans[name] = shared | {
            "model": {key: party.description[key] for key in ("name", "sha256", "parameters")},
            "tasks": describe_tasks(party.tasks),
            "constants": {task: shared["constants"][task] for task in party.tasks},
            "attacks": [shot.planned(party, data) for shot in own],
            "preparation": party.prepared.description,
        }
    return plans


def _all_tasks(models: Models) -> dict[str, Task]:
    """What any of the models predicts; of two tasks of one name the first."""
    tasks: dict[str, Task] = {}
    for model in models.values():
        tasks = {**{name: alone(task) for name, task in model.tasks.items()}, **tasks}
    return tasks


def _sized(
    batch_size: BatchSize, parties: Mapping[str, Party], data: LabelledImages, path: str | Path | None, fresh: bool,
    device: torch.device,
) -> int:  # fmt: skip
    """The batch size of all parties: for auto that of the transfer which goes on at `path`, or what the hungriest model
    leaves room for."""
    if batch_size != "auto":
        return batch_size
    place = None if path is None or fresh else Path(path) / PLAN
    if place is not None and place.is_file():
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # `_begin` says that it is damaged
            return int(next(iter(read_json(place)["runs"].values()))["batch_size"])
    first = first_images(data).to(device)
    with no_autocast(device):
        return min(largest_batch(p.prepared, p.prepared.laid_out(first), len(data)) for p in parties.values())


def _parties(models: Models, data: LabelledImages, device: torch.device, resize: bool) -> dict[str, Party]:
    data.identify()  # What is wrong with labels is said before anything is done.
    first = first_images(data).to(device)
    return {name: join(name, model, data.tasks, first, resize) for name, model in models.items()}


def _together(sources: Models, victims: Models) -> dict[str, Model]:
    """All of them by name; InputError where there are none, or a name means two models."""
    if not sources:
        raise InputError("there is no source to make images on")
    if not victims:
        raise InputError("there is no victim to judge images on")
    for name, victim in victims.items():
        if isinstance(victim, SourceModel):
            raise InputError(
                f"{name} is a source of images alone, expected a model to be judged; name one with --victim"
            )
        if name in sources and sources[name] is not victims[name]:
            raise InputError(f"a source and a victim are both called {name!r}, but are two models; rename one")
    return {**sources, **victims}


def _check_sources(shots: Mapping[str, list[Shot]], first: Batch) -> None:
    """InputError for a model that lacks what its attack looks at, before anything is done."""
    for shot in {(shot.source.name, str(shot.attack)): shot for own in shots.values() for shot in own}.values():
        with naming(shot.source.name), no_autocast(first.images.device):
            shot.attack.check_model(shot.source.prepared.search, shot.source.prepared.laid_out(first).images)


def _check_attack(attack: Attack) -> None:
    if isinstance(attack, Standard | UniversalAttack):
        raise InputError(f"{attack} cannot be transferred: expected one attack whose images are made batch by batch")


def _folders(names: Iterable[str]) -> dict[str, str]:
    """A folder a model, that a file system takes; numbered where two names come to the same."""
    folders: dict[str, str] = {}
    for name in names:
        plain = file_name(name).strip(".") or "model"
        taken = sum(other == plain or other.startswith(f"{plain}~") for other in folders.values())
        folders[name] = f"{plain}~{taken + 1}" if taken else plain
    return folders


@contextmanager
def _folder(path: str | Path | None) -> Iterator[Path]:
    """The transfer's folder, held; a passing one without a path."""
    if path is None:
        with TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        with held(Path(path)):
            yield Path(path)


def _begin(folder: Path, plan: dict[str, Any], fresh: bool) -> None:
    """Keep the plan; InputError if the folder holds another transfer's, which is set aside if this is to be `fresh`."""
    place = folder / PLAN
    if fresh:
        set_aside(folder)
    if place.is_file():
        stored = read_json(place, "; start anew with --fresh or choose another --out")
        check_same_plan(folder, "transfer", stored, plan)
    try:
        write_json(place, plan)
    except OSError as error:
        raise InputError(f"cannot write {place} ({error})") from None
