"""What a run may say of its circumstances beside what every run says."""

from typing import Any

import pytest
from checking_toys import changed
from leaderboard_toys import row_of

from mtlattack.errors import InputError
from mtlattack.evidence import Evidence
from mtlattack.leaderboard.rows.deriving import record_of

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.mark.parametrize("said", [{"judge": 1.8, "search": 2.3}, {"judge": None, "search": None}, None])
def test_a_run_with_cuda_graphs_may_enter(said: Any, tiny_evidence: Evidence) -> None:
    record = record_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))
    assert record.environment["cuda_graphs"] == said


@pytest.mark.parametrize("said", [{"judge": -1.0}, {"jury": 1.0}, {"judge": "fast"}, 2.0])
def test_nothing_else_of_them(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(Exception, match=r"evidence: environment: cuda_graphs"):
        row_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))


@pytest.mark.parametrize("said", [{"depth": {"ratio": 1.0}}, {}, None])
def test_a_run_may_say_what_predictions_looked_like(said: Any, tiny_evidence: Evidence) -> None:
    record = record_of(changed(tiny_evidence, lambda e: e.environment["calls"].update(looks=said)))
    assert record.environment["calls"]["looks"] == said


@pytest.mark.parametrize("said", [{"depth": {"ratio": "1"}}, {"depth": 1.0}, {"a\nb": {}}, [1.0]])
def test_looks_are_numbers_by_task(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(InputError, match=r"evidence: environment: calls.looks"):
        record_of(changed(tiny_evidence, lambda e: e.environment["calls"].update(looks=said)))
