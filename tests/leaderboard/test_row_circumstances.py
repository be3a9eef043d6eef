"""What a run may say of its circumstances beside what every run says."""

from typing import Any

import pytest
from checking_toys import changed
from leaderboard_toys import row_of

from mtlattack.evidence import Evidence

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.mark.parametrize("said", [{"judge": 1.8, "search": 2.3}, {"judge": None, "search": None}, None])
def test_a_run_with_cuda_graphs_may_enter(said: Any, tiny_evidence: Evidence) -> None:
    row, _ = row_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))
    assert row.attacks


@pytest.mark.parametrize("said", [{"judge": -1.0}, {"jury": 1.0}, {"judge": "fast"}, 2.0])
def test_nothing_else_of_them(said: Any, tiny_evidence: Evidence) -> None:
    with pytest.raises(Exception, match=r"evidence: environment: cuda_graphs"):
        row_of(changed(tiny_evidence, lambda e: e.environment.update(cuda_graphs=said)))
