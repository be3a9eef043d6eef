"""Campaigns on a real Ray cluster of two nodes on this machine; the long tests are marked slow."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign_toys import assert_same, done_marks, run_undisturbed, start, toy_campaign, write_campaign

from mtlattack.campaigns import run_campaign
from mtlattack.campaigns.folder import is_done

pytest.importorskip("ray")
# Ray leaves sockets and log files to be collected.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one CPU each, in the current folder."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.add_node(**node)
    yield made
    made.shutdown()


def when(condition: Callable[[], bool], do: Callable[[], object]) -> threading.Thread:
    """Do something at a moment, beside the campaign."""

    def wait() -> None:
        until = time.monotonic() + 300
        while not condition() and time.monotonic() < until:
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("models", "seeds"),
    [
        (["toy_models:dying"], [0]),  # One cell: each worker takes seconds to begin.
        pytest.param(["toy_models:toy", "toy_models:dying"], [0, 1], marks=pytest.mark.slow),
    ],
)
def test_workers_are_killed_on_a_cluster(models: list[str], seeds: list[int], here: Path, cluster: Any) -> None:
    campaign = toy_campaign(models=models, seeds=seeds)
    cells = run_undisturbed(campaign, here / "whole")
    (here / "die-0").touch()
    ended = run_campaign(campaign, here / "out", on="ray", address=cluster.address)
    assert not list(here.glob("die-*")) and not ended.failed and len(ended.results) == len(models) * len(seeds)
    assert_same(cells, here / "out", here / "whole")


@pytest.mark.slow
def test_a_node_is_killed_in_the_middle(here: Path, cluster: Any) -> None:
    campaign = toy_campaign(models=["toy_models:slow"], seeds=list(range(12)))
    cells = run_undisturbed(campaign, here / "whole")
    node = next(node for node in cluster.worker_nodes)
    killing = when(lambda: done_marks(here / "out") >= 6, lambda: cluster.remove_node(node, allow_graceful=False))
    ended = run_campaign(campaign, here / "out", on="ray", address=cluster.address)
    killing.join()
    assert not ended.failed and len(ended.results) == 12
    assert_same(cells, here / "out", here / "whole")


@pytest.mark.slow
def test_the_driver_is_killed_and_started_again(here: Path, cluster: Any) -> None:
    campaign = toy_campaign(models=["toy_models:slow"], seeds=list(range(8)))
    cells = run_undisturbed(campaign, here / "whole")
    file = write_campaign(here / "c.toml", campaign)
    process = start("campaign", file, "--on", "ray", "--address", cluster.address, "--out", "out")
    while process.is_alive() and done_marks(here / "out") < 6:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not all(is_done(here / "out" / cell.name) for cell in cells)
    ended = run_campaign(campaign, here / "out", on="ray", address=cluster.address)
    assert not ended.failed and 0 < len(ended.results) <= 8
    assert_same(cells, here / "out", here / "whole")


@pytest.mark.slow
def test_a_cluster_that_is_started_for_the_campaign(here: Path) -> None:
    campaign = toy_campaign()
    cells = run_undisturbed(campaign, here / "whole")
    ended = run_campaign(campaign, here / "out", on="ray", workers=2)
    assert not ended.failed and len(ended.results) == 4
    assert_same(cells, here / "out", here / "whole")
