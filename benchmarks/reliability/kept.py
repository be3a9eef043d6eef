"""The kinds of files that a command finds where it goes on, or shows what it kept: an honest one each, how it is
changed, and what reads it."""

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import mutations
import numpy as np
import torch
from given import CAMPAIGN, Within, prepared, write_pictures
from inputs import TINY, Input, Read, arrays, digest, make_board, mixed, run_suite, write_suite
from rich.console import Console
from torch import Tensor, nn

import mtlattack as mta
from mtlattack.analysis import merge, read_run
from mtlattack.campaigns.campaign import Ended
from mtlattack.campaigns.cells import expand
from mtlattack.campaigns.description import load_campaign
from mtlattack.campaigns.folder import check_plan, keep_plan, make_plan
from mtlattack.campaigns.summary import render_summary
from mtlattack.cli.craft import judge
from mtlattack.cli.show import Format, show
from mtlattack.data import PreparedDataset, load_dataset, prepare, write_rooms
from mtlattack.data.parts import Parts
from mtlattack.evaluation import craft_to, evaluate, transfer
from mtlattack.evaluation.keeping import ImageFile
from mtlattack.evaluation.kept import kept_record
from mtlattack.evidence import Shard
from mtlattack.leaderboard.board import EVIDENCE_SUFFIX, ROW_SUFFIX, Board
from mtlattack.leaderboard.ledger import read_ledger, statuses
from mtlattack.leaderboard.showing.bibtex import to_bibtex
from mtlattack.leaderboard.showing.exports import to_csv, to_documents
from mtlattack.leaderboard.standings import stand
from mtlattack.poisoning import draw_tasks
from mtlattack.poisoning.experiment import Plan, digest_of, run_experiment
from mtlattack.studies import Cell, Claim, Measured, Study, Table, Verdict
from mtlattack.studies.folder import keep_result, keep_rules, read_result
from mtlattack.tasks import Depth, Segmentation, TaskMap
from mtlattack.training import Recipe, train
from mtlattack.training.curves import write_curves

TASKS: TaskMap = {"segmentation": Segmentation(classes=3), "depth": Depth()}
SIZE, IMAGES = 8, 4


class Tiny(nn.Module):
    """Two convolutions."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body, self.heads = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
        self.tasks = TASKS

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        values = self.heads(self.body(images).relu())
        return {"segmentation": values[:, :3], "depth": 1 + values[:, 3:].square()}


class Squares(Study):
    """Numbers, and that their squares grow."""

    class Grows(Claim):
        """Looks at all that was measured."""

        name, sentence, rule = "A", "Squares grow.", "Holds if they do."

        def judge(self, measured: Sequence[Measured]) -> Verdict:
            values = [cell.numbers["square"] + sum(cell.numbers["more"].values()) for cell in measured]
            return Verdict("holds" if values == sorted(values) else "fails", f"{values}", {"values": values})

    name, paper, summary, cost = "squares", "Nobody", "squares grow", "nothing"
    claims = (Grows(),)

    def cells(self, quick: bool) -> list[Cell]:
        return [Cell("squares", f"number-{n}", {"number": n, "shift": 0.5}) for n in (1, 2)]

    def measure(self, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        return {"square": settings["number"] ** 2, "more": {"shift": settings["shift"]}}

    def tables(self, measured: Sequence[Measured]) -> list[Table]:
        return [Table("squares", ["number"], [[str(cell.numbers["square"])] for cell in measured])]


def make_kept(folder: Path) -> list[Input]:
    """All kinds, their honest files made in `folder`."""
    folder.mkdir(parents=True)
    data = load_dataset(_write_tiny(folder / "tiny.h5"), tasks=TASKS)
    json_, tree = mixed(mutations.change_json), mixed(mutations.change_hdf5)
    kinds: list[Input] = []

    def add(name: str, root: Path, place: str, change: mutations.Mutation, use: Callable[[Path], Read]) -> None:
        path = root / place
        kinds.append(Input(name, path.read_bytes(), path.name, change, Within(root, place, use)))

    runs = _Runs(data)
    add("run gone on with", runs.write(folder / "run"), "evidence.h5", tree, runs.go_on)
    add("shard", runs.write_shards(folder / "shards"), "shard-1-of-2/evidence.h5", tree, runs.merge)
    add("images gone on with", runs.write_images(folder / "images"), "images.h5", tree, runs.go_on_crafting)
    zoo = _write_zoo(folder / "zoo")
    add("images that are judged", zoo, "images.h5", tree, _judged)
    add("run that is drawn", zoo, "evidence.h5", tree, _drawn)
    add("kept record", runs.write_record(folder / "records"), "records/x.json", json_, runs.show)
    transfers = runs.write_transfer(folder / "transfer")
    add("transfer's plan", transfers, "plan.json", json_, runs.go_on_transferring)
    add("transfer's evidence", transfers, "b/evidence.h5", tree, runs.go_on_transferring)
    add("transfer's agreement", transfers, "agreement.h5", tree, runs.go_on_transferring)
    campaign = _Campaign(folder / "campaign", runs)
    add("campaign's plan", campaign.root, "campaign.json", json_, campaign.check)
    add("campaign's record", campaign.root, f"{campaign.cell.name}/record.json", json_, campaign.show)
    parts = _write_parts(folder / "parts")
    add("plan of parts", parts, ".out.h5.parts/train/plan.json", json_, _prepare_on)
    add("part of prepared data", parts, ".out.h5.parts/train/0000000.h5", tree, _prepare_on)
    poison = _Poisoning()
    written = poison.write(folder / "poison")
    add("poisoning's plan", written, "plan.json", json_, poison.go_on)
    cell = "cells/seed0-direct-patom-0_2"
    add("poisoning's cell", written, f"{cell}.json", json_, poison.go_on)
    add(
        "poisoning's correlations",
        written,
        f"{cell}.npz",
        mixed(mutations.in_archive(mutations.change_npy)),
        poison.go_on,
    )
    study = _write_study(folder / "study")
    add("study's plan", study, "plan.json", json_, _study)
    add("study's cell", study, "cells/number-2/result.json", json_, _study)
    training = _Training(folder)
    add(
        "training's state",
        training.root,
        "state.pt",
        mixed(mutations.in_archive(mutations.change_bytes)),
        training.go_on,
    )
    board = make_board(folder / "board", run_suite(write_suite(folder / "suites"), folder / "evidence.h5"))
    [row], [packed] = (sorted(board.root.glob(f"rows/*/*/*{suffix}")) for suffix in (ROW_SUFFIX, EVIDENCE_SUFFIX))
    add("row that is shown", board.root, str(row.relative_to(board.root)), json_, _shown)
    add("ledger that is shown", board.root, "ledger.jsonl", mixed(mutations.change_lines), _shown)
    add(
        "evidence that is shown",
        board.root,
        str(packed.relative_to(board.root)),
        mixed(mutations.change_sealed),
        _shown,
    )
    return kinds


def _write_tiny(path: Path) -> Path:
    draw = np.random.default_rng(0)
    shape = (IMAGES, SIZE, SIZE)
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mtlattack-dataset", format_version=1, name="tiny", height=SIZE, width=SIZE)
        group = file.create_group("test")
        group["image"] = draw.integers(0, 256, (*shape, 3), np.uint8)
        group.create_dataset("id", data=[f"i{number}" for number in range(IMAGES)], dtype=h5py.string_dtype())
        group["segmentation"] = draw.integers(0, 3, shape, np.uint8)
        group["segmentation"].attrs.update(classes=3, ignore=255)
        group["depth"] = draw.integers(1, 9000, shape, np.uint16)
        group["depth"].attrs.update(scale=1e-3, unit="metre", invalid=0)
    return path


class _Runs:
    """Runs, their shards, images and transfers, of a tiny network on tiny images."""

    def __init__(self, data: PreparedDataset) -> None:
        self.data, self.models = data, {"a": Tiny(), "b": Tiny(1)}

    def _evaluate(self, path: Path, shard: Shard | None = None, batch_size: Any = 2) -> Any:
        attacks = [mta.create_attack("fgsm-total", eps=4 / 255), mta.create_attack("noise-total", eps=4 / 255)]
        options: dict[str, Any] = {} if shard is None else {"shard": shard}
        return evaluate(
            self.models["a"], self.data, attacks, path=path, name="tiny", batch_size=batch_size, device="cpu", **options
        )

    def write(self, root: Path) -> Path:
        """A run of which half of one attack is missing."""
        self._evaluate(root / "evidence.h5")
        with h5py.File(root / "evidence.h5", "r+") as file:
            last = sorted(name for name in file if isinstance(file[name], h5py.Group) and "done" in file[name])[-1]
            file[last]["done"][2:] = 0
        return root

    def go_on(self, root: Path) -> Read:
        run = self._evaluate(root / "evidence.h5", batch_size="auto")
        run.report()
        return Read(arrays(run), None)

    def write_shards(self, root: Path) -> Path:
        for number in (1, 2):
            shard = Shard(number, 2)
            self._evaluate(root / shard.folder / "evidence.h5", shard)
        return root

    def merge(self, root: Path) -> Read:
        run = merge([root / Shard(number, 2).folder / "evidence.h5" for number in (1, 2)], root / "evidence.h5")
        run.report()
        return Read(arrays(run), None)

    def write_images(self, root: Path) -> Path:
        root.mkdir()
        self.craft(root)
        return root

    def craft(self, root: Path) -> None:
        attacks = [mta.create_attack("fgsm-total", eps=4 / 255)]
        craft_to(root / "images.h5", self.models["a"], self.data, attacks, batch_size="auto", device="cpu")

    def go_on_crafting(self, root: Path) -> Read:
        self.craft(root)
        file = ImageFile(root / "images.h5")
        clean = torch.stack([self.data[place].images[0] for place in range(len(self.data))])
        content = b"".join(
            file.read(name, slice(0, len(clean)), clean).images.numpy().tobytes() for name in file.claims
        )
        return Read(digest(content), None)

    def write_record(self, root: Path) -> Path:
        self.record = self._evaluate(root / "run.h5").report().record
        os.environ["MTLATTACK_CACHE"], before = str(root), os.environ.get("MTLATTACK_CACHE")
        kept_record("0" * 64, lambda: self.record)
        [path] = root.glob("records/*.json")
        self.kept = path.name
        path.rename(path.with_name("x.json"))
        os.environ.pop("MTLATTACK_CACHE") if before is None else os.environ.update(MTLATTACK_CACHE=before)
        return root

    def show(self, root: Path) -> Read:
        before = os.environ.get("MTLATTACK_CACHE")
        (root / "records/x.json").rename(root / "records" / self.kept)
        os.environ["MTLATTACK_CACHE"] = str(root)
        try:
            return Read(digest(kept_record("0" * 64, lambda: self.record).model_dump_json().encode()), "evidence")
        finally:
            os.environ.pop("MTLATTACK_CACHE") if before is None else os.environ.update(MTLATTACK_CACHE=before)

    def write_transfer(self, root: Path) -> Path:
        self._transfer(root)
        return root

    def _transfer(self, root: Path) -> Any:
        attack = mta.create_attack("fgsm-relative", eps=4 / 255)
        return transfer(self.models, None, self.data, attack, path=root, batch_size="auto", device="cpu")

    def go_on_transferring(self, root: Path) -> Read:
        finished = self._transfer(root)
        finished.record()
        content = [arrays(run) for run in finished.runs.values()]
        return Read(digest([content, [digest(each.cosine.tobytes()) for each in finished.agreements]]), None)


def _write_zoo(root: Path) -> Path:
    """A run, and its images, of a shipped network on a shipped image."""
    model, name = mta.create_model("rooms-resnet10t.shared"), "rooms-resnet10t.shared"
    data, attacks = load_dataset("rooms", tasks=model.tasks, limit=1), [mta.create_attack("fgsm-total", eps=4 / 255)]
    evaluate(model, data, attacks, path=root / "evidence.h5", name=name, device="cpu")
    craft_to(root / "images.h5", model, data, attacks, name=name, device="cpu")
    return root


def _judged(root: Path) -> Read:
    with redirect_stdout(io.StringIO()):
        judge(root / "images.h5", device="cpu", out=root / "judged")
    return Read(arrays(read_run(root / "judged" / "evidence.h5")), None)


def _drawn(root: Path) -> Read:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        show([root / "evidence.h5"], panel=root / "panel.png", format=Format.JSON)
    return Read(arrays(read_run(root / "evidence.h5")), None)


class _Campaign:
    """A campaign of one cell that is done."""

    def __init__(self, root: Path, runs: _Runs) -> None:
        root.mkdir()
        (root / "mine.toml").write_text(CAMPAIGN)
        self.root, cells = root, expand(load_campaign(root / "mine.toml"))
        self.cell, self.plan = cells[0], make_plan(cells, 1)
        keep_plan(root, self.plan)
        (root / self.cell.name).mkdir()
        (root / self.cell.name / "record.json").write_text(runs.record.model_dump_json(indent=1) + "\n")

    def check(self, root: Path) -> Read:
        check_plan(root, self.plan)
        return Read("", None)

    def show(self, root: Path) -> Read:
        text = io.StringIO()
        Console(file=text, width=200).print(render_summary(Ended(root, [self.cell], [])))
        return Read(digest(text.getvalue().split("1 of 1 cell")[0]), None)


def _write_parts(root: Path) -> Path:
    """Pictures of which all parts are there and the prepared file is not."""
    write_pictures(root)
    with patch.object(Parts, "remove", lambda self: None):
        prepare("folder", root, root / "out.h5")
    (root / "out.h5").unlink()
    return root


def _prepare_on(root: Path) -> Read:
    return Read(prepared(root).numbers, "its sources")


class _Poisoning:
    """An experiment of one seed on three tasks."""

    def __init__(self) -> None:
        self.tasks = draw_tasks("regression", 3, 4, 10, 0)
        chosen = {"data": "toy", "digest": digest_of(self.tasks), "seeds": [0], "iterations": 2, "modes": ["direct"]}
        self.plan = Plan.model_validate(chosen)

    def write(self, root: Path) -> Path:
        self.go_on(root)
        return root

    def go_on(self, root: Path) -> Read:
        with patch("mtlattack.poisoning.experiment.run.plot_budgets"), \
             patch("mtlattack.poisoning.experiment.run.plot_correlations") as drawn:  # fmt: skip
            rows = run_experiment(self.plan, self.tasks, root)
        told = [{name: str(value) for name, value in row.items() if name != "seconds"} for row in rows]
        panels = {name: digest(values.tobytes()) for name, values in drawn.call_args.args[0].items()}
        return Read(digest([told, panels]), "its plan")


def _write_study(root: Path) -> Path:
    study = Squares()
    keep_rules(root, study)
    for cell in study.cells(True):
        keep_result(root / "cells" / cell.name, cell, 1.0, study.measure(cell.settings, root))
    return root


def _study(root: Path) -> Read:
    study = Squares()
    keep_rules(root, study)
    measured = []
    for cell in study.cells(True):
        found = read_result(root, cell)
        measured.append(
            Measured(cell.name, cell.settings, study.measure(cell.settings, root)) if found is None else found[0]
        )
    verdicts = [claim.judge(measured) for claim in study.claims]
    return Read(digest([vars(verdict) for verdict in verdicts]), "its rules")


class _Training:
    """A training of the smallest network that is over."""

    def __init__(self, folder: Path) -> None:
        self.rooms = write_rooms(folder / "rooms.h5", "train", 2)
        self.root = folder / "training"
        self.root.mkdir()
        self.go_on(self.root)

    def go_on(self, root: Path) -> Read:
        network = {key: value for key, value in TINY.items()}
        recipe = Recipe(name="tiny", data=str(self.rooms), tasks=["depth"], network=network, epochs=1, batch_size=2)
        state = train(recipe, root / "state.pt", device="cpu", workers=0, report=lambda text: None)
        write_curves(state.curves, root / "curves.csv")
        weights = b"".join(value.numpy().tobytes() for value in state.result.state_dict().values())
        return Read(digest(weights + (root / "curves.csv").read_bytes()), None)


def _shown(root: Path) -> Read:
    board = Board(root)
    rows, last = board.read_all(), statuses(read_ledger(board.ledger))
    stand(rows, last)
    documents = to_documents(rows, last)
    json.dumps(documents, allow_nan=False)
    to_bibtex(rows, last)
    return Read(digest([to_csv(rows, last), documents]), None)
