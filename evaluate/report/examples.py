"""Some test queries with their best answers: those that went best, those that went worst, and some by chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from drsl.evaluate.queries import Query
from drsl.evaluate.ranking import rank
from drsl.evaluate.report.pictures import Thumbnails
from drsl.evaluate.scores import Scores
from drsl.features.items import Item
from drsl.features.manifest import Manifest

__all__ = ["CHOICES", "Card", "Example", "choose_examples"]

CHOICES = ("best", "worst", "random")
"""How a query was chosen."""
_LONGEST = 160
"""Letters of a text that are shown."""


@dataclass(frozen=True)
class Card:
    """An item as it is shown."""

    id: str
    """its id"""
    picture: str
    """its picture as a data address; empty when it has none"""
    text: str
    """its text, shortened; may be empty"""
    label: str
    """its class"""
    score: float = math.nan
    """what the method scored; NaN for a query"""
    right: bool = False
    """whether it has the query's class"""


@dataclass(frozen=True)
class Example:
    """One query and its best answers."""

    choice: str
    """`best`, `worst` or `random`"""
    direction: str
    """`i2t`: an image asks for texts; `t2i`: a text asks for images"""
    query: Card
    """what asks"""
    average_precision: float
    """of this query's whole ranking"""
    hits: tuple[Card, ...]
    """best first"""


def choose_examples(
    scores: Scores, queries: Sequence[Query], manifest: Manifest, each: int = 3, answers: int = 10, seed: int = 0
) -> tuple[Example, ...]:
    """Picks queries, no two of a kind from one class as far as classes go, and ranks the gallery for each.

    Args:
        scores: of all test images against all test texts.
        queries: each query's average precision in the same run.
        manifest: texts and images of the items.
        each: how many of a kind and direction.
        answers: answers a query.
        seed: of the random ones.

    Returns:
        Examples of both directions; queries without a relevant item are no candidates.

    Raises:
        UserError: a picture cannot be read.
    """
    items, thumbnails = manifest.by_id, Thumbnails()

    def card(id: str, label: str, score: float = math.nan, right: bool = False) -> Card:
        item: Item = items[id]
        picture = thumbnails.of(manifest.image_path(item)) if item.image else ""
        return Card(id, picture, _shortened(item.text), label, score, right)

    found = []
    for direction, ids, labels, gallery, gallery_label, score in _directions(scores):
        value = {query.id: query.average_precision for query in queries if query.direction == direction}
        known = [row for row, id in enumerate(ids) if not math.isnan(value.get(id, math.nan))]
        order = sorted(known, key=lambda row: (-value[ids[row]], row))
        chance = np.random.default_rng(seed).permutation(np.array(known, dtype=np.int64)).tolist()
        for choice, candidates in zip(CHOICES, (order, order[::-1], chance), strict=True):
            for row in _spread(candidates, labels, each):
                best = rank(score[row][np.newaxis])[0, :answers].tolist()
                hits = tuple(
                    card(
                        gallery[place],
                        scores.classes[gallery_label[place]],
                        float(score[row, place]),
                        bool(gallery_label[place] == labels[row]),
                    )
                    for place in best
                )
                query = card(ids[row], scores.classes[labels[row]])
                found.append(Example(choice, direction, query, value[ids[row]], hits))
    return tuple(found)


def _directions(
    scores: Scores,
) -> Iterator[tuple[str, list[str], list[int], list[str], list[int], np.ndarray]]:
    """Direction, ids and labels of its queries, ids and labels of its gallery, scores with a row a query."""
    image, text = [str(each) for each in scores.image_id], [str(each) for each in scores.text_id]
    image_label, text_label = scores.image_label.tolist(), scores.text_label.tolist()
    yield "i2t", image, image_label, text, text_label, scores.score
    yield "t2i", text, text_label, image, image_label, scores.score.T


def _spread(candidates: Iterable[int], labels: Sequence[int], count: int) -> list[int]:
    """The first candidates, each of another class; those of a class that was there only when classes run out."""
    rows = list(candidates)
    first: dict[int, int] = {}
    for row in rows:
        first.setdefault(labels[row], row)
    chosen = list(first.values())[:count]
    return [*chosen, *(row for row in rows if row not in chosen)][:count]


def _shortened(text: str) -> str:
    plain = " ".join(text[: 10 * _LONGEST].split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1].rstrip() + "…"
