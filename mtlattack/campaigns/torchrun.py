"""One run in the processes that torchrun starts: each does its shard on its device, the first merges them."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch

from mtlattack.analysis import Run, merge
from mtlattack.attacks import Attack
from mtlattack.data import PreparedDataset
from mtlattack.errors import InputError
from mtlattack.evaluation import evaluate
from mtlattack.evidence import Shard
from mtlattack.evidence.places import EVIDENCE
from mtlattack.locking import held
from mtlattack.tasks import Model

T = TypeVar("T")

# Ranks end at different times, and a broken one is torchrun's to notice.
_PATIENCE = timedelta(days=30)


def launched() -> bool:
    """Whether torchrun started this process, and others beside it."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


class Ranks:
    """The processes of this torchrun, as `evaluation.ranks.Ranks`; the first finds out for all."""

    def __init__(self) -> None:
        self.rank = torch.distributed.get_rank()

    def once(self, compute: Callable[[], T]) -> T:
        """What `compute` gives in the first process; its InputError is raised in all."""
        box: list[Any] = [None]
        if self.rank == 0:
            try:
                box = [(compute(), None)]
            except InputError as error:
                box = [(None, str(error))]
        torch.distributed.broadcast_object_list(box, src=0)
        value, complaint = box[0]
        if complaint is not None:
            raise InputError(complaint)
        return value  # type: ignore[no-any-return]

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        flag = torch.tensor(int(here))
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag)


def evaluate_together(
    model: Model,
    data: PreparedDataset,
    attacks: Iterable[Attack],
    *,
    folder: Path,
    device: str | None = None,
    fresh: bool = False,
    **options: Any,
) -> Run | None:
    """The part of this process in one run of all of them, which are called alike: its shard, in a folder of its own
    within `folder`, on the GPU that has its local rank where there are any.

    The first process waits for the others, merges their shards to `folder`/evidence.h5, and returns the run; the others
    return None. Data are hashed and attacks fitted by the first. Processes that were killed go on where they were when
    all are started again. `options` and errors as for `evaluate`; InputError also for a `device` with a number, and
    where there are fewer images than processes.
    """
    shard = Shard(int(os.environ["RANK"]) + 1, int(os.environ["WORLD_SIZE"]))
    shard.positions(len(data))  # What is wrong in all of them is better said before they meet.
    with _joined() as ranks, held(folder) if ranks.rank == 0 else nullcontext():
        evaluate(
            model, data, attacks, path=_evidence_of(shard, folder), device=_device_of(device), fresh=fresh,
            shard=shard, ranks=ranks, **options,
        )  # fmt: skip
        ranks.any(False)  # All have come to here.
        if ranks.rank > 0:
            return None
        shards = [_evidence_of(Shard(number, shard.of), folder) for number in range(1, shard.of + 1)]
        return merge(shards, folder / EVIDENCE, fresh=fresh)


def _evidence_of(shard: Shard, folder: Path) -> Path:
    return folder / shard.folder / EVIDENCE


@contextmanager
def _joined() -> Iterator[Ranks]:
    """Inside, the processes hear of each other."""
    if not torch.distributed.is_available():
        raise InputError("this torch has no torch.distributed, which torchrun needs; use --shard and `mtlattack merge`")
    torch.distributed.init_process_group("gloo", timeout=_PATIENCE)
    ranks = Ranks()
    if ranks.rank > 0:
        os.environ["TTY_COMPATIBLE"] = "0"  # One progress bar is enough.
    yield ranks
    torch.distributed.destroy_process_group()  # Not after an error: the others would be waited for.


def _device_of(device: str | None) -> str | None:
    """The device of this process: of several GPUs it sees its own alone from here on, so that nothing is left on the
    first one."""
    if device is not None and ":" in device:
        raise InputError(f"device {device!r}: under torchrun every process takes its own, give one without a number")
    count, rank = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    if device == "cuda" or (device is None and count):
        if rank >= count:
            raise InputError(f"process {rank} of this machine has no GPU of its own, there are {count}")
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        names = visible.split(",") if visible else [str(number) for number in range(count)]
        os.environ["CUDA_VISIBLE_DEVICES"] = names[rank]
        # Where devices are counted by CUDA itself (WSL, Jetson), it has read the variable by now.
        return "cuda" if torch.cuda.device_count() == 1 else f"cuda:{rank}"
    return device
