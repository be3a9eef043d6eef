"""Tests, corrections and correlations of a transfer against enumeration and scipy."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import spearmanr, wilcoxon

from mtlattack.analysis.transfer.correlation import Pair, permutation_test, spearman
from mtlattack.analysis.transfer.pairs import holm, paired_p


def one(values: np.ndarray) -> np.ndarray:
    """The images as they are alone."""
    return values[None]


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []


def test_p_is_the_share_of_signs_that_reach_the_rank_sum() -> None:
    differences = np.array([0.3, -0.1, 0.7, 1.2, 0.5, -0.2])
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign > 0) for signs in product((-1, 1), repeat=6)
    ]
    observed = ranks[differences > 0].sum()
    middle = ranks.sum() / 2
    expected = np.mean([abs(total - middle) >= abs(observed - middle) for total in sums])
    assert paired_p(differences) == pytest.approx(expected)


def test_p_where_images_tie_or_nothing_differs() -> None:
    tied = np.array([1.0, 1.0, -1.0, 2.0, 3.0, 0.0])
    assert paired_p(tied) == pytest.approx(wilcoxon(tied[:5], method="approx").pvalue)
    assert paired_p(np.zeros(5)) == 1 and paired_p(np.zeros(0)) == 1
    many = np.random.default_rng(0).normal(0.5, 1, 60)
    assert paired_p(many) == pytest.approx(wilcoxon(many, method="approx").pvalue)


def test_one_matrix_is_ranked_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    common, transfer = rng.normal(size=(2, 4, 4))
    off = ~np.eye(4, dtype=bool)
    pair = Pair(one(common), one(transfer), off, shared=len(off))
    assert spearman([pair])[0] == pytest.approx(spearmanr(common[off], transfer[off]).statistic)


@pytest.mark.parametrize("square", [True, False])
def test_p_counts_all_ways_to_label_rows_and_columns(square: bool) -> None:
    rng = np.random.default_rng(1)
    common, transfer = rng.normal(size=(2, 3, 3))
    transfer += 2 * common
    counts = ~np.eye(3, dtype=bool) if square else np.ones((3, 3), bool)
    orders = [(o, o) for o in permutations(range(3))] if square else list(product(permutations(range(3)), repeat=2))
    found = [
        abs(spearmanr(common[np.ix_(rows, columns)][counts], transfer[counts]).statistic) for rows, columns in orders
    ]
    p, count, exact = permutation_test([Pair(one(common), one(transfer), counts, 3 if square else 0)])
    assert (count, exact) == (len(orders), True)
    assert p == pytest.approx(np.mean(np.array(found) >= found[0] - 1e-12))


def test_what_is_source_and_victim_is_permuted_together_and_the_rest_apart() -> None:
    rng = np.random.default_rng(4)
    common, transfer = rng.normal(size=(2, 4, 3))
    counts = ~np.eye(4, 3, dtype=bool)
    counts[2, 2] = True
    orders = [
        ([*shared, *(2 + place for place in rest)], [*shared, 2])
        for shared, rest in product(permutations(range(2)), permutations(range(2)))
    ]
    found = [
        abs(spearmanr(common[np.ix_(rows, columns)][counts], transfer[counts]).statistic) for rows, columns in orders
    ]
    p, count, exact = permutation_test([Pair(one(common), one(transfer), counts, shared=2)])
    assert (count, exact) == (4, True)
    assert p == pytest.approx(np.mean(np.array(found) >= found[0] - 1e-12))


def test_several_matrices_are_permuted_apart_and_ranked_within_themselves() -> None:
    rng = np.random.default_rng(2)
    off = ~np.eye(3, dtype=bool)
    values = rng.normal(size=(2, 3, 3))
    pairs = [
        Pair(one(values[0]), one(values[0] + 100), off, len(off)),
        Pair(one(values[1] * 1000), one(values[1]), off, len(off)),
    ]
    assert spearman(pairs)[0] == pytest.approx(1)
    p, count, exact = permutation_test(pairs)
    assert (count, exact) == (36, True) and p == pytest.approx(1 / 36)
    big = Pair(one(np.arange(64.0).reshape(8, 8)), one(np.arange(64.0).reshape(8, 8)), ~np.eye(8, dtype=bool), 8)
    p, count, exact = permutation_test([big])
    assert (count, exact) == (9999, False) and 1 / 10000 <= p < 0.01


def test_undefined_cells_and_constant_matrices_do_not_count() -> None:
    off = ~np.eye(3, dtype=bool)
    common, transfer = np.random.default_rng(3).normal(size=(2, 3, 3))
    transfer[0, 1] = np.nan
    ok = off & np.isfinite(transfer)
    pair = Pair(one(common), one(transfer), off, len(off))
    assert spearman([pair])[0] == pytest.approx(spearmanr(common[ok], transfer[ok]).statistic)
    assert not Pair(one(np.ones((3, 3))), one(common), off, len(off)).varies
    assert np.isnan(spearman([Pair(one(np.ones((3, 3))), one(common), off, len(off))])[0])
