"""Processes that tests can kill, forked from one that has imported everything already."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any


def start(target: Callable[..., Any], *arguments: object) -> BaseProcess:
    """`target(*arguments)` in a process of its own.

    One server forks for all tests of a session and takes its list of modules once, so the list is the same everywhere.
    It does not see the folders of the tests: only modules of the library can be imported beforehand.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["mtlattack.campaigns.worker", "mtlattack.cli.run"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process
