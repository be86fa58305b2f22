"""The numbers of one run: both directions' mAP, what they rest on, what they cost, and the two curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from drsl.evaluate.average_precision import average_precision_of, check_cutoff, mean_over_queries
from drsl.evaluate.curves import RECALL_LEVELS, interpolated_precision, precision_within
from drsl.evaluate.queries import Query, write_queries
from drsl.evaluate.ranking import ranked_hits, tied_share
from drsl.evaluate.scores import Scores
from drsl.features.atomic import write_json, write_text
from drsl.features.csv_text import csv_text
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.layout import Run

__all__ = [
    "TIED_SHARE_WARNING",
    "Result",
    "evaluate_scores",
    "read_cost",
    "read_machine",
    "read_result",
    "write_result",
]

TIED_SHARE_WARNING = 0.01
"""Above this share of tied pairs a result rests on the order of the gallery, and a warning says so."""
_DIGITS = 6
_MAPS = ("i2t_map", "t2i_map", "mean_map")


@dataclass(frozen=True)
class Result:
    """What `drsl evaluate` writes about one run."""

    metrics: dict[str, float | int]
    """the flat content of the run's JSON: `i2t_map`, `t2i_map`, `mean_map`, ..., then the cost"""
    precision_recall: tuple[tuple[float, float, float], ...]
    """points (recall, precision of i2t, precision of t2i)"""
    precision_scope: tuple[tuple[float, float, float], ...]
    """points (scope, precision of i2t, precision of t2i)"""
    warnings: tuple[str, ...] = field(default=())
    """what a reader of the numbers must know, one sentence each"""
    queries: tuple[Query, ...] = field(default=())
    """each query's average precision: the images', then the texts'"""


def evaluate_scores(
    scores: Scores, *, scope: Sequence[int], at: Sequence[int], cost: Mapping[str, float | int]
) -> Result:
    """Judges a run's scores in both directions: image queries over texts (i2t) and text queries over images (t2i).

    Args:
        scores: the scores of all test images against all test texts.
        scope: the values of R of the precision-scope curve; those larger than a gallery are left out.
        at: the cut-offs R of mAP@R.
        cost: what fitting and scoring took, by name (`fit_seconds`, `score_seconds`, `peak_memory_mb`); passed on.

    Returns:
        Its metrics and curves. `i2t_queries` counts the queries of a direction, `i2t_gallery` its gallery items,
        `i2t_empty_queries` the queries that have no relevant item and are left out of every mean, and
        `i2t_tied_pairs` is the share of pairs of gallery items with equal scores.

    Raises:
        UserError: a score is NaN or infinite; names the method.
        SettingError: a cut-off or scope is not a positive whole number, or no scope fits both galleries.
        ValueError: the name of a cost is that of a metric.

    >>> label = np.array([0, 1])
    >>> scores = Scores(np.eye(2, dtype=np.float32), label.astype(str), label.astype(str), label, label, ("a", "b"))
    >>> evaluate_scores(scores, scope=[1], at=[1], cost={}).metrics["mean_map"]
    1.0
    """
    fitting = _fitting_scope(scope, min(scores.score.shape))
    cutoffs = [check_cutoff(each) for each in at]
    name = str(scores.attrs["method"]) if "method" in scores.attrs else None
    directions = {
        "i2t": _Direction(scores.score, scores.image_label, scores.text_label, fitting, cutoffs, name),
        "t2i": _Direction(scores.score.T, scores.text_label, scores.image_label, fitting, cutoffs, name),
    }
    metrics: dict[str, float | int] = {f"{key}_map": each.map for key, each in directions.items()}
    metrics["mean_map"] = sum(metrics.values()) / 2
    for row, cutoff in enumerate(cutoffs):
        metrics |= {f"{key}_map_at_{cutoff}": each.map_at[row] for key, each in directions.items()}
    for key, each in directions.items():
        metrics |= {f"{key}_{what}": count for what, count in each.counts.items()}
    if taken := sorted(metrics.keys() & cost.keys()):
        raise ValueError(f"a cost cannot be named {taken[0]!r}: a metric is")
    metrics |= cost
    return Result(
        metrics={key: _rounded(value) for key, value in metrics.items()},
        precision_recall=_points(RECALL_LEVELS, [each.precision_recall for each in directions.values()]),
        precision_scope=_points(fitting, [each.precision_scope for each in directions.values()]),
        warnings=tuple(
            f"{key}: {each.counts['tied_pairs']:.1%} of the pairs of gallery items have equal scores, so the order of "
            "the gallery decides part of the result"
            for key, each in directions.items()
            if each.counts["tied_pairs"] > TIED_SHARE_WARNING
        ),
        queries=tuple(
            Query(key, str(id), scores.classes[label], value)
            for key, ids, labels in (
                ("i2t", scores.image_id, scores.image_label),
                ("t2i", scores.text_id, scores.text_label),
            )
            for id, label, value in zip(ids, labels.tolist(), directions[key].each, strict=True)
        ),
    )


class _Direction:
    """The metrics of one direction, from one ranking of the gallery."""

    def __init__(
        self,
        score: np.ndarray,
        query_label: np.ndarray,
        gallery_label: np.ndarray,
        scope: Sequence[int],
        at: Sequence[int],
        name: str | None,
    ) -> None:
        blocks = [
            (
                hits.count > 0,
                np.stack([average_precision_of(hits, cutoff) for cutoff in (None, *at)], axis=1),
                interpolated_precision(hits),
                precision_within(hits, scope),
            )
            for hits in ranked_hits(score, query_label, gallery_label, name=name)
        ]
        has_relevant, *columns = (np.concatenate(column) for column in zip(*blocks, strict=True))
        self.each: list[float] = columns[0][:, 0].tolist()
        means = [mean_over_queries(column, has_relevant) for column in columns]
        (self.map, *self.map_at), self.precision_recall, self.precision_scope = (each.tolist() for each in means)
        self.counts: dict[str, float | int] = {
            "queries": len(has_relevant),
            "gallery": score.shape[1],
            "empty_queries": int(np.count_nonzero(~has_relevant)),
            "tied_pairs": tied_share(score),
        }


def _points(places: Sequence[float], precisions: Sequence[Sequence[float]]) -> tuple[tuple[float, float, float], ...]:
    """Both directions' precision at each place."""
    return tuple((place, _rounded(i2t), _rounded(t2i)) for place, i2t, t2i in zip(places, *precisions, strict=True))


def write_result(run: Run, result: Result) -> None:
    """Writes a run's metrics (JSON), curves and queries (CSV), each in one piece; the metrics last.

    Args:
        run: the run's file names.
        result: what `evaluate_scores` found.

    Raises:
        UserError: there is no query with a relevant item, so there is no mAP; a cost is not finite; or a file cannot
            be written. In the first two cases nothing is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = Run(Path(folder), seed=0)
    ...     write_result(run, Result({"i2t_map": 0.5, "t2i_map": 0.3, "mean_map": 0.4}, (), ()))
    ...     read_result(run.result)["mean_map"]
    0.4
    """
    if any(np.isnan(result.metrics[key]) for key in _MAPS):
        raise UserError(
            f"{run.result}: there is no mAP, because no query has a relevant item in the gallery: the test images and "
            "the test texts need a class in common; correct the splits of the manifest"
        )
    if bad := [key for key, value in result.metrics.items() if isinstance(value, float) and not np.isfinite(value)]:
        raise UserError(f"{run.result}: {bad[0]} is {result.metrics[bad[0]]}: fit the method again")
    write_queries(run.queries, result.queries)
    write_text(run.precision_recall, csv_text(("recall", "i2t_precision", "t2i_precision"), result.precision_recall))
    write_text(run.precision_scope, csv_text(("scope", "i2t_precision", "t2i_precision"), result.precision_scope))
    write_json(run.result, result.metrics)


def read_cost(run: Run) -> dict[str, float | int]:
    """Reads what fitting and scoring took.

    Args:
        run: the run's file names.

    Returns:
        What `evaluate_scores` takes as `cost`.

    Raises:
        MissingFile: there is no such file; names the command that makes it.
    """
    return {key: value for key, value in _told(run).items() if not isinstance(value, str)}


def read_machine(run: Run) -> str:
    """Reads what machine a run was fitted on.

    Args:
        run: the run's file names.

    Returns:
        One line; empty when the cost file does not tell, or is not there.
    """
    return str(_told(run).get("machine", "")) if run.cost.is_file() else ""


def _told(run: Run) -> dict[str, Any]:
    if not run.cost.is_file():
        dataset, method = run.folder.parent.name, run.folder.name
        place = run.cost.relative_to(run.folder.parent.parent.parent).as_posix()
        raise MissingFile(f"{place} is not there: run `drsl fit -d {dataset} -m {method} -s {run.seed}`")
    return dict(json.loads(run.cost.read_text("utf-8")))


def read_result(path: Path) -> dict[str, Any]:
    """Reads a run's metrics.

    Args:
        path: `results/<dataset>/<method>/<seed>.json`.

    Returns:
        The flat mapping that `write_result` wrote.

    Raises:
        MissingFile: there is no such file; names the command that makes it.
        DamagedFile: it is not JSON, or lacks a mAP; names the command that makes it again.

    >>> read_result(Path("results/pascal/cca/0.json"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    drsl.features.errors.MissingFile: ... is not there: make it with `drsl evaluate -d pascal -m cca -s 0`
    """
    path = Path(path)
    repair = f"`drsl evaluate -d {path.parent.parent.name} -m {path.parent.name} -s {path.stem}`"
    if not path.is_file():
        raise MissingFile(f"{path} is not there: make it with {repair}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not all(np.isfinite(found[key]) for key in _MAPS):
            raise ValueError("a mAP is not a finite number")
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise DamagedFile(f"{path} is damaged or not a result ({reason}): make it again with {repair}") from None
    return dict(found)


def _fitting_scope(scope: Sequence[int], gallery: int) -> list[int]:
    """The scopes that fit the smaller gallery; all are unfit for an empty one, which has no mAP anyway."""
    whole = [check_cutoff(each, "scope") for each in scope]
    fitting = [each for each in whole if each <= gallery]
    if whole and gallery and not fitting:
        raise SettingError(
            f"scope: none of {', '.join(map(str, whole))} fits the smaller gallery of {gallery} items: give values "
            f"from 1 to {gallery}"
        )
    return fitting


def _rounded(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return round(value, _DIGITS) if isinstance(value, float) else value
