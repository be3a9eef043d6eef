"""Whether two attacks differ on the same images, and how to ask that of many pairs at once."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import wilcoxon

from mtlattack.analysis.resampling import Array


def paired_p(differences: Array) -> float:
    """Two-sided p of differences `[N]` that are symmetric about 0: Wilcoxon's signed-rank test (1945), exact for up to
    50 images without ties; 1 where nothing differs."""
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    ties = len(np.unique(np.abs(differences))) < len(differences)
    method = "approx" if ties or len(differences) > 50 else "exact"
    return float(wilcoxon(differences, method=method).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) of p values for as many questions at once, each at most 1."""
    order = np.argsort(p)
    factors = len(p) - np.arange(len(p))
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p, np.float64)[order] * factors), 1)
    corrected = np.empty(len(p))
    corrected[order] = adjusted
    return corrected.tolist()
