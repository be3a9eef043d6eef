"""`leaderboard diff`: paired differences against resampling by hand, cards, and what may not be compared."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from checking_toys import changed
from command_toys import bad, good, hopeless, of_version, put, without_skill
from leaderboard_toys import row_of, store
from printing_toys import assert_fits

from mtlattack.analysis.change import LOSS_FLOOR
from mtlattack.analysis.report import BOOTSTRAP_SEED
from mtlattack.analysis.resampling import resampling_weights
from mtlattack.cli.leaderboard.diff import _standings
from mtlattack.errors import InputError
from mtlattack.evidence import Evidence, Outcome
from mtlattack.leaderboard.board import Board, StoredRow
from mtlattack.leaderboard.columns import COLUMNS
from mtlattack.leaderboard.comparing.difference import (
    FieldDifference,
    compare_cards,
    compare_rows,
    why_apart,
)
from mtlattack.leaderboard.comparing.difference_tables import render_columns, render_fields, render_paired
from mtlattack.leaderboard.comparing.paired import paired_differences
from mtlattack.leaderboard.rows.deriving import record_of

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
    return Outcome(*(x if x is None else x[images] if not isinstance(x, dict) else {k: v[images] for k, v in x.items()}
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
    clean, *found = paired_differences(tiny_evidence, other_evidence)
    assert (clean.attack, clean.eps) == ("clean", 0) and set(clean.numbers) == {"skill"}
    # Then the ensembles and the robust ones, of each ε.
    names = [(each.attack, each.eps) for each in found[len(tiny_evidence.attacked) :]]
    assert names == [(name, eps) for name in ("standard", "robust") for eps in (2 / 255, 4 / 255)]
    for place, each in enumerate(found[: len(tiny_evidence.attacked)]):
        planned = tiny_evidence.plan["attacks"][place]["config"]
        assert (each.attack, each.eps) == (planned["name"], planned["eps"])
        one, two = (np.array([by_hand(e, e.attacked[place], images) for images in draws])
                    for e in (tiny_evidence, other_evidence))  # fmt: skip
        for column, name in enumerate(("log_ratio", "loss_change", "arp")):
            interval = each.numbers[name]
            difference = two[:, column] - one[:, column]
            low, high = np.percentile(difference[1:], [2.5, 97.5])
            expected = pytest.approx((difference[0], low, high), rel=1e-9, abs=1e-12)
            assert (interval.value, interval.low, interval.high) == expected


def test_skill_is_paired_too(tiny_evidence: Evidence) -> None:
    """Against a model of which nothing is left the difference is what the other has, and its interval that one's."""
    record = record_of(tiny_evidence)
    pairs = paired_differences(hopeless(tiny_evidence), tiny_evidence)
    found = {(each.attack, each.eps): each.numbers for each in pairs}
    zero = found["clean", 0]["skill"]
    assert (zero.value, zero.low, zero.high) == (0, 0, 0)
    for result in record.attacks[: len(tiny_evidence.attacked)]:
        assert result.skill is not None
        assert found[result.name, result.eps]["skill"] == result.skill.mean
    for robust in record.robust_skill:
        assert set(found["robust", robust.eps]) == {"skill"}
        assert found["robust", robust.eps]["skill"] == robust.skill.mean


def test_evidence_that_knows_no_skill_is_paired_without(tiny_evidence: Evidence) -> None:
    for one, two in ((tiny_evidence, without_skill(tiny_evidence)), (without_skill(tiny_evidence), tiny_evidence)):
        found = paired_differences(one, two)
        assert not any("skill" in each.numbers for each in found) and "robust" not in {each.attack for each in found}
        assert sum("log_ratio" in each.numbers for each in found) == len(tiny_evidence.attacked) + 2


def test_a_row_does_not_differ_from_itself(stored: StoredRow) -> None:
    compared = compare_rows(stored, stored)
    assert compared.fields == [] and compared.remark is None
    for each in compared.paired:
        assert {(x.value, x.low, x.high) for x in each.numbers.values()} <= {(0, 0, 0), (None, None, None)}


def test_the_difference_the_other_way_round_is_its_negative(tiny_evidence: Evidence, other_evidence: Evidence) -> None:
    there, back = (paired_differences(tiny_evidence, other_evidence), paired_differences(other_evidence, tiny_evidence))
    for one, two in zip(there, back, strict=True):
        for name, a in one.numbers.items():
            b = two.numbers[name]
            assert None not in (b.value, b.low, b.high)
            assert (a.value, a.low, a.high) == pytest.approx((-b.value, -b.high, -b.low), abs=1e-12)  # type: ignore[operator]


def test_pairs_tell_apart_what_intervals_do_not(tiny_evidence: Evidence) -> None:
    """Losses twice as high on every image: log 2 to the last digit, though each model's own interval is wide."""
    doubled = [replace(outcome, losses=2 * outcome.losses) for outcome in tiny_evidence.attacked]
    for each in paired_differences(tiny_evidence, replace(tiny_evidence, attacked=doubled)):
        if each.attack not in ("clean", "robust"):
            ratio = each.numbers["log_ratio"]
            assert (ratio.value, ratio.low, ratio.high) == pytest.approx([log(2)] * 3)


def test_other_images_cannot_be_paired(tiny_evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="not measured on the same images in the same order"):
        paired_differences(tiny_evidence, replace(tiny_evidence, ids=tiny_evidence.ids[::-1]))


def test_cards_and_runs_are_compared_field_by_field(board: Board, stored: StoredRow, tiny_evidence: Evidence) -> None:
    other = changed(tiny_evidence, lambda e: e.environment.update(versions={"torch": "0"}))
    new = store(board.root, *row_of(other, name="other", paper="https://example.org/"))
    found = compare_cards(stored, new)
    assert FieldDifference("model.name", stored.row.model.name, "other") in found
    assert FieldDifference("model.paper", None, "https://example.org/") in found
    own = stored.record.environment["versions"]
    assert {each.field for each in found} == {
        "model.name", "model.paper", "submitted.at", "evidence.file", "evidence.sha256", "evidence.bytes",
        *(f"environment.versions.{name}" for name in own),
    }  # fmt: skip
    assert FieldDifference("environment.versions.torch", own["torch"], "0") in found


def test_versions_never_mix(board: Board, stored: StoredRow) -> None:
    second = put(board, stored, of_version(stored.row, 2))
    compared = compare_rows(stored, second)
    assert compared.paired == [] and "versions never mix" in (compared.remark or "")
    assert [each.field for each in compared.fields] == ["suite.version"]
    suite = stored.row.suite.model_copy(update={"sha256": "0" * 64})
    remark = why_apart(stored.row, stored.row.model_copy(update={"suite": suite}))
    assert remark is not None and "has two contents" in remark
    shown = good("diff", stored.id, second.id, "--board", board.root)
    assert "do not compare: versions never mix" in shown and "log loss ratio" not in shown and "paired" not in shown


def test_evidence_of_another_row_is_refused(board: Board, stored: StoredRow, other: StoredRow) -> None:
    assert other.read_evidence().ids == stored.read_evidence().ids
    other.evidence_path.write_bytes(stored.evidence_path.read_bytes())
    with pytest.raises(InputError, match=f"evidence.sha256 is .* has {stored.row.evidence.sha256}"):
        compare_rows(stored, board.find(other.id))
    other.evidence_path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        compare_rows(stored, board.find(other.id))


def test_no_table_loses_a_digit_on_a_narrow_terminal(board: Board, stored: StoredRow, other: StoredRow) -> None:
    compared = compare_rows(stored, other)
    assert_fits(render_fields(compared.fields))
    assert_fits(render_columns(*_standings(board, stored, other, None)))
    assert_fits(render_paired(compared.paired, stored.record), encoding="ascii")


def test_the_command(board: Board, stored: StoredRow, other: StoredRow) -> None:
    shown = good("diff", stored.id, other.id, "--board", board.root)
    assert shown.startswith(f"one: row {stored.id}, ") and f"two: row {other.id}, other on tiny v1" in shown
    assert "model.name" in shown and "linf 2/255: two − one over the same images" in shown
    _, _, columns = shown.partition("on the board, linf 4/255")
    for column in COLUMNS:
        assert column.title in columns.partition("two − one")[0]
    assert max(map(len, shown.splitlines())) <= 114
    narrow = good("diff", stored.id, other.id, "--eps", 4, "--attack", "fgsm-*", "--board", board.root)
    assert "linf 2/255" not in narrow.split("cards:")[1] and "fgsm-dgba" in narrow
    assert "apgd-single:depth" not in narrow
    assert bad("diff", stored.id, other.id, "--attack", "fgsm-dgbaa", "--board", board.root) == (
        "unknown attack 'fgsm-dgbaa'; did you mean 'fgsm-dgba'?"
    )
    assert "the row has no eps 3, expected one of 2, 4" in bad(
        "diff", stored.id, other.id, "--eps", 3, "--board", board.root
    )
    assert "no row 'x'" in bad("diff", stored.id, "x", "--board", board.root)
