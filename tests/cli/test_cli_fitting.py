"""What universal perturbations are fitted on by `mtlattack run`: the train split of the same data, if it has one."""

from pathlib import Path

from mtlattack.attacks import create_attack
from mtlattack.data import write_rooms
from mtlattack.evaluation.choosing import _images_to_fit_on
from mtlattack.tasks import Depth, TaskMap

TASKS: TaskMap = {"depth": Depth()}
PLAIN, UNIVERSAL = create_attack("fgsm-total", eps=0.1), create_attack("universal-total", eps=0.1)


def test_the_train_split_is_fitted_on(tmp_path: Path) -> None:
    path = str(write_rooms(tmp_path / "rooms.h5", "train", 2))
    images = _images_to_fit_on([PLAIN, UNIVERSAL], path, TASKS)
    assert images is not None and images.split == "train" and len(images) == 2 and images.tasks == TASKS


def test_without_a_train_split_or_a_fit_there_is_nothing(tmp_path: Path) -> None:
    path = str(write_rooms(tmp_path / "rooms.h5", "test", 1))
    assert _images_to_fit_on([UNIVERSAL], path, TASKS) is None
    assert _images_to_fit_on([PLAIN], "no such data set", TASKS) is None
