"""Tasks by name, and as configurations."""

import json

import pytest
from task_toys import TASKS

from mtlattack.errors import InputError, UnknownNameError
from mtlattack.tasks import Segmentation, Task, create_task, list_tasks, task_from_config


def test_every_task_is_listed_and_made_by_name():
    assert set(list_tasks()) == set(TASKS)
    assert list_tasks("key*") == ["keypoints2d"]
    assert create_task("segmentation", classes=13) == Segmentation(13)
    assert create_task("depth").name == "depth"


@pytest.mark.parametrize("task", [*TASKS.values(), Segmentation(13, ignore=0)], ids=str)
def test_config_round_trips_through_json(task: Task):
    assert task_from_config(json.loads(json.dumps(task.config()))) == task


def test_unknown_task_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown task 'normal'; did you mean 'normals'?"):
        create_task("normal")
    with pytest.raises(
        InputError, match=r"known: .*depth.*segmentation.*; of a kind of .* --plugin or \$MTLATTACK_PLUGIN"
    ):
        create_task("xyz")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("segmentation", {}, "segmentation.*classes"),
        ("segmentation", {"clases": 3}, "segmentation.*clases"),
        ("segmentation", {"classes": 1}, "segmentation: classes 1, expected 2 to"),
        ("segmentation", {"classes": -3}, "classes -3"),
        ("segmentation", {"classes": 10**9}, "classes 1000000000"),
        ("segmentation", {"classes": 2.5}, "classes 2.5"),
        ("segmentation", {"classes": "13"}, "classes '13'"),
        ("segmentation", {"classes": 13, "ignore": "x"}, "ignore='x'"),
        ("depth", {"scale": 2}, "depth.*scale"),
    ],
)
def test_wrong_options_are_refused(kind, options, message):
    with pytest.raises(InputError, match=message):
        create_task(kind, **options)


@pytest.mark.parametrize("config", [{}, {"classes": 3}, {"kind": ["depth"]}, {"kind": 5}, {"kind": "depth", "x": 1}])
def test_hostile_configs_are_refused(config):
    with pytest.raises(InputError):
        task_from_config(config)
