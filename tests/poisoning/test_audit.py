"""Tables of injected points that somebody else wrote: what is wrong with them is said."""

from pathlib import Path

import numpy as np
import pytest
from poisoning_toys import toy_goal, toy_tasks

from mtlattack.errors import InputError
from mtlattack.poisoning import Labels
from mtlattack.poisoning.audit import audit
from mtlattack.poisoning.experiment import read_points


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task,label,x1,x2,x3,x4,x5\n", "holds no point"),
        ("task,label,x1\n0,1,2\n", "expected lines of task, label and 5 features below a heading"),
        ("task,label,x1,x2,x3,x4,x5\nnine,0,0,0,0,0,0\n", "line 2: 'nine' is no task"),
        ("task,label,x1,x2,x3,x4,x5\n0,0,nan,0,0,0,0\n", "line 2: a number is not finite"),
        ("task,label,x1,x2,x3,x4,x5\n0,0,much,0,0,0,0\n", "line 2: could not convert"),
    ],
)
def test_tables_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_points(path, toy_tasks())


def test_every_broken_rule_is_found() -> None:
    """Too many, outside the box, with labels that no clean point has, in a task that is not attacked."""
    tasks = toy_tasks()
    x, y = tasks.points[2]
    points = {2: (np.full((7, 5), 99.0), np.append(y[:6], 99.0)), 0: (x[:1], y[:1])}
    found = {
        (finding.task, finding.rule): finding.points for finding in audit(tasks, toy_goal(tasks), points, Labels.FIXED)
    }
    assert found[("2", "beyond the budget")] == 1 and found[("2", "outside the feasible set")] == 7
    assert found[("2", "with a label that is not allowed")] == 1 and found[("0", "in a task that is not attacked")] == 1
