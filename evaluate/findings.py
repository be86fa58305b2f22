"""What the rows say, in a few plain sentences that claim no more than was measured."""

from __future__ import annotations

from collections.abc import Sequence

from drsl.evaluate.results import TIED_SHARE_WARNING
from drsl.evaluate.significance import Comparison
from drsl.evaluate.summary import Row
from drsl.evaluate.tables import show_p

__all__ = ["CONTROL", "LEVEL", "findings"]

LEVEL = 0.05
"""Corrected p values of at most this are called significant."""
CONTROL = "deep-sm"
"""Two classifiers that never see a pair: what every method has to beat."""


def findings(rows: Sequence[Row], reference: str | None) -> list[str]:
    """Says what the table shows.

    Args:
        rows: what `summarize` gives, in any order.
        reference: the method that the others are compared with; None: there is none.

    Returns:
        Sentences: the highest mean, the control against the reference, how many are significantly better or worse, and
        what a reader must know before relying on it.
    """
    found = [_highest(rows)] if rows else []
    compared = {row.method: row.against for row in rows if row.against is not None}
    if reference is not None and CONTROL in compared:
        found.append(_control(compared[CONTROL], reference))
    if reference is not None and compared:
        found += _counts(compared, reference)
    lacking = sorted(row.method for row in rows if row.against is None and row.method != reference)
    if reference is not None and lacking:
        found.append(
            f"Not compared with {reference}: {', '.join(lacking)} (no file of each query's average precision, or other "
            "queries; `drsl evaluate` writes it)."
        )
    if tied := sorted(row.method for row in rows if (row.tied_share or 0) > TIED_SHARE_WARNING):
        found.append(
            f"More than {TIED_SHARE_WARNING:.0%} of the pairs of gallery items have equal scores, so the gallery's "
            f"order decides part of the result: {', '.join(tied)}."
        )
    return found


def _highest(rows: Sequence[Row]) -> str:
    best = max(rows, key=lambda row: row.mean_map)
    over = f" ± {best.mean_map_std:.3f} over {best.seeds} seeds" if best.seeds > 1 else ", one run"
    among = "" if len(rows) == 1 else f"; the highest of {len(rows)} methods looks a little better than it is"
    return f"Highest mean mAP@ALL on test: {best.method}, {best.mean_map:.3f}{over}{among}."


def _control(against: Comparison, reference: str) -> str:
    mean = against.mean
    way = "above" if mean.value > 0 else "below" if mean.value < 0 else "level with"
    sure = "significant" if mean.p <= LEVEL else "which may be chance"
    return (
        f"{CONTROL}, whose two classifiers never see a pair, is {abs(mean.value):.3f} {way} {reference} "
        f"(95 % interval {mean.low:+.3f} to {mean.high:+.3f}, {show_p(mean.p)}: {sure})."
    )


def _counts(compared: dict[str, Comparison], reference: str) -> list[str]:
    better = sorted(key for key, each in compared.items() if each.mean.p <= LEVEL and each.mean.value > 0)
    worse = sorted(key for key, each in compared.items() if each.mean.p <= LEVEL and each.mean.value < 0)
    parts = [
        f"{len(names)} significantly {word}" + (f" ({', '.join(names)})" if names else "")
        for word, names in (("better", better), ("worse", worse))
    ]
    open_ = len(compared) - len(better) - len(worse)
    return [
        f"Against {reference}, of {len(compared)} method{'s' if len(compared) > 1 else ''}: {parts[0]}, {parts[1]}, "
        f"{open_} undecided (paired sign-flip test over test items, Holm's correction, level {LEVEL}).",
        ("Undecided is not equal; the" if open_ else "The")
        + " test speaks of other test items for these fitted methods, not of another split.",
    ]
