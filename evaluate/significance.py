"""Whether a method is better than another, or the test queries happen to suit it.

Paired sign-flip permutation test: if two methods were the same, the sign of each item's difference of average
precision would be a matter of chance; the p value is the share of all sign patterns whose mean difference is at least
as far from zero as the one that was found. An item's image query and text query flip together, for what makes the one
hard makes the other hard. Holm's correction keeps the chance of any false finding among several methods at the level.
The bootstrap interval draws items anew. All three speak of other test items for the same fitted methods, not of other
splits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drsl.evaluate.queries import DIRECTIONS

__all__ = ["Comparison", "Difference", "bootstrap_interval", "compare_to_reference", "holm", "sign_flip_p"]

DRAWS = 20_000
"""Sign patterns that are drawn, and bootstrap samples; as many patterns or fewer are all gone through."""
_LEVEL = 0.95
"""Share of the samples inside an interval."""
_BLOCK = 4_000_000
"""Numbers that are held at a time."""


@dataclass(frozen=True)
class Difference:
    """A method's mean average precision less the reference's."""

    value: float
    """method - reference; above zero: the method is better"""
    low: float
    """lower end of the 95 % bootstrap interval"""
    high: float
    """its upper end"""
    p: float
    """of the two-sided test, after Holm's correction over the methods"""
    p_alone: float
    """the same before the correction"""


@dataclass(frozen=True)
class Comparison:
    """A method against the reference, both directions together and apart."""

    mean: Difference
    """of the mean of both directions' mAP@ALL"""
    i2t: Difference
    """of image queries over texts"""
    t2i: Difference
    """of text queries over images"""


def compare_to_reference(
    queries: Mapping[str, Mapping[tuple[str, str], float]], reference: str, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Comparison]:
    """Tests each method against a reference on the same queries.

    Args:
        queries: method to (direction, id) to average precision, as `mean_over_seeds` gives it.
        reference: one of the methods.
        draws: sign patterns and bootstrap samples at most.
        seed: of the draws.

    Returns:
        Each other method to its comparison; those with other queries than the reference's are left out.

    >>> better = {("i2t", str(row)): 0.5 + 0.01 * row for row in range(10)}
    >>> found = compare_to_reference({"a": better, "b": {key: 0.4 for key in better}}, "b")
    >>> found["a"].i2t.p == 2 / 2**10
    True
    """
    base = queries[reference]
    same = [method for method in queries if method != reference and queries[method].keys() == base.keys()]
    if not base:
        return {}
    found: dict[str, list[tuple[float, float, float, float]]] = {method: [] for method in same}
    for directions in (DIRECTIONS, *((each,) for each in DIRECTIONS)):
        chosen = [key for key in base if key[0] in directions]
        place = {id: row for row, id in enumerate(dict.fromkeys(id for _, id in chosen))}
        item = np.array([place[id] for _, id in chosen], dtype=np.int64)
        count = {each: sum(key[0] == each for key in chosen) for each in directions}
        asked = sum(count[each] > 0 for each in directions)
        weight = np.array([1 / (asked * count[key[0]]) for key in chosen])
        shares = np.zeros((len(place), len(same)))
        for column, method in enumerate(same):
            difference = np.array([queries[method][key] - base[key] for key in chosen])
            shares[:, column] = np.bincount(item, weights=weight * difference, minlength=len(place))
        for method, share, ends in zip(same, shares.T, _intervals(shares, _LEVEL, draws, seed), strict=True):
            found[method].append((float(share.sum()), *ends, sign_flip_p(share, draws=draws, seed=seed)))
    corrected = [holm([found[method][part][3] for method in same]) for part in range(3)]
    return {
        method: Comparison(
            *(Difference(*found[method][part][:3], corrected[part][row], found[method][part][3]) for part in range(3))
        )
        for row, method in enumerate(same)
    }


def sign_flip_p(difference: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p value of the sum of paired differences, when each sign is as likely as the other.

    Args:
        difference: (n,) differences of pairs.
        draws: sign patterns that are drawn; when there are no more than these, all are gone through.
        seed: of the draws.

    Returns:
        The share of sign patterns whose sum is as far from zero as the given one, or farther; of drawn patterns with
        the given one counted in, so never 0. 1 when there is no difference.

    >>> sign_flip_p(np.array([0.1, 0.2, 0.3]))
    0.25
    """
    moved = np.asarray(difference, dtype=np.float64)
    moved = moved[moved != 0]  # the sign of zero changes nothing
    if not len(moved):
        return 1.0
    limit = abs(moved.sum()) - 1e-12 * np.abs(moved).sum()  # rounding must not part equal sums
    if len(moved) < 63 and 2 ** len(moved) <= draws:
        patterns = np.arange(2 ** len(moved))[:, np.newaxis] >> np.arange(len(moved)) & 1
        return float((np.abs(2 * (patterns @ moved) - moved.sum()) >= limit).mean())
    draw = np.random.default_rng(seed)
    rows, reached = max(1, _BLOCK // len(moved)), 0
    for start in range(0, draws, rows):
        signs = draw.integers(0, 2, (min(rows, draws - start), len(moved)), dtype=np.int8)
        reached += int((np.abs(2 * (signs @ moved) - moved.sum()) >= limit).sum())
    return (reached + 1) / (draws + 1)


def bootstrap_interval(
    difference: np.ndarray, *, level: float = _LEVEL, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the sum of paired differences when the pairs are drawn anew, with replacement.

    Args:
        difference: (n,) differences of pairs, each divided by n for an interval of the mean.
        level: share of the samples inside.
        draws: samples.
        seed: of the draws.

    Returns:
        Lower and upper end; both 0 without a pair.

    >>> bootstrap_interval(np.full(4, 0.25))
    (1.0, 1.0)
    """
    return _intervals(np.asarray(difference, dtype=np.float64)[:, np.newaxis], level, draws, seed)[0]


def _intervals(differences: np.ndarray, level: float, draws: int, seed: int) -> list[tuple[float, float]]:
    """The interval of each column's sum, (n, m), all from the same samples of the rows."""
    items, columns = differences.shape
    if not items or not columns:
        return [(0.0, 0.0)] * columns
    draw = np.random.default_rng(seed)
    rows = max(1, _BLOCK // items)
    sums = []
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        chosen = draw.integers(0, items, (count, items), dtype=np.int32)
        place = chosen + items * np.arange(count)[:, np.newaxis]
        often = np.bincount(place.ravel(), minlength=count * items).reshape(count, items)
        sums.append(often.astype(np.float64) @ differences)
    low, high = np.quantile(np.concatenate(sums), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction for several tests: rejecting where a value is at most the level errs at all at most so often.

    Args:
        p: p values of the single tests.

    Returns:
        The corrected values, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda each: p[each])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        found[place] = largest
    return found
