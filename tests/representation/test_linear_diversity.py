"""Diversity by its definition, and the shapes of the bounds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtlattack.errors import InputError
from mtlattack.representation import linear
from mtlattack.representation.linear import Problem, Size, Squared

SMALL = Problem(dimension=6, rank=2, sources=5, weakest=0.5)
SIZE = Size(dimension=40, rank=3, sources=16, source_examples=40, target_examples=100, nu=0.5, least_risk=0.2)


def test_what_is_searched_for_is_the_closed_form_without_an_attack() -> None:
    tasks = linear.draw_tasks(SMALL, range(2))
    torch.testing.assert_close(
        linear.estimate_nu(Squared(), tasks, 0.0, tries=2), linear.clean_nu(tasks), rtol=0.01, atol=0
    )


@pytest.mark.slow
def test_no_representation_contradicts_nu() -> None:
    tasks = linear.draw_tasks(SMALL, range(3))
    nu, loss = linear.estimate_nu(Squared(), tasks, 0.2, tries=2), Squared()
    basis = torch.linalg.qr(torch.randn(3, 6, 2).double()).Q.mT
    target = linear.least_risk(loss, tasks, basis, 0.2, "l2") - linear.least_risk(loss, tasks, tasks.basis, 0.2, "l2")
    risk = linear.population(loss, tasks, tasks.sources, 0.2, "l2")
    gaps = []
    for heads in (basis, tasks.basis):  # each source's best head is sought as if it were alone
        best = torch.stack(
            [
                linear.minimise_head(linear.population(loss, tasks, tasks.sources[:, j : j + 1], 0.2, "l2"), heads, 1)[
                    :, 0
                ]
                for j in range(5)
            ],
            1,
        )
        gaps.append(risk(best, 0.0).mean(1))
    assert (target <= (gaps[0] - gaps[1]) / nu + 1e-3).all()


@pytest.mark.slow
def test_slack_only_helps_and_unseen_directions_have_none() -> None:
    tasks = linear.draw_tasks(SMALL, range(2))
    assert (
        linear.estimate_nu(Squared(), tasks, 0.1, slack=0.05, tries=1) > linear.estimate_nu(Squared(), tasks, 0.1)
    ).all()
    alone = linear.draw_tasks(Problem(dimension=6, rank=2, sources=1), range(3))
    assert (linear.clean_nu(alone) == 0).all() and (linear.smallest_singular(alone) < 1e-12).all()
    with pytest.raises(InputError, match="slack -1, expected at least 0"):
        linear.estimate_nu(Squared(), tasks, 0.1, slack=-1)


def test_bounds_fall_as_they_say() -> None:
    (a, b), (c, d) = linear.lipschitz(SIZE), linear.lipschitz(replace(SIZE, target_examples=400, nu=1.0))
    assert c == pytest.approx(a / 2) and d == pytest.approx(b / 2)
    noiseless = replace(SIZE, least_risk=0.0)
    assert linear.optimistic(noiseless)[0] == pytest.approx(3 / 100)
    assert linear.optimistic(noiseless)[1] == pytest.approx((9 * 40 / 640 + 3 / 40) / 0.5)


def test_constants_are_found_again() -> None:
    terms = [(1 / m, 0.3) for m in (10, 100, 1000)]
    found = linear.fit_constants(terms, [2 * a + 0.5 * b for a, b in terms])
    np.testing.assert_allclose(found, (2, 0.5), rtol=1e-9)
    with pytest.raises(InputError, match="excess risk 0, expected positive"):
        linear.fit_constants(terms, [1, 0, 1])
