"""The paper's table of mAP@ALL, as data.

Source: X. Wang, P. Hu, L. Zhen, D. Peng, "DRSL: Deep Relational Similarity Learning for Cross-modal Retrieval",
Information Sciences (2020), tables 1 to 6; the numbers are in `published.csv` beside this file.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

__all__ = ["PublishedMap", "match_method", "published", "published_remarks"]

_Value = TypeVar("_Value")
_SAME_AS = {"drsl-c": "drsl"}
"""The paper calls the variant that concatenates DRSL-C in tables 5 and 6, and plain DRSL in tables 1 to 4."""


class PublishedMap(NamedTuple):
    """One row of the paper's tables."""

    i2t: float
    """mAP@ALL of image queries over texts"""
    t2i: float
    """mAP@ALL of text queries over images"""
    average: float
    """the average as the paper prints it, which is not always the mean of the two"""


def published(dataset: str) -> dict[str, PublishedMap]:
    """What the paper prints for a data set.

    Args:
        dataset: `wikipedia`, `pascal`, `nuswide10k` or `xmedianet`.

    Returns:
        The paper's name of each method to its three numbers, in the paper's order; empty for any other data set.

    >>> published("pascal")["DRSL"]
    PublishedMap(i2t=0.687, t2i=0.705, average=0.696)
    """
    return {
        row["method"]: PublishedMap(float(row["i2t"]), float(row["t2i"]), float(row["average_as_printed"]))
        for row in _rows()
        if row["dataset"] == dataset
    }


def published_remarks(dataset: str) -> dict[str, str]:
    """What is odd about some of the paper's numbers.

    Args:
        dataset: `wikipedia`, `pascal`, `nuswide10k` or `xmedianet`.

    Returns:
        The paper's name of a method to a remark; methods without one are left out.

    >>> published_remarks("wikipedia")["ACMR"]
    'the printed average is a slip: the mean of the two is 0.4455'
    """
    return {row["method"]: row["remark"] for row in _rows() if row["dataset"] == dataset and row["remark"]}


def match_method(method: str, table: Mapping[str, _Value]) -> _Value | None:
    """Finds one of our methods in a table that uses the paper's names.

    Args:
        method: our name, such as `mvda-vc`; case does not matter, and `_` is as good as `-`.
        table: the paper's name to anything, as `published` gives it.

    Returns:
        The table's value; `drsl-c` falls back to the paper's `DRSL`. None when the table lacks the method.

    >>> match_method("drsl-c", published("wikipedia"))
    PublishedMap(i2t=0.523, t2i=0.475, average=0.499)
    """
    by_key = {_key(label): value for label, value in table.items()}
    key = _key(method)
    return by_key.get(key, by_key.get(_SAME_AS.get(key, key)))


def _key(method: str) -> str:
    return method.lower().replace("_", "-")


@cache
def _rows() -> list[dict[str, str]]:
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
