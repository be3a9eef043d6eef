"""mtlattack: how badly can a multi-task vision model be hurt?

import mtlattack as mta

model = mta.create_model("rooms-resnet10t.shared")
data = mta.load_dataset("rooms", split="test")
attack = mta.create_attack("apgd-dgba", eps=8 / 255, steps=20)
print(mta.evaluate(model, data, [attack]).report())
"""

from mtlattack.analysis import Record, Report, Run, merge
from mtlattack.analysis import read_run as read_evidence
from mtlattack.attacks import Attack, Threat, create_attack, list_attacks
from mtlattack.data import list_datasets, load_dataset
from mtlattack.errors import InputError, UnknownNameError
from mtlattack.evaluation import evaluate, list_suites, load_suite
from mtlattack.evidence import Evidence, Shard
from mtlattack.models import (
    Output,
    create_model,
    create_network,
    list_models,
    load_checkpoint,
    lower_precision,
    prepare_for_attack,
    wrap,
)
from mtlattack.tasks import create_task, list_tasks
from mtlattack.version import __version__

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
    "UnknownNameError",
    "__version__",
    "create_attack",
    "create_model",
    "create_network",
    "create_task",
    "evaluate",
    "list_attacks",
    "list_datasets",
    "list_models",
    "list_suites",
    "list_tasks",
    "load_checkpoint",
    "load_dataset",
    "load_suite",
    "lower_precision",
    "merge",
    "prepare_for_attack",
    "read_evidence",
    "wrap",
]
