from . import analysis, attacks, data, evaluation, models, tasks
from .analysis import Record, Report, Run, merge, read_evidence
from .analysis.transfer import Transfer, read_transfer
from .attacks import Attack, Threat, create_attack, list_attacks
from .data import list_datasets, load_dataset
from .errors import InputError, UnknownNameError
from .evaluation import evaluate, list_suites, load_suite, transfer, transfer_between_tasks
from .evidence import Evidence, Shard
from .models import (
    Output,
    create_model,
    create_network,
    list_models,
    load_checkpoint,
    lower_precision,
    prepare_for_attack,
    resolve_source,
    wrap,
)
from .studies import find_study, list_studies, run_study
from .tasks import create_task, list_tasks

__all__ = [
    "Attack",
    "Evidence",
    "InputError",
    "Output",
    "Record",
    "Report",
    "Run",
    "Shard",
    "Threat",
    "Transfer",
    "UnknownNameError",
    "analysis",
    "attacks",
    "create_attack",
    "create_model",
    "create_network",
    "create_task",
    "data",
    "evaluate",
    "find_study",
    "evaluation",
    "list_attacks",
    "list_datasets",
    "list_models",
    "list_studies",
    "list_suites",
    "list_tasks",
    "load_checkpoint",
    "load_dataset",
    "load_suite",
    "lower_precision",
    "merge",
    "models",
    "prepare_for_attack",
    "read_evidence",
    "read_transfer",
    "resolve_source",
    "run_study",
    "tasks",
    "transfer",
    "transfer_between_tasks",
    "wrap",
]
