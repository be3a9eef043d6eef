"""Thousands of changed files, each read as if a stranger had sent it: refused in words, or read as what it is.

A find is: an exception that is not ours, a process that dies, more than 10 s of a processor, more than 1 GB, a write
outside the input's own folder (or a process, or a connection), other numbers under an unchanged hash.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from inputs import Input, Read, make_inputs

import mtlattack as mta
from mtlattack.errors import InputError

MOST_SECONDS = 10.0
# By the clock, on a machine that may be busy.
MOST_WAITED = 300.0
MOST_BYTES = 2**30
OUTCOMES = ("refused", "same", "other", "silent", "exception", "died", "slow", "memory", "escaped")
FINDS = OUTCOMES[3:]
# Whatever is asked for, the machine lives on.
_ROOM = 4 * 2**30


def main() -> None:
    """Read the options, run, write the JSON and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="changed files, divided among the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind alone")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the files that were finds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        kinds = [kind for kind in make_inputs(Path(folder) / "honest") if options.only in (None, kind.name)]
        for kind in kinds:
            _check_honest(kind, Path(folder))
        seeds = [(place % len(kinds), options.seed + place // len(kinds)) for place in range(options.count)]
        parts = [seeds[start :: options.workers] for start in range(options.workers)]
        begun = time.perf_counter()
        counts: dict[str, Counter[str]] = {kind.name: Counter() for kind in kinds}
        finds: list[dict[str, Any]] = []
        slowest, most = 0.0, 0
        for name, seed, outcome, what, seconds, taken in _in_turns(kinds, parts, Path(folder)):
            counts[name][outcome] += 1
            slowest, most = max(slowest, seconds), max(most, taken)
            if outcome in FINDS:
                finds.append({"kind": name, "seed": seed, "outcome": outcome, "what": what})
                print(f"{outcome}: {name}, seed {seed}: {what}", flush=True)
                _keep(options.keep, kinds, name, seed)
        result = {
            "command": "python benchmarks/reliability/fuzz.py " + " ".join(sys.argv[1:]),
            "mtlattack": mta.__version__, "python": sys.version.split()[0], "seed": options.seed,
            "inputs": len(seeds), "seconds": round(time.perf_counter() - begun), "slowest_seconds": round(slowest, 2),
            "most_bytes": most, "counts": counts, "finds": finds,
        }  # fmt: skip
    _print(counts, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _check_honest(kind: Input, folder: Path) -> None:
    outcome, what = _judged(kind, kind.honest, None, folder)
    if outcome != "same":
        raise SystemExit(f"the honest {kind.name} is {outcome}: {what}")


def changed(kind: Input, seed: int) -> bytes:
    """The bytes of that change."""
    random = Random(f"{kind.name} {seed}")
    data = kind.honest
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        try:
            data = kind.change(data, random)
        except Exception:  # what was changed once may be no document any more
            break
    return data


# --- one input


def _judged(kind: Input, data: bytes, expected: Read | None, folder: Path) -> tuple[str, str]:
    """The outcome of reading it, and what was said."""
    place = folder / "one"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    path = place / kind.filename
    path.write_bytes(data)
    _outside.clear()
    try:
        read = kind.read(path)
    except InputError as error:
        outcome = ("refused", str(error))
        if "\n" in str(error).strip() or len(str(error)) > 2000:
            outcome = ("exception", f"a message of {len(str(error))} characters or several lines")
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome = (
            "exception",
            f"{type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})",
        )
    else:
        same = expected is None or read.numbers == expected.numbers
        hidden = not same and expected is not None and read.known_by is not None and read.known_by == expected.known_by
        outcome = ("same" if same else "silent" if hidden else "other", "")
    return ("escaped", _outside[0]) if _outside else outcome


_outside: list[str] = []
_WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "shutil.rmtree"}  # fmt: skip
_NEVER = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class"}


def _watch(allowed: Path) -> None:
    """From now on whatever this process does outside the folder is noted."""
    inside = str(allowed.resolve())
    cache = os.environ["MTLATTACK_CACHE"]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _NEVER:
            _outside.append(f"{event} {arguments}"[:200])
        elif event in _WRITES or (event == "open" and _writes(arguments)):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path))
                if not real.startswith((inside, cache, "/dev/", "/proc/self/")):
                    _outside.append(f"{event} {real}"[:200])

    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & 3)


# --- many


def _work(kinds: list[Input], seeds: list[tuple[int, int]], folder: Path, pipe: Connection) -> None:
    """Each seed's input is said before it is read, so that who waits knows what it died of."""
    folder.mkdir(exist_ok=True)
    os.environ["MTLATTACK_CACHE"] = str((folder / "cache").resolve())
    os.chdir(folder)
    expected = {kind.name: kind.read(_written(kind, folder)) for kind in kinds}
    room = _status("VmSize") + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _watch(folder)
    for place, seed in seeds:
        kind = kinds[place]
        pipe.send((kind.name, seed))
        data = changed(kind, seed)
        Path("/proc/self/clear_refs").write_text("5")
        before, begun = _status("VmRSS"), time.process_time()
        outcome, what = _judged(kind, data, expected[kind.name], folder)
        seconds, taken = time.process_time() - begun, max(0, _status("VmHWM") - before)
        if seconds > MOST_SECONDS:
            outcome, what = "slow", f"{seconds:.1f} s, {outcome}"
        elif taken > MOST_BYTES:
            outcome, what = "memory", f"{taken / 2**20:.0f} MB, {outcome}"
        pipe.send((outcome, what, seconds, taken))


def _written(kind: Input, folder: Path) -> Path:
    place = folder / "expected" / kind.name.replace(" ", "-")
    place.mkdir(parents=True)
    (place / kind.filename).write_bytes(kind.honest)
    return place / kind.filename


def _status(key: str) -> int:
    """A line of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _in_turns(
    kinds: list[Input], parts: list[list[tuple[int, int]]], folder: Path
) -> Iterator[tuple[str, int, str, str, float, int]]:
    """What came of every input, by as many processes as there are parts; one that dies or hangs is replaced."""
    forking = multiprocessing.get_context("fork")
    at: dict[Connection, tuple[int, Any, int, tuple[str, int] | None, float]] = {}

    def start(number: int, done: int) -> None:
        ours, theirs = forking.Pipe(duplex=False)
        process = forking.Process(
            target=_work, args=(kinds, parts[number][done:], folder / f"w{number}-{done}", theirs)
        )
        process.start()
        theirs.close()
        at[ours] = (number, process, done, None, time.monotonic())

    for number in range(len(parts)):
        start(number, 0)
    while at:
        ready = multiprocessing.connection.wait(list(at), timeout=1)
        for pipe in list(at):
            number, process, done, current, since = at[pipe]
            if pipe in ready:
                try:
                    said = pipe.recv()
                except EOFError:
                    process.join()
                    del at[pipe]
                    if current is not None:
                        yield (*current, "died", f"exit code {process.exitcode}", 0.0, 0)
                        start(number, done + 1)
                    elif done < len(parts[number]):
                        raise SystemExit(f"a worker ended with {process.exitcode} before its first input") from None
                    continue
                if len(said) == 2:
                    at[pipe] = (number, process, done, said, time.monotonic())
                else:
                    assert current is not None
                    at[pipe] = (number, process, done + 1, None, time.monotonic())
                    yield (*current, *said)
            elif current is not None and time.monotonic() - since > MOST_WAITED:
                process.kill()
                process.join()
                del at[pipe]
                yield (*current, "slow", f"killed after {MOST_WAITED:.0f} s", MOST_WAITED, 0)
                start(number, done + 1)


def _keep(folder: Path | None, kinds: list[Input], name: str, seed: int) -> None:
    if folder is not None:
        kind = next(kind for kind in kinds if kind.name == name)
        place = folder / f"{name.replace(' ', '-')}-{seed}"
        place.mkdir(parents=True, exist_ok=True)
        (place / kind.filename).write_bytes(changed(kind, seed))


def _print(counts: dict[str, Counter[str]], result: dict[str, Any]) -> None:
    shown = [outcome for outcome in OUTCOMES if any(counter[outcome] for counter in counts.values())]
    print("| kind | inputs | " + " | ".join(shown) + " |")
    print("|---|" + "---|" * (len(shown) + 1))
    for name, counter in counts.items():
        print(f"| {name} | {counter.total():,} | " + " | ".join(f"{counter[outcome]:,}" for outcome in shown) + " |")
    print(
        f"{result['inputs']:,} inputs in {result['seconds']:,} s; the slowest took {result['slowest_seconds']} s, "
        f"the most {result['most_bytes'] / 2**20:.0f} MB; {len(result['finds'])} finds"
    )


if __name__ == "__main__":
    main()
