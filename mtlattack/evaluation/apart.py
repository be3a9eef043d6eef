"""A run in two parts: images are crafted into a file, and judged from it, on any model, by anyone."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from mtlattack.analysis import Run
from mtlattack.attacks import Attack, Result, goals_of
from mtlattack.data import AnyData, Batch, LabelledImages, labelled_images, repeated
from mtlattack.devices import choose_device
from mtlattack.errors import InputError
from mtlattack.evaluation.arriving import measure_arrival
from mtlattack.evaluation.batching import BatchSize
from mtlattack.evaluation.calls import compare_calls
from mtlattack.evaluation.constants import constant_statistics
from mtlattack.evaluation.crafting import craft_batch, no_autocast
from mtlattack.evaluation.environment import describe_environment
from mtlattack.evaluation.judging import judge
from mtlattack.evaluation.keeping import Claim, ImageFile
from mtlattack.evaluation.loop import Loop
from mtlattack.evaluation.opening import evidence_at
from mtlattack.evaluation.plan import make_plan
from mtlattack.evaluation.preparation import Precision, prepare
from mtlattack.evaluation.setup import first_batch, set_up
from mtlattack.evidence import CLEAN, job_names, targets_of
from mtlattack.evidence.plans import check_plan
from mtlattack.files import set_aside
from mtlattack.locking import held
from mtlattack.schemas import validate
from mtlattack.tasks import Model
from mtlattack.wording import counted


@torch.inference_mode(False)
def craft_to(
    path: str | Path,
    source: Model,
    data: AnyData,
    attacks: Iterable[Attack],
    *,
    fit_data: AnyData | None = None,
    name: str | None = None,
    suite: Mapping[str, Any] | None = None,
    precision: Precision = "float32",
    batch_size: BatchSize = 16,
    device: str | None = None,
    seed: int = 0,
    fresh: bool = False,
) -> ImageFile:
    """Make the adversarial images of a run and keep them at `path`; arguments and errors as for `evaluate`.

    Of an ensemble the members' images are kept. What was killed goes on where it stopped.
    """
    images = labelled_images(data, source.tasks)
    if batch_size == "auto" and not fresh and Path(path).exists():
        batch_size = (ImageFile(Path(path)).plan or {}).get("batch_size", batch_size)
    setup = set_up(
        source, images, attacks, fit_data=fit_data, name=name, suite=suite, precision=precision, cuda_graphs="off",
        batch_size=batch_size, device=device, seed=seed,
    )  # fmt: skip
    if not setup.jobs:
        raise InputError("there is no attack to craft images with")
    path = Path(path)
    with held(path.parent):
        if fresh:
            set_aside(path.parent, [path.name])
        if not path.exists():
            file = ImageFile.create(path, setup.plan, images.ids, setup.jobs, images.size)
        else:
            file = ImageFile(path)
            if any((file.plan or {}).get(key) != value for key, value in setup.plan.items()):
                raise InputError(
                    f"{path} holds images of another plan; start anew with --fresh or choose another --out"
                )
            file.check_laid_out(images.ids, setup.jobs, images.size)
        done = file.done()
        named = setup.named_attacks(done)

        def do(job: str, batch: Batch, rows: slice) -> None:
            file.write(job, rows, craft_batch(setup.prepared, named[job], batch))

        titles = {job: str(attack) for job, attack in named.items()}
        Loop(setup.prepared, titles, setup.batch_size, do).finish(images, done, setup.device, "crafting")
    return file


@torch.inference_mode(False)
def judge_from(
    file: ImageFile,
    victim: Model,
    data: AnyData,
    *,
    path: str | Path | None = None,
    name: str | None = None,
    batch_size: int = 16,
    device: str | None = None,
    fresh: bool = False,
) -> Run:
    """Measure what the images of a file do to `victim`; `data` are the clean ones, with the file's ids in its order.

    On the model that they were made on, with the same batch size, the numbers are those of `evaluate`, bit for bit (on
    CUDA up to rounding). Every image is checked to be in the box and in the ball that the file claims. What else it
    says of its attacks (steps, passes, which model) is its word: the plan has a part `judged`. InputError as for
    `evaluate`, for images that are not finished or of other data, and for one that is outside.
    """
    chosen, images = choose_device(device), labelled_images(data, victim.tasks)
    first = first_batch(victim, images, batch_size).to(chosen)
    _check_belongs(file, images)
    with no_autocast(chosen):
        prepared = prepare(victim, first, "float32")
        calls = compare_calls(prepared.judge, first.images[:batch_size], first.targets)
        environment = describe_environment(chosen, "float32", None, calls)
    said = file.plan or {}
    plan = make_plan(
        victim, images, _claimed(file), name=name, suite=said.get("suite"), ensembles=said.get("ensembles", []),
        preparation=prepared, batch_size=batch_size, seed=said.get("seed", 0),
    )  # fmt: skip
    plan["judged"] = {"source": said.get("model"), "preparation": said.get("preparation")}
    jobs = dict(zip(job_names(plan), [None, *file.claims], strict=True))
    targets = targets_of(plan)
    for target in targets.values():
        goals_of(target, victim.tasks)  # What does not fit is said before anything is done.
    with evidence_at(path, plan, environment, images.ids, fresh) as evidence:

        def do(job: str, batch: Batch, rows: slice) -> None:
            started, attack, arrival = time.perf_counter(), jobs[job], None
            if attack is None:
                measured = judge(prepared.judge, batch.images, batch.targets)
                evidence.write_constant(rows, constant_statistics(images.tasks, plan["constants"], batch.targets))
            else:
                kept = _filled(file.read(attack, rows, batch.images[: rows.stop - rows.start]), len(batch.ids))
                measured = judge(prepared.judge, kept.images, batch.targets, batch.images, kept.diagnostics)
                arrival = measure_arrival(prepared.judge, kept.images, batch, targets.get(job))
            evidence.write(job, rows, measured, time.perf_counter() - started, arrival)

        titles = {job: file.claims[attack].name if attack else CLEAN for job, attack in jobs.items()}
        Loop(prepared, titles, batch_size, do).finish(images, evidence.done(), chosen, "judging")
        return Run.of(evidence.read())


def _filled(result: Result, size: int) -> Result:
    """The images repeated as those of the batch are, `Batch.filled`."""
    noted = {name: repeated(values, size) for name, values in result.diagnostics.items()}
    return Result(repeated(result.images, size), noted)


def _check_belongs(file: ImageFile, data: LabelledImages) -> None:
    """InputError unless all images are there, and made of those of `data`."""
    if file.ids != data.ids:
        known = set(data.ids)
        missing = [identity for identity in file.ids if identity not in known]
        which = f"image {missing[0]!r} is not among them" if missing else "they are others, or in another order"
        raise InputError(f"{file.path} holds images of other data than {data.split} of {data.name}: {which}")
    if file.plan and file.plan["data"]["sha256"]["image"] != data.identify().digests["image"]:
        raise InputError(f"{file.path} was made of other images than those of {data.name} with the same ids")
    for job, done in file.done().items():
        if not done.all():
            raise InputError(
                f"{file.path} is not finished: {file.claims[job].name} lacks {counted((~done).sum(), 'image')}"
            )


def _claimed(file: ImageFile) -> list[dict[str, Any]]:
    """What the file says of its attacks, as a plan has it; what it does not say of their cost is unknown."""
    if file.plan:
        check_plan(file.plan)
        planned: list[dict[str, Any]] = file.plan["attacks"]
        # The balls are checked by the claims, and reported by the plan.
        claimed = [validate(Claim, each["config"], f"{file.path}: plan: ").threat for each in planned]
        if claimed != [claim.threat for claim in file.claims.values()]:
            raise InputError(f"{file.path}: its plan and its attacks do not say the same of these")
        return planned
    return [
        {"config": claim.model_dump(), "white_box": True, "forward_passes": None, "backward_passes": None}
        for claim in file.claims.values()
    ]
