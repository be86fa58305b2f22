"""The average precision of each query of a run, as a file: what significance tests compare."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from drsl.features.atomic import write_text
from drsl.features.csv_text import csv_text
from drsl.features.errors import DamagedFile, MissingFile

__all__ = ["DIRECTIONS", "Query", "mean_over_seeds", "read_queries", "write_queries"]

DIRECTIONS = ("i2t", "t2i")
"""Images ask for texts; texts ask for images."""
_HEAD = ("direction", "id", "class", "average_precision")


class Query(NamedTuple):
    """One query of one direction."""

    direction: str
    """`i2t` or `t2i`"""
    id: str
    """the item that asks"""
    label: str
    """its class"""
    average_precision: float
    """from 0 to 1; NaN where the gallery has no relevant item"""


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    """Writes the average precision of each query, 6 digits; empty where the gallery has no relevant item.

    Args:
        path: `results/<dataset>/<method>/<seed>.queries.csv`.
        queries: image queries in the order of the score matrix, then text queries.

    Raises:
        UserError: the file cannot be written.
    """
    rows = ([*about, "" if math.isnan(value) else f"{value:.6f}"] for *about, value in queries)
    write_text(path, csv_text(_HEAD, rows))


def read_queries(path: Path) -> list[Query]:
    """Reads the average precision of each query.

    Args:
        path: a file that `write_queries` wrote.

    Returns:
        The queries, in the file's order.

    Raises:
        MissingFile: there is no such file; names the command that makes it.
        DamagedFile: it is not such a file; names the command that makes it again.
    """
    path = Path(path)
    seed = path.name.partition(".")[0]
    repair = f"`drsl evaluate -d {path.parent.parent.name} -m {path.parent.name} -s {seed}`"
    if not path.is_file():
        raise MissingFile(f"{path} is not there: make it with {repair}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        if tuple(head) != _HEAD:
            raise ValueError(f"its columns are {', '.join(head)}")
        found = [Query(direction, id, label, float(value or "nan")) for direction, id, label, value in rows]
        if not all(each.direction in DIRECTIONS and not each.average_precision > 1 for each in found):
            raise ValueError("a direction or an average precision is not one")
    except (OSError, ValueError, csv.Error) as error:
        raise DamagedFile(f"{path} is damaged ({error}): make it again with {repair}") from None
    return found


def mean_over_seeds(runs: Sequence[Sequence[Query]]) -> dict[tuple[str, str], float]:
    """The mean over a method's runs of each query's average precision.

    Args:
        runs: the queries of each seed.

    Returns:
        (direction, id) to the mean, in the order of the first run; queries without a relevant item are left out.

    Raises:
        ValueError: the runs do not have the same queries.
    """
    tables = [
        {(each.direction, each.id): each.average_precision for each in run if not math.isnan(each.average_precision)}
        for run in runs
    ]
    if any(table.keys() != tables[0].keys() for table in tables):
        raise ValueError("the runs do not have the same queries")
    return {key: math.fsum(table[key] for table in tables) / len(tables) for key in tables[0]} if tables else {}
