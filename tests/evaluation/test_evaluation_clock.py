"""The clock on the wall is set back while a run is under way: its numbers and durations are none of the clock's."""

from pathlib import Path

import numpy as np
import pytest
from clock_toys import send_ahead, turn_back
from evaluation_toys import PREPARING, Fickle, Little, assert_equal

from mtlattack.attacks import create_attack
from mtlattack.data import PreparedDataset
from mtlattack.evaluation import evaluate
from mtlattack.evidence import EvidenceFile


def test_a_run_goes_on_under_an_earlier_clock(
    network: Little, data: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacks = [create_attack("pgd-dgba", eps=4 / 255, steps=3)]
    path, options = tmp_path / "here" / "evidence.h5", {"device": "cpu", "batch_size": 2}
    whole = evaluate(Fickle(network), data, attacks, path=tmp_path / "whole" / "evidence.h5", **options)
    looks = turn_back(monkeypatch)
    with pytest.raises(RuntimeError, match="out of patience"):
        evaluate(Fickle(network, fail_at=PREPARING + 8), data, attacks, path=path, **options)
    send_ahead(tmp_path)
    done = sum(int(marks.sum()) for marks in EvidenceFile(path).done().values())
    assert 0 < done < 2 * len(data) and looks() > 0
    found = evaluate(Fickle(network), data, attacks, path=path, **options)
    assert_equal(found, whole)
    for outcome in (found.clean, *found.attacked):
        assert (outcome.seconds > 0).all() and (outcome.seconds < 3600).all()
    record, expected = found.report().record, whole.report().record
    assert record.attacks[0].metrics == expected.attacks[0].metrics and record.attacks[0].seconds > 0
    assert np.isfinite(record.attacks[0].seconds)
