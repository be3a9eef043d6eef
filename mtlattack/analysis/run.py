"""A finished run: its evidence, which can say what it means."""

from collections.abc import Iterable
from pathlib import Path

from mtlattack.analysis.report import Report
from mtlattack.evidence import Evidence, merge_shards
from mtlattack.evidence import read_evidence as read_stored


class Run(Evidence):
    """Evidence with its report."""

    @staticmethod
    def of(evidence: Evidence) -> "Run":
        """The same evidence."""
        return Run(**vars(evidence))

    def report(self) -> Report:
        """The results as a report that prints as tables."""
        return Report.from_evidence(self)


def read_run(path: str | Path) -> Run:
    """The run whose evidence is stored at `path`; InputError for a file that is missing, damaged or unfinished."""
    return Run.of(read_stored(path))


# What `mtlattack` calls it, and what has it as evidence.
read_evidence = read_run


def merge(shards: Iterable[str | Path], path: str | Path, *, fresh: bool = False) -> Run:
    """One run of its shards: their evidence files, in any order, become that at `path`; see `merge_shards`."""
    return Run.of(merge_shards([Path(shard) for shard in shards], Path(path), fresh=fresh).read())
