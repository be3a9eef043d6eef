"""Studies: the papers' claims, each as cells, a table, a picture and a verdict whose rule was written first."""

from mtlattack.studies.catalogue import find_study, list_studies
from mtlattack.studies.reporting import render
from mtlattack.studies.running import Finished, run_study
from mtlattack.studies.study import Cell, Claim, Measured, Study, Table, Verdict

__all__ = [
    "Cell",
    "Claim",
    "Finished",
    "Measured",
    "Study",
    "Table",
    "Verdict",
    "find_study",
    "list_studies",
    "render",
    "run_study",
]
