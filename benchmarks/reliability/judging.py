"""One changed file, read as if a stranger had sent it: what came of it, what it took, and what it did elsewhere."""

import faulthandler
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from inputs import Input, Read

from mtlattack.errors import InputError

MOST_SECONDS = 10.0
MOST_BYTES = 2**30
OUTCOMES = ("refused", "same", "other", "silent", "exception", "died", "slow", "memory", "escaped")
FINDS = OUTCOMES[3:]
# At this signal a process writes into this file of its folder where it stands.
WHERE, STACK = signal.SIGUSR1, "stack"
# Whatever is asked for, the machine lives on.
_ROOM = 4 * 2**30
Seed = tuple[int, int]


class Judged(NamedTuple):
    """What came of an input, what was said, the seconds of a processor and the bytes that reading it took."""

    outcome: str
    what: str
    seconds: float = 0.0
    taken: int = 0


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


def check_honest(kind: Input, folder: Path) -> None:
    """SystemExit unless the file that was not changed is taken."""
    outcome, what = _read(kind, kind.honest, None, folder)
    if outcome != "same":
        raise SystemExit(f"the honest {kind.name} is {outcome}: {what}")


def judge_all(kinds: list[Input], seeds: list[Seed], folder: Path, pipe: Connection) -> None:
    """In a process of its own, with little room: says of each (kind, seed) which it is, reads that, says the Judged."""
    folder.mkdir(exist_ok=True)
    os.environ["MTLATTACK_CACHE"] = str((folder / "cache").resolve())
    os.chdir(folder)
    stack = (folder / STACK).open("w")
    faulthandler.register(WHERE, file=stack)
    expected = {kind.name: kind.read(_written(kind, folder)) for kind in kinds}
    room = _status("VmSize") + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    (folder / "one").mkdir()
    _watch(folder / "one")
    stands = {path.name for path in folder.iterdir()} | {"cache"}
    for place, seed in seeds:
        kind = kinds[place]
        pipe.send((kind.name, seed))
        data = changed(kind, seed)
        judged = _measured(kind, data, expected[kind.name], folder)
        beside = set(os.listdir(folder)) - stands
        if beside:
            judged = judged._replace(outcome="escaped", what=f"made {sorted(beside)}")
        pipe.send(judged)


def _measured(kind: Input, data: bytes, expected: Read, folder: Path) -> Judged:
    Path("/proc/self/clear_refs").write_text("5")
    before, begun = _status("VmRSS"), time.process_time()
    outcome, what = _read(kind, data, expected, folder)
    seconds, taken = time.process_time() - begun, max(0, _status("VmHWM") - before)
    if seconds > MOST_SECONDS:
        outcome, what = "slow", f"{seconds:.1f} s, {outcome}"
    elif taken > MOST_BYTES:
        outcome, what = "memory", f"{taken / 2**20:.0f} MB, {outcome}"
    return Judged(outcome, what, seconds, taken)


def _read(kind: Input, data: bytes, expected: Read | None, folder: Path) -> tuple[str, str]:
    """The outcome of reading it in a folder of its own, and what was said."""
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
        said = f"{type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})"
        outcome = ("exception", said)
    else:
        same = expected is None or read.numbers == expected.numbers
        hidden = not same and expected is not None and read.known_by is not None and read.known_by == expected.known_by
        outcome = ("same" if same else "silent" if hidden else "other", "")
    return ("escaped", _outside[0]) if _outside else outcome


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


# --- what is done elsewhere

_outside: list[str] = []
_WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "shutil.rmtree"}  # fmt: skip
_BY_FOLDER = {"os.mkdir", "os.remove", "os.rmdir"}
_NEVER = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class"}


def _watch(allowed: Path) -> None:
    """From now on whatever this process does outside the folder is noted."""
    inside = (str(allowed.resolve()), os.environ["MTLATTACK_CACHE"])

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _NEVER:
            _outside.append(f"{event} {arguments}"[:200])
        elif event in _WRITES or (event == "open" and _writes(arguments)):
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.path.join(_folder_of(event, arguments), os.fsdecode(path)))
                if real not in (*inside, os.devnull) and not real.startswith(tuple(f"{place}/" for place in inside)):
                    _outside.append(f"{event} {real}"[:200])

    sys.addaudithook(hook)


def _folder_of(event: str, arguments: tuple[Any, ...]) -> str:
    """What a relative path of this event is relative to: `shutil.rmtree` goes by open folders."""
    opened = arguments[-1] if event in _BY_FOLDER else -1
    return os.readlink(f"/proc/self/fd/{opened}") if isinstance(opened, int) and opened >= 0 else ""


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & 3)
