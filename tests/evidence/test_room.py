"""Room on the disk is looked for before evidence is laid out: HDF5 does not survive a disk that is full."""

import errno
from pathlib import Path

import pytest

from mtlattack.errors import InputError
from mtlattack.evidence import EvidenceFile
from mtlattack.evidence.store import _room
from mtlattack.files import check_room
from mtlattack.tasks import Depth, Segmentation


@pytest.mark.parametrize(("images", "attacks", "classes"), [(1, 0, 2), (3, 40, 19), (5000, 2, 40)])
def test_what_is_looked_for_is_enough_and_not_much_more(
    images: int, attacks: int, classes: int, tmp_path: Path
) -> None:
    tasks = [Segmentation(classes).config(), Depth().config()]
    plan = {"tasks": tasks, "attacks": [{"config": {"name": "pgd-dgba"}}] * attacks}
    ids = [f"{number:05d}" for number in range(images)]
    file = EvidenceFile.create(tmp_path / "evidence.h5", plan, {"device": "cpu"}, ids)
    size, room = file.path.stat().st_size, _room(plan, {"device": "cpu"}, ids)
    assert size <= room <= 1.5 * size + 2048 * 10 * (attacks + 2)


def test_no_room_writes_nothing_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = {"tasks": [Depth().config()], "attacks": []}
    path = EvidenceFile.create(tmp_path / "evidence.h5", plan, {}, ["a"]).path
    before = path.read_bytes()
    check_room(tmp_path / "more", 10_000)
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(InputError, match=r"cannot write .*evidence.h5 \(\[Errno 28\] No space left on device\)"):
        EvidenceFile.create(path, plan, {}, ["a", "b"])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
