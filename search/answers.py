"""Answers as JSON and CSV: the same for `drsl search --json` and for the HTTP interface of `drsl serve`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from drsl.search.searcher import Answer

__all__ = ["COLUMNS", "answer_as_csv", "answer_as_json"]

COLUMNS = ("rank", "id", "text", "image", "label", "score", "right")
"""What is told of each hit."""


def answer_as_json(answer: Answer, query: str, dataset: str, method: str) -> dict[str, Any]:
    """One answer for programs.

    Args:
        answer: from `Searcher`.
        query: the words, the picture's name or the item's id that was asked with.
        dataset: the data set's name.
        method: the method's name.

    Returns:
        Numbers, texts and lists only; scores have six digits after the point.
    """
    return {
        "query": query,
        "dataset": dataset,
        "method": method,
        "expected": answer.expected,
        "expected_is_predicted": answer.predicted,
        "unknown_words": list(answer.unknown_words),
        "hits": [
            {
                "rank": hit.rank,
                "id": hit.item.id,
                "text": hit.item.text,
                "image": hit.item.image,
                "label": hit.item.label,
                "score": round(hit.score, 6),
                "right": hit.right,
            }
            for hit in answer.hits
        ],
    }


def answer_as_csv(found: Mapping[str, Any]) -> str:
    """The hits of an answer as a table.

    Args:
        found: as `answer_as_json` gives it.

    Returns:
        CSV with a head line; texts stand as they are in the manifest.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for hit in found["hits"]:
        writer.writerow(hit | {"right": json.dumps(hit["right"])})  # true and false as in JSON
    return buffer.getvalue()
