"""Room on the disk is looked for before evidence is laid out: HDF5 does not survive a disk that is full."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtlattack.attacks import create_attack
from mtlattack.data.parts import Parts
from mtlattack.errors import InputError
from mtlattack.evaluation.keeping import ImageFile
from mtlattack.evidence import EvidenceFile
from mtlattack.evidence.agreement import AgreementFile
from mtlattack.evidence.store import _room
from mtlattack.files import check_room
from mtlattack.tasks import Depth, Segmentation


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


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
    plan = {"tasks": [Depth().config()], "attacks": []}
    path = EvidenceFile.create(tmp_path / "evidence.h5", plan, {}, ["a"]).path
    before = path.read_bytes()
    check_room(tmp_path / "more", 10_000)
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(InputError, match=r"cannot write .*evidence.h5 \(\[Errno 28\] No space left on device\)"):
        EvidenceFile.create(path, plan, {}, ["a", "b"])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


ATTACKS = [create_attack("fgsm-total", eps=4 / 255), create_attack("pgd-dgba", eps=4 / 255, quantized=True)]
Create = Callable[[Path], object]
LAID_OUT: dict[str, Create] = {
    "images": lambda path: ImageFile.create(path, {"seed": 0}, [str(n) for n in range(9)], ATTACKS, (24, 32)),
    "agreement": lambda path: AgreementFile.create(path, [(2, 3, 1), (2, 2, 2)], [str(n) for n in range(500)]),
}


@pytest.mark.parametrize("kind", LAID_OUT)
def test_all_that_hdf5_lays_out_is_looked_for(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    fallocate = os.posix_fallocate

    def noted(file: int, offset: int, size: int) -> None:
        asked.append(size)
        fallocate(file, offset, size)

    monkeypatch.setattr("os.posix_fallocate", noted)
    path = tmp_path / "x.h5"
    LAID_OUT[kind](path)
    assert path.stat().st_size <= asked[0] <= 1.5 * path.stat().st_size + 50_000
    before = path.read_bytes()
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(InputError, match=r"cannot write .*x.h5 \(\[Errno 28\] No space left on device\)"):
        LAID_OUT[kind](path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_part_of_prepared_data_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(tmp_path / "x.h5")
    (parts.folder / "test").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    parts.write("test", 0, {"image": noise}, [], 4)
    size = parts.size()
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        parts.write("test", 0, {"image": noise}, [], 4)
    assert parts.size() == size > noise.nbytes
    parts.close()
