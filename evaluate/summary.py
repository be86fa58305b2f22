"""Tables over seeds: mean and standard deviation of each method's mAP, beside the published numbers."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from drsl.evaluate.published import PublishedMap, match_method
from drsl.features.errors import UserError

__all__ = ["Row", "as_csv", "as_markdown", "summarize"]


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


def summarize(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """Puts each method's runs together.

    Args:
        results: method to its runs' metrics, one mapping a seed, as `read_result` gives them.

    Returns:
        One row a method, in the order given.

    Raises:
        UserError: a method has no run.

    >>> runs = [{"i2t_map": 0.5, "t2i_map": 0.3, "mean_map": 0.4}, {"i2t_map": 0.7, "t2i_map": 0.3, "mean_map": 0.5}]
    >>> row = summarize({"drsl-c": runs})[0]
    >>> round(row.i2t_map, 3), round(row.i2t_map_std, 3), row.seeds
    (0.6, 0.141, 2)
    """
    return [_row(method, runs) for method, runs in results.items()]


def as_markdown(rows: Sequence[Row], published: Mapping[str, PublishedMap]) -> str:
    """Draws a table for people, with the published numbers where there are any.

    Args:
        rows: what `summarize` gives.
        published: the paper's name of a method to its numbers, as `published` gives them; may be empty.

    Returns:
        A Markdown table that ends with a line end. A standard deviation is shown for two seeds or more; the columns
        of published numbers are left out when the table of them is empty.

    >>> row = Row("cca", 1, 0.25, 0.0, 0.35, 0.0, 0.3, 0.0, 1.5)
    >>> print(as_markdown([row], {"CCA": PublishedMap(0.225, 0.227, 0.226)}).splitlines()[-1])
    | cca | 1 | 0.250 | 0.350 | 0.300 | 0.225 | 0.227 | 0.226 | 1.5 |
    """
    theirs = ["published i2t", "published t2i", "published mean"] if published else []
    lines = [["method", "seeds", "i2t mAP", "t2i mAP", "mean mAP", *theirs, "fit seconds"]]
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for row in rows:
        numbers = match_method(row.method, published)
        printed = [f"{number:.3f}" for number in numbers] if numbers else ["–"] * 3
        lines.append(
            [
                row.method,
                str(row.seeds),
                *(_spread(row, key) for key in ("i2t_map", "t2i_map", "mean_map")),
                *(printed if theirs else []),
                "–" if row.fit_seconds is None else f"{row.fit_seconds:.1f}",
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_csv(rows: Sequence[Row]) -> str:
    """Draws a table for programs.

    Args:
        rows: what `summarize` gives.

    Returns:
        CSV with a head line, one column a field of `Row`, numbers with 6 digits, empty where unknown.

    >>> as_csv([Row("cca", 1, 0.25, 0.0, 0.35, 0.0, 0.3, 0.0, None)]).splitlines()[-1]
    'cca,1,0.25,0.0,0.35,0.0,0.3,0.0,'
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([field.name for field in fields(Row)])
    for row in rows:
        table.writerow([round(value, 6) if isinstance(value, float) else value for value in asdict(row).values()])
    return text.getvalue()


def _row(method: str, runs: Sequence[Mapping[str, Any]]) -> Row:
    if not runs:
        raise UserError(f"{method} has no run: make one with `drsl fit` and `drsl evaluate`")
    spread: dict[str, float] = {}
    for key in ("i2t_map", "t2i_map", "mean_map"):
        values = [float(run[key]) for run in runs]
        spread[key] = statistics.fmean(values)
        spread[f"{key}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
    seconds = [run.get("fit_seconds") for run in runs]
    known = [float(each) for each in seconds if each is not None]
    return Row(
        method=method,
        seeds=len(runs),
        fit_seconds=statistics.fmean(known) if len(known) == len(runs) else None,
        **spread,
    )


def _spread(row: Row, key: str) -> str:
    mean, deviation = getattr(row, key), getattr(row, f"{key}_std")
    return f"{mean:.3f} ± {deviation:.3f}" if row.seeds > 1 else f"{mean:.3f}"
