"""Thousands of changed files, each read as if a stranger had sent it: refused in words, or read as what it is.

A find is: an exception that is not ours, a process that dies, more than 10 s of a processor, more than 1 GB, a write
outside the input's own folder (or a process, or a connection), other numbers under an unchanged hash. It is one only if
it is one again when the input is read alone. With --json the same command goes on where it was broken off.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from given import make_given
from inputs import Input, make_inputs
from judging import FINDS, OUTCOMES, changed, check_honest
from kept import make_kept
from workers import Workers

import mtlattack as mta

STAGE = 2000
SETS = {"sent": make_inputs, "given": make_given, "kept": make_kept}


def main() -> None:
    """Read the options, run, write the JSON stage by stage and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="changed files, divided among the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", choices=SETS, default="sent", help="by strangers, by the user, by commands")
    parser.add_argument("--only", help="one kind alone")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the files that were finds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    # In memory where that is a folder: each input is a few files that live for milliseconds.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        tempfile.tempdir = place
        folder = Path(place)
        kinds = [kind for kind in SETS[options.of](folder / "honest") if options.only in (None, kind.name)]
        for kind in kinds:
            check_honest(kind, folder)
        result = _begun(options, kinds)
        workers = Workers(kinds, folder)
        while result["inputs"] < options.count:
            _stage(result, workers, options)
            if options.json:
                options.json.write_text(json.dumps(result, indent=1) + "\n")
            print(f"{result['inputs']:,} inputs, {result['processor_seconds']} s of a processor", flush=True)
        tempfile.tempdir = None
    _print(result)


def _begun(options: argparse.Namespace, kinds: list[Input]) -> dict[str, Any]:
    """What the same command has found so far, or nothing yet."""
    same = {
        "command": "python benchmarks/reliability/fuzz.py " + " ".join(sys.argv[1:]), "mtlattack": mta.__version__,
        "python": sys.version.split()[0], "seed": options.seed,
    }  # fmt: skip
    if options.json and options.json.is_file():
        found: dict[str, Any] = json.loads(options.json.read_text())
        if {name: found.get(name) for name in same} == same:
            return found
    numbers = {"inputs": 0, "seconds": 0, "processor_seconds": 0, "slowest_seconds": 0.0, "most_bytes": 0}
    return {**same, **numbers, "counts": {kind.name: {} for kind in kinds}, "finds": [], "not_again": []}


def _stage(result: dict[str, Any], workers: Workers, options: argparse.Namespace) -> None:
    """Judge some more inputs; whoever breaks it off loses this stage alone."""
    places = range(result["inputs"], min(result["inputs"] + STAGE, options.count))
    kinds = workers.kinds
    seeds = [(place % len(kinds), options.seed + place // len(kinds)) for place in places]
    begun, used = time.perf_counter(), _processor_seconds()
    counts = {name: Counter(found) for name, found in result["counts"].items()}
    for name, seed, judged, again in workers.judge(seeds, options.workers):
        told = {"kind": name, "seed": seed, "outcome": judged.outcome, "what": judged.what}
        if again is not None:
            is_find = again.outcome in FINDS
            told["alone"] = again.outcome
            result["finds" if is_find else "not_again"].append(told)
            print(f"{'find' if is_find else 'not again'}: {told}", flush=True)
            if options.keep:
                _keep(options.keep, next(kind for kind in kinds if kind.name == name), seed)
        last = again or judged
        counts[name][last.outcome] += 1
        result["slowest_seconds"] = max(result["slowest_seconds"], round(last.seconds, 2))
        result["most_bytes"] = max(result["most_bytes"], last.taken)
    result["counts"] = {name: dict(counter) for name, counter in counts.items()}
    result["inputs"] = places.stop
    result["seconds"] += round(time.perf_counter() - begun)
    result["processor_seconds"] += round(_processor_seconds() - used)


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _keep(folder: Path, kind: Input, seed: int) -> None:
    """The changed file, unless already the second change of it never ends."""
    place = folder / f"{kind.name.replace(' ', '-')}-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    writing = multiprocessing.get_context("fork").Process(target=_write, args=(place / kind.filename, kind, seed))
    writing.start()
    writing.join(60)
    writing.kill()


def _write(path: Path, kind: Input, seed: int) -> None:
    path.write_bytes(changed(kind, seed))


def _print(result: dict[str, Any]) -> None:
    counts = {name: Counter(found) for name, found in result["counts"].items()}
    shown = [outcome for outcome in OUTCOMES if any(counter[outcome] for counter in counts.values())]
    print("| kind | inputs | " + " | ".join(shown) + " |")
    print("|---|" + "---|" * (len(shown) + 1))
    for name, counter in counts.items():
        print(f"| {name} | {counter.total():,} | " + " | ".join(f"{counter[outcome]:,}" for outcome in shown) + " |")
    print(
        f"{result['inputs']:,} inputs in {result['seconds']:,} s, {result['processor_seconds']:,} s of a processor; "
        f"the slowest took {result['slowest_seconds']} s, the most {result['most_bytes'] / 2**20:.0f} MB; "
        f"{len(result['finds'])} finds"
    )


if __name__ == "__main__":
    main()
