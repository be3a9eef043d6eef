"""SIGKILL at random moments: each operation is begun anew until it ends, and must end as if nothing had happened."""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from inputs import RECIPE, write_suite

import mtlattack as mta
from mtlattack.campaigns import run_campaign
from mtlattack.campaigns.description import Campaign
from mtlattack.data import load_dataset, write_rooms
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate, load_suite, suites
from mtlattack.leaderboard.board import Board
from mtlattack.leaderboard.checking import check_board
from mtlattack.leaderboard.submitting.declaration import Said
from mtlattack.leaderboard.submitting.submission import submit
from mtlattack.models import create_model, create_network
from mtlattack.training import load_recipe, train

MODEL = "rooms-resnet10t.shared"
# A process is killed at most so often before it is left to end.
MOST = 4


@dataclass(frozen=True)
class Operation:
    """What is done in a folder, again after each kill, and what must be the same in the end."""

    name: str
    do: Callable[[Path], object]
    result: Callable[[Path], str]


def main() -> None:
    """Read the options, kill, write the JSON after every end and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="in all, divided among the operations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the figures go; the same command goes on with them")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    written = options.json and options.json.resolve()
    torch.set_num_threads(1)
    told = {
        "command": "python benchmarks/reliability/kills.py " + " ".join(sys.argv[1:]), "seed": options.seed,
        "mtlattack": mta.__version__, "torch": torch.__version__, "python": sys.version.split()[0],
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    if written and written.is_file():
        before = json.loads(written.read_text())
        found = before["operations"] if {**before, **told} == before else {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["MTLATTACK_CACHE"] = str(folder / "cache")
        os.chdir(folder)
        operations = make_operations(folder)
        for operation in operations:
            counts = found.setdefault(operation.name, {"kills": 0, "ended": 0, "same": 0, "seconds": 0.0, "wrong": []})
            for _ in _killed(operation, counts, options, folder):
                if written:
                    written.write_text(json.dumps({**told, "operations": found}, indent=1) + "\n")
            print(operation.name, counts, flush=True)
    print("| operation | kills | ended | as undisturbed | seconds undisturbed |\n|---|---|---|---|---|")
    for name, numbers in found.items():
        print(f"| {name} | {numbers['kills']} | {numbers['ended']} | {numbers['same']} | {numbers['seconds']:.1f} |")
    if any(numbers["ended"] != numbers["same"] for numbers in found.values()):
        raise SystemExit("not everything ended as if it had not been killed")


def _killed(operation: Operation, counts: dict[str, Any], options: argparse.Namespace, folder: Path) -> Iterator[None]:
    """Kill it until its share of the kills happened; `counts` are brought up to date at every end."""
    share = options.kills // 5
    if counts["kills"] >= share:
        return
    expected = ""
    for time_of in ("cold", "warm"):  # the first has to fill caches
        begun, whole = time.perf_counter(), folder / f"{operation.name}-{time_of}"
        if _run(operation, whole, None) != 0:
            raise SystemExit(f"{operation.name} does not end by itself")
        counts["seconds"], expected = round(time.perf_counter() - begun, 3), operation.result(whole)
    while counts["kills"] < share:
        place = folder / f"{operation.name}-{counts['ended']}"
        chance = random.Random(f"{options.seed} {operation.name} {counts['ended']}")
        left = counts["seconds"]
        for _ in range(min(chance.randint(1, MOST), share - counts["kills"])):
            moment = chance.uniform(0, left)
            code = _run(operation, place, moment)
            if code != -signal.SIGKILL:
                break
            counts["kills"] += 1
            # What was done is not done again, so that a later moment would come after the end.
            left = max(left - moment, counts["seconds"] / 4)
        else:
            code = _run(operation, place, None)
        result = operation.result(place) if code == 0 else f"exit code {code}"
        counts["ended"] += 1
        counts["same"] += result == expected
        counts["wrong"] += [] if result == expected else [result[:200]]
        shutil.rmtree(place)
        yield


def _run(operation: Operation, place: Path, after: float | None) -> int:
    """Exit code of a process that does it, killed `after` so many seconds with all that it has started."""
    forking = multiprocessing.get_context("fork")
    is_begun = forking.Event()
    process = forking.Process(target=_alone, args=(operation, place, is_begun))
    process.start()
    is_begun.wait()
    if after is not None:
        process.join(after)
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _alone(operation: Operation, place: Path, is_begun: Any) -> None:
    os.setpgid(0, 0)
    is_begun.set()
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (as long as the process lives)
    place.mkdir(exist_ok=True)
    operation.do(place)


# --- what is done


def make_operations(folder: Path) -> list[Operation]:
    """A run, a transfer, a training, a campaign and a submission, each of a second or less."""
    torch.manual_seed(0)
    rooms = write_rooms(folder / "rooms.h5", "test", 4)
    with h5py.File(rooms, "a") as file:
        file.copy(file["test"], "train")
    tasks = {name: task for name, task in load_dataset(rooms).tasks.items() if name in ("segmentation", "depth")}
    data = load_dataset(rooms, tasks=tasks)
    tiny = {"backbone": "resnet10t", "backbone_options": {"channels": [8, 8, 16, 16], "stem_width": 8}}
    described = {"tasks": [task.config() for task in tasks.values()], **tiny, "output_stride": 16, "head_width": 8}
    one, other = (create_network(described).eval() for _ in range(2))
    attacks = [mta.create_attack(name, eps=4 / 255) for name in ("fgsm-total", "pgd-dgba", "apgd-total")]
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE.replace('data = "rooms"', f'data = "{rooms}"').replace("epochs = 1", "epochs = 3"))
    suite = folder / "toy.toml"
    suite.write_text(
        f'name = "toy"\nversion = 1\ndescription = ""\ndata = "{rooms}"\neps = [4]\nlimit = 2\n'
        'attacks = ["fgsm-dgba", "pgd-total"]\n'
    )
    campaign = Campaign.model_validate({"suites": [str(suite)], "models": [MODEL], "seeds": [0, 1]})
    run = _finished_run(folder)

    def do_transfer(place: Path) -> None:
        mta.transfer({"one": one, "other": other}, None, data, attacks[1], path=place)

    def do_submit(place: Path) -> None:
        try:
            submit(run, Board(place), Said(submitter="somebody"))
        except InputError as error:
            if "is on the board already" not in str(error):
                raise

    def do_run(place: Path) -> None:
        evaluate(one, data, attacks, path=place / "evidence.h5", batch_size=1, device="cpu")

    return [
        Operation("run", do_run, _evidence),
        Operation("transfer", do_transfer, _evidence),
        Operation("train", lambda place: train(load_recipe(str(recipe)), place / "state.pt", workers=0), _weights),
        Operation("campaign", lambda place: run_campaign(campaign, place, workers=1), _evidence),
        Operation("submit", do_submit, _board),
    ]


def _finished_run(folder: Path) -> Path:
    """A run of a suite for a board, and that suite in the place of those that ship."""
    path = write_suite(folder / "suites")
    suites.SUITES = path.parent
    suite, model = load_suite(str(path)), create_model(MODEL)
    described = {"name": suite.name, "version": suite.version, "sha256": suite.sha256, "overrides": {}}
    data = load_dataset(suite.data, suite.split, tasks=model.tasks, limit=suite.limit)
    place = folder / "finished"
    evaluate(
        model, data, suite.create_attacks(model.tasks), path=place / "evidence.h5", name=MODEL, suite=described,
        batch_size=suite.batch_size, device="cpu",
    )  # fmt: skip
    return place


# --- what must be the same


def _evidence(place: Path) -> str:
    """All numbers but seconds of all evidence below."""
    found = hashlib.sha256()
    for path in sorted(place.rglob("evidence.h5")):
        evidence = mta.read_evidence(path)
        found.update(json.dumps([str(path.relative_to(place)), evidence.ids, evidence.plan["attacks"]]).encode())
        for outcome in (evidence.clean, *evidence.attacked):
            for values in (outcome.losses, outcome.perturbation, *outcome.statistics.values()):
                found.update(np.ascontiguousarray(values).tobytes())
    left = [path.name for path in place.rglob("*") if path.name.endswith((".partial", ".tmp"))]
    return found.hexdigest() + " ".join(left)


def _weights(place: Path) -> str:
    state = torch.load(place / "state.pt", weights_only=False)
    weights = state["network"] if isinstance(state, dict) and "network" in state else state
    values = weights.state_dict() if hasattr(weights, "state_dict") else weights
    return hashlib.sha256(b"".join(values[name].numpy().tobytes() for name in sorted(values))).hexdigest()


def _board(place: Path) -> str:
    """One row with its evidence and its line, and nothing refused."""
    refused = [str(finding) for finding in check_board(place) if finding.severity == "refused"]
    names = sorted(path.suffix for path in place.rglob("*") if path.is_file())
    rows = Board(place).read_all()
    return json.dumps([refused, names, [stored.record.model_dump(mode="json")["attacks"] for stored in rows]])


if __name__ == "__main__":
    main()
