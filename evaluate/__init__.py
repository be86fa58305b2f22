"""THE RULER: score matrix and labels -> numbers. numpy and numba, never torch, never a model.

Read first: the ranking rule (ranking.py), then `average_precision`. A run's path through the room: `read_scores` ->
`evaluate_scores` -> `write_result` -> `summarize`.
"""

from drsl.evaluate.average_precision import average_precision, mean_average_precision
from drsl.evaluate.curves import precision_recall, precision_scope
from drsl.evaluate.published import PublishedMap, match_method, published, published_remarks
from drsl.evaluate.ranking import tied_pairs, tied_share
from drsl.evaluate.results import Result, evaluate_scores, read_result, write_result
from drsl.evaluate.scores import Scores, ScoreWriter, open_score_writer, read_scores
from drsl.evaluate.streaming import average_precision_of_blocks
from drsl.evaluate.summary import Row, as_csv, as_markdown, summarize
from drsl.evaluate.top_k import TopK

__all__ = [
    "PublishedMap",
    "Result",
    "Row",
    "ScoreWriter",
    "Scores",
    "TopK",
    "as_csv",
    "as_markdown",
    "average_precision",
    "average_precision_of_blocks",
    "evaluate_scores",
    "match_method",
    "mean_average_precision",
    "open_score_writer",
    "precision_recall",
    "precision_scope",
    "published",
    "published_remarks",
    "read_result",
    "read_scores",
    "summarize",
    "tied_pairs",
    "tied_share",
    "write_result",
]
