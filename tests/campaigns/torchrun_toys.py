"""Processes as torchrun starts them, without its waiting for them to import everything."""

import json
import os
import socket
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import process_toys
from shard_toys import TinyNet, tiny_data

from mtlattack.attacks import Attack, create_attack
from mtlattack.campaigns import evaluate_together
from mtlattack.evaluation import setup


def attacks() -> list[Attack]:
    """One with noise, one that is fitted."""
    return [
        create_attack("pgd-dgba", eps=0.03, steps=2, seed=1),
        create_attack("universal-total", eps=0.03, epochs=1),
    ]


def start_ranks(data: Path, folder: Path, fail_at: Sequence[int] = (-1, -1)) -> list[BaseProcess]:
    """As many processes as numbers are given: at which call their model fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        process_toys.start(_rank, rank, len(fail_at), port, data, folder, call) for rank, call in enumerate(fail_at)
    ]


def _rank(rank: int, size: int, port: int, path: Path, folder: Path, fail_at: int) -> None:
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "toy", "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    fits, original = [], setup.fitted

    def counted(*arguments: Any) -> Attack:
        fits.append(1)
        return original(*arguments)

    setup.fitted = counted
    model, data = TinyNet(), tiny_data(path)
    model.calls.fail_at = fail_at
    run = evaluate_together(model, data, attacks(), folder=folder, device="cpu", batch_size=2)
    found = {"images": run and len(run.ids), "hashed": data._identity is not None, "fits": len(fits)}
    (folder / f"rank-{rank}.json").write_text(json.dumps(found))
