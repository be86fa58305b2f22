"""THE RULER: score matrix and labels -> numbers. numpy and numba, never torch, never a model.

Read first: the ranking rule (ranking.py), then `average_precision`. A run's path through the room: `read_scores` ->
`evaluate_scores` -> `write_result` -> `summarize`.
"""

from drsl.evaluate.average_precision import average_precision, mean_average_precision
from drsl.evaluate.curves import precision_recall, precision_scope
from drsl.evaluate.findings import findings
from drsl.evaluate.published import PublishedMap, match_method, published, published_remarks
from drsl.evaluate.queries import Query, mean_over_seeds, read_queries, write_queries
from drsl.evaluate.ranking import tied_pairs, tied_share
from drsl.evaluate.results import Result, evaluate_scores, read_result, write_result
from drsl.evaluate.scores import Scores, ScoreWriter, open_score_writer, read_scores
from drsl.evaluate.significance import (
    Comparison,
    Difference,
    bootstrap_interval,
    compare_to_reference,
    holm,
    sign_flip_p,
)
from drsl.evaluate.streaming import average_precision_of_blocks
from drsl.evaluate.summary import Row, as_csv, summarize
from drsl.evaluate.tables import Table, as_markdown, cost_table, map_table
from drsl.evaluate.top_k import TopK

__all__ = [
    "Comparison",
    "Difference",
    "PublishedMap",
    "Query",
    "Result",
    "Row",
    "ScoreWriter",
    "Scores",
    "Table",
    "TopK",
    "as_csv",
    "as_markdown",
    "average_precision",
    "average_precision_of_blocks",
    "bootstrap_interval",
    "compare_to_reference",
    "cost_table",
    "evaluate_scores",
    "findings",
    "holm",
    "map_table",
    "match_method",
    "mean_average_precision",
    "mean_over_seeds",
    "open_score_writer",
    "precision_recall",
    "precision_scope",
    "published",
    "published_remarks",
    "read_queries",
    "read_result",
    "read_scores",
    "sign_flip_p",
    "summarize",
    "tied_pairs",
    "tied_share",
    "write_queries",
    "write_result",
]
