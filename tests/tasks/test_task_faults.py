"""Labels that are none of their task's: the value and what was expected; names that tasks can be given."""

import pytest
import torch
from task_toys import ROWS, Row, pair_of

from mtlattack.errors import InputError
from mtlattack.evidence import tasks_of_plan
from mtlattack.tasks import (
    Depth,
    Segmentation,
    check_classes,
    create_task,
    describe_tasks,
    labels_in_words,
    task_from_config,
)

NAN, INF = float("nan"), float("inf")
POSITIVE = [(-2.5, "the value -2.5, expected more than 0, or 0 or NaN for none"), (INF, "the value inf, expected more")]
SHARE = [(1.5, "the value 1.5, expected 0 to 1, or NaN for none"), (-0.25, "the value -0.25"), (-INF, "the value -inf")]
# By kind: a pixel that is wrong, and what is said of it.
WRONG = {
    "segmentation": [(5, "class 5, expected 0 to 4 or 255"), (-1, "class -1, expected 0 to 4 or 255")],
    "depth": POSITIVE,
    "depth_euclidean": POSITIVE,
    "inverse_depth": POSITIVE,
    "normals": [
        ((0.3, 0.4, 0.0), "a normal of length 0.500, expected 1, or 0 or NaN for none"),
        ((0, 255, 0), "a normal of length 255"),
    ],
    "edge_texture": SHARE,
    "keypoints2d": SHARE,
    "reshading": SHARE,
    "principal_curvature": [
        ((INF, 1.0), "the value inf, expected finite numbers, or NaN for none"),
        ((NAN, 1.0), "a pixel with one curvature alone"),
    ],
}
CASES = [(kind, value, message) for kind, pixels in WRONG.items() for value, message in pixels]


@pytest.mark.parametrize("row", [ROWS[kind] for kind in WRONG], ids=list(WRONG))
def test_what_a_kind_draws_and_what_is_unlabelled_is_no_fault(row: Row) -> None:
    target, whole = pair_of(row, 0)[1], not row.task.target_channels
    nothing = 255 if row.task.target_dtype == "int64" else NAN
    # Of what counts for nothing NaN and 0 are written on purpose, the rest by mistake.
    wild = (target == -1) | torch.isinf(target)
    clean = torch.where(wild if whole else wild.any(1, keepdim=True), nothing, target)
    assert row.task.fault(clean) is None and row.task.fault(clean[0]) is None
    assert row.task.fault(torch.zeros_like(clean)) is None


@pytest.mark.parametrize(("kind", "value", "message"), CASES)
def test_a_label_that_is_none_is_named(kind: str, value: float | tuple[float, ...], message: str) -> None:
    task = ROWS[kind].task
    target = ROWS[kind].draw((2, *task.target_channels, 3, 4), torch.Generator().manual_seed(0))
    assert task.fault(target) is None
    target[1, ..., 2, 3] = torch.tensor(value, dtype=target.dtype)
    assert task.fault(target[0]) is None
    for wrong in (target, target[1]):
        assert (task.fault(wrong) or "").startswith(message)


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_stored_by_default_comes_back(kind: str) -> None:
    """To the last bit, where a step of the file holds it; what none holds is not rounded in silence."""
    task = ROWS[kind].task
    raw = torch.randint(1, 5, (3, 4, *task.target_channels), generator=torch.Generator().manual_seed(0)).numpy()
    if kind == "normals":
        raw = raw * 0 + (0, 0, 127)
    scale = getattr(task, "stored_step", 1)
    target = task.decode(raw.astype(task.stored_dtype), {"scale": scale, "invalid": getattr(task, "stored_invalid", 0)})
    stored = task.as_stored(target)
    assert stored is not None
    assert stored[0].dtype == task.stored_dtype and (stored[0] == raw).all()
    if task.target_dtype != "int64":
        assert task.as_stored(target * 0.7311) is None


def test_an_ignored_class_of_ones_own_is_stored_as_ours() -> None:
    target = torch.tensor([[0, -1], [4, 2]])
    stored = Segmentation(5, ignore=-1).as_stored(target)
    assert stored is not None and stored[0].tolist() == [[0, 255], [4, 2]] and stored[1] == 1
    assert Segmentation(5, ignore=-1).fault(target) is None and Segmentation(300).as_stored(target) is None


# --- classes, as an attack is given them


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            torch.tensor([[[0, 1]], [[1, 7]]]),
            "target 'seg' of image 1 of the batch has class 7, expected 0 to 4 or 255",
        ),
        (torch.zeros(2, 1, 2), "target 'seg' is torch.float32, expected torch.int64: a class a pixel"),
        (torch.zeros(2, 1, 2, dtype=torch.uint8), "target 'seg' is torch.uint8, expected torch.int64"),
    ],
)
def test_classes_that_would_be_a_wrong_index_are_refused(target: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError) as raised:
        check_classes("seg", Segmentation(5), target)
    assert str(raised.value).startswith(message)


def test_other_labels_are_left_alone() -> None:
    check_classes("depth", Depth(), torch.full((1, 2, 2), -1.0))
    check_classes("seg", Segmentation(5), torch.full((1, 2, 2), 255))


def test_a_class_that_would_end_a_device_is_refused_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, targets = {"seg": Segmentation(5)}, {"seg": torch.full((1, 2, 2), 7)}
    with labels_in_words(tasks, targets):
        pass
    monkeypatch.setattr("mtlattack.tasks.faults._ends_a_device", lambda index: True)
    with pytest.raises(InputError, match="target 'seg' of image 0 of the batch has class 7"):
        with labels_in_words(tasks, targets):
            pytest.fail("must not be used")
    with labels_in_words(tasks, {"seg": torch.full((1, 2, 2), 4)}):
        pass


# --- names


def test_a_task_under_another_name_is_the_same_task() -> None:
    plain, named = Segmentation(5), Segmentation(5).called("my-seg_2")
    assert named == plain and hash(named) == hash(plain) and plain.name == "segmentation" and named.kind == plain.kind
    assert (named.name, named.heading, plain.heading) == ("my-seg_2", "my-seg_2", "segment.")
    assert named.called("segmentation").config() == plain.config() and plain.called("segmentation") is plain
    again = task_from_config(named.config())
    assert again == plain and again.name == "my-seg_2" and named.config()["name"] == "my-seg_2"


def test_two_tasks_of_a_kind_keep_their_names_in_a_plan() -> None:
    tasks = {"near": create_task("depth"), "depth": create_task("depth"), "far": create_task("depth")}
    plan = {"tasks": describe_tasks(tasks)}
    assert plan["tasks"][1] == {"kind": "depth"}  # As it was before tasks had names.
    assert list(tasks_of_plan(plan)) == ["near", "depth", "far"] and tasks_of_plan(plan) == tasks


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "a+b", "a,b", ".", "-a", "a\n", "x" * 101, 3])
def test_names_that_would_be_parsed_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="a task cannot be called .*, expected letters, digits, '_' and '-' inside"):
        describe_tasks({name: Depth()})
    with pytest.raises(InputError, match="a task cannot be called"):
        task_from_config({"kind": "depth", "name": name})
