"""Which training items lie next to each other: a sparse graph of nearest neighbours, and what it says of directions."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch

from drsl.features.store import Features

__all__ = ["adjacency_scatter", "nearest", "neighbour_graph", "normalised_adjacency"]

_QUERIES = 2048
"""Items whose neighbours are looked for at a time."""

_ITEMS = 8192
"""Items that are looked through at a time."""

_COLUMNS = 512
"""Features whose neighbours' sums are held in float64 at a time."""


def neighbour_graph(
    features: Features, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray, neighbours: int
) -> scipy.sparse.csr_array:
    """The graph in which two items are joined when one is among the other's nearest, by brute force in blocks.

    Args:
        features: of all splits; z = (x - mean) * scale is what is near.
        rows: (n,) rows of the items.
        mean: (d,)
        scale: (d,) factors.
        neighbours: how many of each item, not counting itself.

    Returns:
        (n, n) sparse float64, symmetric, of ones and zeros; n neighbours numbers or a few more are held, never n x n.
    """
    count = min(neighbours, len(rows) - 1)
    if count < 1:
        return scipy.sparse.csr_array((len(rows), len(rows)), dtype=np.float64)
    found = np.concatenate(
        [
            _nearest_rows(features, rows, mean, scale, start, min(start + _QUERIES, len(rows)), count)
            for start in range(0, len(rows), _QUERIES)
        ]
    )
    indptr = np.arange(0, found.size + 1, count)
    directed = scipy.sparse.csr_array((np.ones(found.size), found.ravel(), indptr), shape=(len(rows),) * 2)
    graph = directed.maximum(directed.T).tocsr()
    graph.sort_indices()
    return graph


def _nearest_rows(
    features: Features, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray, start: int, end: int, count: int
) -> np.ndarray:
    """Places (end - start, count) of the items nearest to a block of items, each without itself."""
    scale, mean = scale.astype(np.float32), mean.astype(np.float32)
    query = torch.from_numpy((features.feature[rows[start:end]] - mean) * scale)
    distance, place = torch.empty(len(query), 0), torch.empty(len(query), 0, dtype=torch.int64)
    for first in range(0, len(rows), _ITEMS):
        items = torch.from_numpy((features.feature[rows[first : first + _ITEMS]] - mean) * scale)
        here = torch.addmm(items.square().sum(dim=1), query, items.T, alpha=-2)
        own = torch.from_numpy(np.arange(max(start, first), min(end, first + len(items))))
        here[own - start, own - first] = torch.inf
        distance = torch.cat([distance, here], dim=1)
        place = torch.cat([place, torch.arange(first, first + len(items)).expand(len(query), -1)], dim=1)
        distance, kept = distance.topk(min(count, distance.shape[1]), dim=1, largest=False)
        place = place.gather(1, kept)
    return np.asarray(place.numpy())


def nearest(query: np.ndarray, items: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The items nearest to each query.

    Args:
        query: (b, k) float32; b times n distances are held.
        items: (n, k) float32.
        count: how many, at most n.

    Returns:
        Euclidean distances (b, count), and places (b, count), nearest first.
    """
    left, right = torch.from_numpy(np.ascontiguousarray(query)), torch.from_numpy(items)
    squares = torch.addmm(right.square().sum(dim=1), left, right.T, alpha=-2)
    found, place = squares.topk(count, dim=1, largest=False)
    distance = (found + left.square().sum(dim=1, keepdim=True)).clamp(min=0).sqrt()
    return distance.numpy(), place.numpy()


def normalised_adjacency(graph: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """D^-1/2 W D^-1/2, whose difference from I is the normalised Laplacian.

    Args:
        graph: W (n, n), symmetric, 0 or more.

    Returns:
        (n, n) sparse; rows of items without neighbours are 0.
    """
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = scipy.sparse.diags_array(np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0))
    return scipy.sparse.csr_array(root @ graph @ root)


def adjacency_scatter(
    features: Features, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray, adjacency: scipy.sparse.csr_array
) -> np.ndarray:
    """ZT A Z of standardised items, in blocks of features and of items.

    Args:
        features: of all splits; z = (x - mean) * scale.
        rows: (n,) rows of the items.
        mean: (d,)
        scale: (d,) factors.
        adjacency: A (n, n), symmetric.

    Returns:
        (d, d) float64, symmetric.
    """
    width = features.feature.shape[1]
    found = np.empty((width, width))
    for left in range(0, width, _COLUMNS):
        part = slice(left, left + _COLUMNS)
        summed = adjacency @ ((features.feature[rows, part] - mean[part]) * scale[part])
        total = np.zeros((width, summed.shape[1]))
        for start in range(0, len(rows), _QUERIES):
            block = (features.feature[rows[start : start + _QUERIES]] - mean) * scale
            total += block.T @ summed[start : start + _QUERIES]
        found[:, part] = total
    return (found + found.T) / 2
