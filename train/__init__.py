"""STAGE TWO: cached features to a fitted method and its scores.

Read first: `RelationNetwork` (relation.py) and `train_drsl` (loop.py).
"""

from drsl.train.methods import get_method, method_names, read_method
from drsl.train.relation import RelationNetwork
from drsl.train.score import top_k

__all__ = ["RelationNetwork", "get_method", "method_names", "read_method", "top_k"]
