from .catalogue import find_study, list_studies
from .reporting import render
from .running import Finished, run_study
from .study import Cell, Claim, Measured, Study, Table, Verdict

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
