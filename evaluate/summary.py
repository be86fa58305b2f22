"""A row a method: its mAP over seeds, its costs, how it stands to the reference; and all rows as CSV."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from drsl.evaluate.published import PublishedMap, match_method
from drsl.evaluate.significance import Comparison, Difference
from drsl.features.csv_text import csv_text
from drsl.features.errors import UserError

__all__ = ["Row", "as_csv", "summarize"]


@dataclass(frozen=True)
class Row:
    """One method over its seeds."""

    method: str
    """our name of the method"""
    seeds: int
    """number of runs"""
    i2t_map: float
    """mean over seeds of the mAP@ALL of image queries over texts"""
    i2t_map_std: float
    """its sample standard deviation (divisor: seeds - 1); 0 for a single seed"""
    t2i_map: float
    """the same for text queries over images"""
    t2i_map_std: float
    """its sample standard deviation"""
    mean_map: float
    """mean over seeds of the mean of the two"""
    mean_map_std: float
    """its sample standard deviation"""
    fit_seconds: float | None
    """mean seconds of fitting; None when a run does not tell"""
    score_seconds: float | None = None
    """mean seconds of scoring all test pairs; None when a run does not tell"""
    peak_memory_mb: float | None = None
    """largest peak memory of a run; None when a run does not tell"""
    tied_share: float | None = None
    """mean share of pairs of gallery items with equal scores over runs and directions; None when unknown"""
    against: Comparison | None = None
    """how it stands to the reference; None for the reference itself, or when there is nothing to compare"""


def summarize(
    results: Mapping[str, Sequence[Mapping[str, Any]]], against: Mapping[str, Comparison] | None = None
) -> list[Row]:
    """Puts each method's runs together.

    Args:
        results: method to its runs' metrics, one mapping a seed, as `read_result` gives them.
        against: method to how it stands to the reference, as `compare_to_reference` gives it.

    Returns:
        One row a method, in the order given.

    Raises:
        UserError: a method has no run.

    >>> runs = [{"i2t_map": 0.5, "t2i_map": 0.3, "mean_map": 0.4}, {"i2t_map": 0.7, "t2i_map": 0.3, "mean_map": 0.5}]
    >>> row = summarize({"drsl-c": runs})[0]
    >>> round(row.i2t_map, 3), round(row.i2t_map_std, 3), row.seeds
    (0.6, 0.141, 2)
    """
    return [_row(method, runs, (against or {}).get(method)) for method, runs in results.items()]


def as_csv(
    rows: Sequence[Row], published: Mapping[str, PublishedMap] | None = None, remarks: Mapping[str, str] | None = None
) -> str:
    """Draws a table for programs.

    Args:
        rows: what `summarize` gives.
        published: the paper's name of a method to its numbers, as `published` gives them.
        remarks: the paper's name of a method to a remark, as `published_remarks` gives them.

    Returns:
        CSV with a head line, numbers with 6 digits, empty where unknown: a column a field of `Row`; then the difference
        to the reference of `mean`, `i2t` and `t2i` with the ends of its interval, p corrected and p alone; then the
        published numbers and the remark on them.

    >>> as_csv([Row("cca", 1, 0.25, 0.0, 0.35, 0.0, 0.3, 0.0, None)]).splitlines()[-1][:35]
    'cca,1,0.25,0.0,0.35,0.0,0.3,0.0,,,,'
    """
    own = [field.name for field in fields(Row) if field.name != "against"]
    parts = [field.name for field in fields(Comparison)]
    kinds = [field.name for field in fields(Difference)]
    theirs = ("published_i2t", "published_t2i", "published_mean", "published_remark")
    differences = (f"{part}_difference{'' if kind == 'value' else f'_{kind}'}" for part in parts for kind in kinds)
    lines = []
    for row in rows:
        line = [getattr(row, key) for key in own]
        line += [getattr(getattr(row.against, part), kind) if row.against else None for part in parts for kind in kinds]
        line += [*(match_method(row.method, published or {}) or [None] * 3), match_method(row.method, remarks or {})]
        lines.append([round(value, 6) if isinstance(value, float) else value for value in line])
    return csv_text([*own, *differences, *theirs], lines)


def _row(method: str, runs: Sequence[Mapping[str, Any]], against: Comparison | None) -> Row:
    if not runs:
        raise UserError(f"{method} has no run: make one with `drsl fit` and `drsl evaluate`")
    spread: dict[str, Any] = {}
    for key in ("i2t_map", "t2i_map", "mean_map"):
        values = [float(run[key]) for run in runs]
        spread[key] = statistics.fmean(values)
        spread[f"{key}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
    fit, score = (_known(runs, key) for key in ("fit_seconds", "score_seconds"))
    memory = _known(runs, "peak_memory_mb")
    ties = [_known(runs, f"{direction}_tied_pairs") for direction in ("i2t", "t2i")]
    return Row(
        method=method,
        seeds=len(runs),
        fit_seconds=statistics.fmean(fit) if fit else None,
        score_seconds=statistics.fmean(score) if score else None,
        peak_memory_mb=max(memory) if memory else None,
        tied_share=statistics.fmean([*ties[0], *ties[1]]) if all(ties) else None,
        against=against,
        **spread,
    )


def _known(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """A number of each run; none at all when a run lacks it."""
    found = [run.get(key) for run in runs]
    return [] if None in found else [float(each) for each in found if each is not None]
