"""`mtlattack craft` and `mtlattack judge`: a run in two parts, with the adversarial images kept in between."""

from pathlib import Path
from typing import Annotated

import typer

from mtlattack import evaluation
from mtlattack.cli import choosing
from mtlattack.cli.origin import images_of, model_of
from mtlattack.cli.run import check_free, print_run
from mtlattack.evidence.places import EVIDENCE
from mtlattack.files import file_name
from mtlattack.locking import held
from mtlattack.wording import counted

_FILE, _BATCH_SIZE = "images.h5", 16


def craft(
    suite: choosing.SuiteName = "quick",
    model: choosing.ModelName = None,
    checkpoint: choosing.Checkpoint = None,
    data: choosing.DataName = None,
    attacks: choosing.Attacks = None,
    eps: choosing.Eps = None,
    norm: choosing.Norm = None,
    target: choosing.Targets = None,
    quantize: choosing.Quantize = False,
    every: choosing.Every = None,
    limit: choosing.Limit = None,
    batch_size: choosing.BatchSize = None,
    precision: choosing.SearchPrecision = "float32",
    device: choosing.Device = None,
    seed: choosing.Seed = None,
    out: Annotated[Path | None, typer.Option(help="File; default: images/<suite>-<model>/images.h5.")] = None,
    fresh: choosing.Fresh = False,
) -> None:
    """Make the adversarial images of a run and keep them. What was stopped goes on where it was."""
    chosen = choosing.choose(
        suite, model, checkpoint, data, attacks=attacks, eps=eps, norm=norm, quantize=quantize, target=target,
        every=every, limit=limit, batch_size=choosing.whole(batch_size), seed=seed,
    )  # fmt: skip
    path = out or chosen.place("images") / _FILE
    file = evaluation.craft_to(
        path,
        chosen.model,
        chosen.images,
        chosen.attacks,
        fit_data=chosen.fit_images,
        name=chosen.name,
        suite=chosen.reference,
        precision=precision,  # type: ignore[arg-type]
        batch_size=choosing.size_of(batch_size, chosen.suite.batch_size),
        device=device,
        seed=chosen.suite.seed,
        fresh=fresh,
    )
    size = path.stat().st_size / 1e6
    print(f"{path}: {counted(len(file.claims), 'attack')} on {counted(len(file.ids), 'image')}, {size:.1f} MB")


def judge(
    images: Annotated[
        Path, typer.Argument(help="File of adversarial images, or its folder, of `mtlattack craft` or anybody's own.")
    ],
    model: choosing.ModelName = None,
    checkpoint: choosing.Checkpoint = None,
    data: choosing.DataName = None,
    split: Annotated[str | None, typer.Option(help="Of the data; default: as the file says, else test.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images at a time.")] = None,
    device: choosing.Device = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results; default: beside the file, for another model one of its name there."),
    ] = None,
    fresh: choosing.Fresh = False,
) -> None:
    """Measure what adversarial images do to a model, whoever made them. By default it is the one they were made on."""
    if images.is_dir():
        images /= _FILE
    file = evaluation.ImageFile(images)
    said = file.origin()
    victim, name = model_of(said, images, model, checkpoint)
    clean = images_of(said, images, victim.tasks, data, split, file.ids)  # type: ignore[arg-type]
    folder = out or (images.parent if said and name == said.model.name else images.parent / file_name(name))
    with held(folder):
        check_free(folder, fresh)
        finished = evaluation.judge_from(
            file,
            victim,  # type: ignore[arg-type]
            clean,
            path=folder / EVIDENCE,
            name=name,
            batch_size=batch_size or (said.batch_size if said else _BATCH_SIZE),
            device=device,
            fresh=fresh,
        )
        print_run(finished, folder)
