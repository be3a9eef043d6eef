"""`leaderboard diff`: paired differences against resampling by hand, every number, and what may not be compared."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from command_toys import bad, good, of_version, put, variant
from leaderboard_toys import row_of, store

from mtlattack.analysis import Interval
from mtlattack.analysis.change import LOSS_FLOOR, resampling_weights
from mtlattack.analysis.report import BOOTSTRAP_SEED
from mtlattack.evidence import Evidence, Outcome
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.comparing.difference import (
    FieldDifference,
    NumberDifference,
    VersionsMixed,
    compare_cards,
    compare_numbers,
    compare_rows,
    evidence_of,
)
from mtlattack.leaderboard.comparing.paired import paired_differences
from mtlattack.leaderboard.rows.numbers import Number, Place, numbers_of

RESAMPLES = 40


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlattack.analysis.report.RESAMPLES", RESAMPLES)


@pytest.fixture
def other_evidence(tiny_evidence: Evidence) -> Evidence:
    """Another model on the same images: what each attack did to it is what the next one did to the first model."""
    attacked = tiny_evidence.attacked
    return replace(tiny_evidence, attacked=[*attacked[1:], attacked[0]])


@pytest.fixture
def other(board: Board, other_evidence: Evidence) -> StoredRow:
    return store(board.root, *row_of(other_evidence, name="other"))


def drawn(outcome: Outcome, images: list[int]) -> Outcome:
    """The outcome on a list of images, with repetitions."""
    return Outcome(*(x[images] if not isinstance(x, dict) else {k: v[images] for k, v in x.items()}
                     for x in vars(outcome).values()))  # fmt: skip


def by_hand(evidence: Evidence, attacked: Outcome, images: list[int]) -> tuple[float, float, float]:
    """Mean log loss ratio, mean loss change and arp on a list of images."""
    clean, attacked = drawn(evidence.clean, images), drawn(attacked, images)
    logs, changes, relative = [], [], []
    for column, (name, task) in enumerate(evidence.tasks.items()):
        ratios = [
            max(attacked.losses[i, column], LOSS_FLOOR) / max(clean.losses[i, column], LOSS_FLOOR)
            for i in range(len(images)) if clean.statistics[name][i, 0] > 0
        ]  # fmt: skip
        logs.append(np.mean([log(ratio) for ratio in ratios]))
        changes.append(np.mean([ratio - 1 for ratio in ratios]))
        before, after = (task.metrics(outcome.statistics[name].sum(0)) for outcome in (clean, attacked))
        signs = {m.name: 1 if m.higher_is_better else -1 for m in task.metric_table}
        gains = [sign * float(after[m] - before[m]) / abs(float(before[m])) for m, sign in signs.items() if before[m]]
        relative.append(np.mean(gains))
    return float(np.mean(logs)), float(np.mean(changes)), float(np.mean(relative))


def test_paired_differences_are_those_of_resampling_by_hand(tiny_evidence: Evidence, other_evidence: Evidence) -> None:
    count = len(tiny_evidence.ids)
    weights = resampling_weights(count, RESAMPLES, BOOTSTRAP_SEED)
    draws = [[i for i in range(count) for _ in range(int(row[i]))] for row in weights]
    found = paired_differences(tiny_evidence, other_evidence)
    assert len(found) == len(tiny_evidence.attacked)
    for place, each in enumerate(found):
        planned = tiny_evidence.plan["attacks"][place]["config"]
        assert (each.attack, each.eps) == (planned["name"], planned["eps"])
        one, two = (np.array([by_hand(e, e.attacked[place], images) for images in draws])
                    for e in (tiny_evidence, other_evidence))  # fmt: skip
        for column, interval in enumerate((each.log_ratio, each.loss_change, each.arp)):
            difference = two[:, column] - one[:, column]
            low, high = np.percentile(difference[1:], [2.5, 97.5])
            expected = pytest.approx((difference[0], low, high), rel=1e-9, abs=1e-12)
            assert (interval.value, interval.low, interval.high) == expected


def test_a_row_does_not_differ_from_itself(tiny_evidence: Evidence, stored: StoredRow) -> None:
    zero = Interval(value=0, low=0, high=0)
    for each in paired_differences(tiny_evidence, tiny_evidence):
        assert each.log_ratio == each.loss_change == each.arp == zero
    compared = compare_rows(stored, stored)
    assert compared.fields == [] and not any(number.differs for number in compared.numbers)
    assert {number.difference for number in compared.numbers} <= {0, None}


def test_the_difference_the_other_way_round_is_its_negative(tiny_evidence: Evidence, other_evidence: Evidence) -> None:
    there, back = (paired_differences(tiny_evidence, other_evidence), paired_differences(other_evidence, tiny_evidence))
    for one, two in zip(there, back, strict=True):
        for a, b in ((one.log_ratio, two.log_ratio), (one.loss_change, two.loss_change), (one.arp, two.arp)):
            assert None not in (b.value, b.low, b.high)
            assert (a.value, a.low, a.high) == pytest.approx((-b.value, -b.high, -b.low), abs=1e-12)  # type: ignore[operator]


def test_pairs_tell_apart_what_intervals_do_not(tiny_evidence: Evidence) -> None:
    """Losses twice as high on every image: log 2 to the last digit, though each model's own interval is wide."""
    doubled = [replace(outcome, losses=2 * outcome.losses) for outcome in tiny_evidence.attacked]
    for each in paired_differences(tiny_evidence, replace(tiny_evidence, attacked=doubled)):
        assert (each.log_ratio.value, each.log_ratio.low, each.log_ratio.high) == pytest.approx([log(2)] * 3)


def test_other_images_cannot_be_paired(tiny_evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="not measured on the same images in the same order"):
        paired_differences(tiny_evidence, replace(tiny_evidence, ids=tiny_evidence.ids[::-1]))


def test_every_number_of_a_row_is_there_once(stored: StoredRow) -> None:
    row, found = stored.row, {number.place: number for number in numbers_of(stored.row)}
    assert len(found) == len(numbers_of(row))
    metrics = sum(len(card.metrics) for card in row.tasks.values())
    # Losses; changes by task; arp, loss change, log ratio, worst; gap, found, four norms, two costs, seconds.
    assert len(found) == metrics + len(row.tasks) + len(row.attacks) * (metrics + len(row.tasks) + 4 + 9)
    for attack in row.attacks:
        for task, values in attack.metrics.items():
            for name, interval in values.items():
                number = found[Place(attack.eps, attack.name, task, name)]
                card = row.tasks[task].metrics[name]
                assert (number.interval, number.clean) == (interval, row.clean[task][name].value)
                assert (number.unit, number.higher_is_better) == (card.unit, card.higher_is_better)
        assert found[Place(attack.eps, attack.name, "all", "log_ratio")].interval == attack.log_ratio
        assert (
            found[Place(attack.eps, attack.name, "depth", "task_change")].interval.value == attack.task_change["depth"]
        )


@pytest.mark.parametrize(
    ("one", "two", "difference", "overlap"),
    [
        ((1, 0, 2), (3, 2, 4), 2, True),
        ((1, 0, 2), (4, 3, 5), 3, False),
        ((4, 3, 5), (1, 0, 2), -3, False),
        ((4, 0, 9), (4, 3, 5), 0, True),
        ((4, None, None), (1, 0, 2), -3, None),
        ((None, None, None), (1, 0, 2), None, None),
    ],
)
def test_difference_and_overlap(
    one: tuple[float, ...], two: tuple[float, ...], difference: float, overlap: bool
) -> None:
    def number(value: float, low: float, high: float) -> Number:
        return Number(Place(0.5, "a", "all", "arp"), "1", "%", True, None, Interval(value=value, low=low, high=high))

    compared = NumberDifference(number(*one), number(*two))
    assert (compared.difference, compared.overlap, compared.differs) == (difference, overlap, True)


def test_cards_are_compared_field_by_field(stored: StoredRow) -> None:
    environment = stored.row.environment.model_copy(update={"versions": {"torch": "0"}})
    changed = variant(stored.row, name="other", paper="https://example.org/").model_copy(
        update={"environment": environment}
    )
    found = compare_cards(stored.row, changed)
    assert FieldDifference("model.name", stored.row.model.name, "other") in found
    assert FieldDifference("model.paper", None, "https://example.org/") in found
    own = stored.row.environment.versions
    assert {each.field for each in found} == {
        "model.name", "model.paper", *(f"environment.versions.{name}" for name in own)
    }  # fmt: skip
    assert FieldDifference("environment.versions.torch", own["torch"], "0") in found


def test_versions_never_mix(board: Board, stored: StoredRow) -> None:
    second = put(board, stored, of_version(stored.row, 2))
    compared = compare_rows(stored, second)
    assert (compared.numbers, compared.paired) == ([], []) and "versions never mix" in (compared.remark or "")
    assert [each.field for each in compared.fields] == ["suite.version"]
    with pytest.raises(VersionsMixed):
        compare_numbers(stored.row, second.row)
    suite = stored.row.suite.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(VersionsMixed, match="has two contents"):
        compare_numbers(stored.row, stored.row.model_copy(update={"suite": suite}))
    shown = good("diff", stored.id, second.id, "--board", board.root)
    assert "do not compare: versions never mix" in shown and "log_ratio" not in shown and "paired" not in shown


def test_without_evidence_intervals_are_all_there_is(board: Board, stored: StoredRow, other: StoredRow) -> None:
    other.evidence_path.unlink()
    compared = compare_rows(stored, other)
    assert compared.paired == [] and compared.numbers
    assert compared.remark == f"no evidence at {other.evidence_path}: the rows cannot be paired"


def test_evidence_of_another_row_is_refused(board: Board, stored: StoredRow, other: StoredRow) -> None:
    assert evidence_of(other) is not None
    other.evidence_path.write_bytes(stored.evidence_path.read_bytes())
    with pytest.raises(ValueError, match=f"has the SHA-256 {stored.row.evidence.sha256}, row {other.id} says"):
        compare_rows(stored, other)


def test_the_command(board: Board, stored: StoredRow, other: StoredRow) -> None:
    shown = good("diff", stored.id, other.id, "--board", board.root)
    assert shown.startswith(f"one: row {stored.id}, ") and f"two: row {other.id}, other on tiny v1" in shown
    assert "model.name" in shown and "linf 2/255: two − one over the same images" in shown
    assert "apart" in shown or "overlap" in shown
    assert max(map(len, shown.splitlines())) <= 100
    narrow = good("diff", stored.id, other.id, "--eps", 4, "--attack", "fgsm-*", "--board", board.root)
    assert "linf 2/255" not in narrow.split("cards:")[1] and "apgd" not in narrow and "fgsm-dgba" in narrow
    assert bad("diff", stored.id, other.id, "--attack", "fgsm-dgbaa", "--board", board.root) == (
        "unknown attack 'fgsm-dgbaa'; did you mean 'fgsm-dgba'?"
    )
    assert "the row has no eps 3, expected one of 2, 4" in bad(
        "diff", stored.id, other.id, "--eps", 3, "--board", board.root
    )
    assert "no row 'x'" in bad("diff", stored.id, "x", "--board", board.root)
