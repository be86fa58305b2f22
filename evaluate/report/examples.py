"""A few test texts with the images ranked first for them, right and wrong marked."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from drsl.evaluate.ranking import rank
from drsl.evaluate.scores import read_scores
from drsl.features.errors import UserError
from drsl.features.layout import Run
from drsl.features.manifest import Manifest

__all__ = ["Example", "choose_examples"]

_SIDE = 96
"""Largest side of an embedded picture, pixels."""


@dataclass(frozen=True)
class Example:
    """One text query and its best images."""

    text: str
    """the query"""
    label: str
    """its class"""
    hits: tuple[tuple[str, str, bool, float, str], ...]
    """(picture as a data address, its text, whether it is right, score, its class), best first"""


def choose_examples(run: Run, manifest: Manifest, queries: int = 9, answers: int = 8, seed: int = 0) -> list[Example]:
    """Draws text queries by chance, one a class as far as they go, and ranks the test images for each.

    Args:
        run: whose score file is used.
        manifest: texts and images of the items.
        queries: how many.
        answers: images a query.
        seed: of the draw.

    Returns:
        The examples, in the order of their classes.

    Raises:
        UserError: the score file is missing or damaged, or a picture cannot be read.
    """
    scores = read_scores(run.scores)
    items = manifest.by_id
    order = np.random.default_rng(seed).permutation(len(scores.text_id)).tolist()
    first_of = {int(scores.text_label[row]): row for row in reversed(order)}
    chosen = [first_of[label] for label in sorted(first_of)][:queries]
    examples = []
    for row in chosen:
        column = scores.score[:, row]
        best = rank(column[np.newaxis])[0, :answers]
        found = [items[str(scores.image_id[place])] for place in best.tolist()]
        hits = tuple(
            (
                _picture(manifest.image_path(item)),
                item.text,
                bool(scores.image_label[place] == scores.text_label[row]),
                float(column[place]),
                scores.classes[int(scores.image_label[place])],
            )
            for place, item in zip(best.tolist(), found, strict=True)
        )
        query = items[str(scores.text_id[row])]
        examples.append(Example(query.text, query.label, hits))
    return examples


def _picture(path: Path) -> str:
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from None
    small.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
