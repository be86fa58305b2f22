"""What a report shows, as data: `build` gathers it from files, `page` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drsl.evaluate.figures import Curve
from drsl.evaluate.report.examples import Example
from drsl.evaluate.summary import Row
from drsl.evaluate.tables import Table

__all__ = ["Answers", "ClassScore", "Confusion", "Histogram", "ItemMap", "Plot", "Report", "RunFacts"]


@dataclass(frozen=True)
class Plot:
    """One picture of curves."""

    kind: str
    """which specification draws it: a name that `drsl.evaluate.figures.draw` knows"""
    title: str
    """what stands above it"""
    x: str
    """what the horizontal axis shows"""
    y: str
    """what the vertical axis shows"""
    curves: tuple[Curve, ...]
    """one a method"""
    said: str = ""
    """what a reader must know"""


@dataclass(frozen=True)
class ClassScore:
    """One class's mean average precision, by several methods."""

    label: str
    """the class"""
    queries: int
    """queries of this class, both directions"""
    precision: Mapping[str, float | None]
    """method to the mean over seeds and queries; None where no query has a relevant item"""


@dataclass(frozen=True)
class Histogram:
    """How the scores of related and of unrelated pairs are spread."""

    edges: tuple[float, ...]
    """b + 1 ends of bins"""
    related: tuple[float, ...]
    """share of the related pairs in each bin"""
    unrelated: tuple[float, ...]
    """share of the unrelated pairs in each bin"""
    outside: float
    """share of all pairs that lie left or right of the bins"""
    related_pairs: int
    """number of pairs of one class"""
    unrelated_pairs: int
    """number of pairs of two classes"""
    overlap: float
    """probability that an unrelated pair scores higher than a related one; ties count half"""


@dataclass(frozen=True)
class Confusion:
    """What classes the best answers have, by the query's class, in one direction."""

    direction: str
    """`i2t` or `t2i`"""
    classes: tuple[str, ...]
    """class names, those with queries"""
    share: np.ndarray
    """(c, c) rows: class of the query; columns: class of the answers; each row sums to 1"""
    top: int
    """answers a query that are counted"""
    worst: tuple[tuple[str, str, float], ...]
    """(class of the query, class of the answers, share), the most frequent wrong ones"""


@dataclass(frozen=True)
class ItemMap:
    """Test items in the plane: near each other when the method scores them alike."""

    place: np.ndarray
    """(n, 2)"""
    label: np.ndarray
    """(n,) index into `classes`"""
    modality: tuple[str, ...]
    """`image` or `text` of each item"""
    classes: tuple[str, ...]
    """class names"""
    drawn_from: int
    """number of test items; more than n when some were left out by chance"""


@dataclass(frozen=True)
class Answers:
    """What one run's score file says."""

    method: str
    """whose scores"""
    seed: int
    """of which run"""
    histogram: Histogram
    """scores of related and unrelated pairs"""
    confusion: tuple[Confusion, ...]
    """both directions"""
    map: ItemMap | None
    """None for too few items"""
    examples: tuple[Example, ...]
    """queries with their best answers; none for imported features"""


@dataclass(frozen=True)
class RunFacts:
    """What one run was made from and what it cost."""

    method: str
    """its name"""
    seed: int
    """its seed"""
    metrics: Mapping[str, Any]
    """the content of its result file"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """the method's settings as its model file has them; empty when that file is not here"""
    digests: Mapping[str, str] = field(default_factory=dict)
    """`image` and `text` to the digest of the feature file; empty when neither model nor scores are here"""
    machine: str = ""
    """where it was fitted; empty when its cost file does not tell"""


@dataclass(frozen=True)
class Report:
    """What the result files of one data set say."""

    dataset: str
    """its name"""
    rows: list[Row]
    """one a method, best mean mAP first"""
    reference: str | None
    """the method that the others are compared with; None when it has no result"""
    table: Table
    """what each method reaches, published numbers beside ours"""
    costs: Table
    """what each method costs"""
    findings: list[str]
    """what the tables show, in sentences"""
    described: dict[str, str]
    """method to what it is, as far as docs/methods.md says"""
    encoders: dict[str, dict[str, float]]
    """modality to the accuracy of its classifier by split; empty for imported features"""
    plots: tuple[Plot, ...]
    """precision-recall, precision-scope, convergence, fine-tuning"""
    classes: tuple[ClassScore, ...]
    """each class, the hardest first"""
    answers: Answers | None
    """what a score file says; None when none is here"""
    runs: tuple[RunFacts, ...]
    """every run, the best method's first"""
