"""A finished run: its evidence, which can say what it means."""

from pathlib import Path

from mtlattack.analysis.report import Report
from mtlattack.evidence import Evidence, read_evidence


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
    return Run.of(read_evidence(path))
