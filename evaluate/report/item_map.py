"""Test items of both modalities in the plane, from what a method scores.

A relation score is no distance, and not every method has a common space; what all have is the score matrix S. Centred
by rows and columns, S = U D V': images take the rows of U D^(1/2), texts those of V D^(1/2), so the inner product of an
image and a text is their score (a biplot), and two images are alike when the same texts suit them. The leading
dimensions of these representations are laid out by t-SNE with cosine distance.

Sources: K. R. Gabriel, "The biplot graphic display of matrices", Biometrika 58 (1971); L. van der Maaten, G. Hinton,
"Visualizing data using t-SNE", JMLR 9 (2008).
"""

from __future__ import annotations

import numpy as np

from drsl.evaluate.report.content import ItemMap
from drsl.evaluate.scores import Scores

__all__ = ["map_items", "represent_by_scores"]

_FEWEST = 5
"""Items a modality below which there is nothing to lay out."""


def map_items(scores: Scores, most: int = 500, seed: int = 0) -> ItemMap | None:
    """Lays the test items out in the plane.

    Args:
        scores: of all test images against all test texts.
        most: items a modality; of more, so many are drawn by chance.
        seed: of the draw and the layout.

    Returns:
        The places; None when a modality has fewer than five items, or all its scores are equal.
    """
    images, texts = (_some(count, most, seed) for count in scores.score.shape)
    if min(len(images), len(texts)) < _FEWEST:
        return None
    image, text = represent_by_scores(scores.score[np.ix_(images, texts)])
    points = np.concatenate([image, text])
    if not points.size or not np.linalg.norm(points, axis=1).all():
        return None
    return ItemMap(
        place=_lay_out(points / np.linalg.norm(points, axis=1, keepdims=True), seed),
        label=np.concatenate([scores.image_label[images], scores.text_label[texts]]),
        modality=("image",) * len(images) + ("text",) * len(texts),
        classes=scores.classes,
        drawn_from=sum(scores.score.shape),
    )


def represent_by_scores(score: np.ndarray, width: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Represents images and texts so that inner products are the centred scores, as nearly as `width` numbers allow.

    Args:
        score: (n_i, n_t).
        width: of the representations at most.

    Returns:
        (n_i, k) and (n_t, k) float64 with k of at most `width`; directions with no share in the scores are left out.
    """
    centred = score.astype(np.float64)
    centred -= centred.mean(axis=1, keepdims=True)
    centred -= centred.mean(axis=0, keepdims=True)
    left, strength, right = np.linalg.svd(centred, full_matrices=False)
    kept = min(width, int(np.count_nonzero(strength > 1e-9 * max(strength[0], 1e-30)))) if len(strength) else 0
    root = np.sqrt(strength[:kept])
    # The sign of a singular pair is free; settled, so that machines agree.
    turn = np.sign(left[np.abs(left[:, :kept]).argmax(axis=0), np.arange(kept)]) if kept else np.zeros(0)
    return left[:, :kept] * root * turn, right[:kept].T * root * turn


def _some(count: int, most: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def _lay_out(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(points) - 1) / 3)
    layout = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed)
    with threadpool_limits(1):  # several threads add in no fixed order
        return np.asarray(layout.fit_transform(points.astype(np.float32)), dtype=np.float64)
