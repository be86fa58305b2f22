"""The report's pictures as inline SVG: histogram, confusion between classes, map of items; Vega-Lite draws them."""

from __future__ import annotations

from typing import Any

from drsl.evaluate.figures import COLORS, as_svg
from drsl.evaluate.report.content import Confusion, Histogram, ItemMap

__all__ = ["MOST_CLASSES", "confusion_chart", "histogram_chart", "map_chart"]

MOST_CLASSES = 40
"""Classes above which a table of all pairs cannot be read; the most frequent mistakes are named in any case."""
_COLORED = 20
"""Classes above which colours cannot be told apart; the others are grey."""
_RELATED, _UNRELATED = "#0072b2", "#d55e00"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def histogram_chart(found: Histogram) -> str:
    """Draws the two kinds of pairs over each other.

    Args:
        found: what `score_histogram` gives.

    Returns:
        SVG.
    """
    rows = [
        {"from": low, "to": high, "share": share, "pairs": kind}
        for kind, shares in (("related", found.related), ("unrelated", found.unrelated))
        for low, high, share in zip(found.edges, found.edges[1:], shares, strict=False)
    ]
    return as_svg(
        {
            "$schema": _SCHEMA,
            "title": "Scores of related and unrelated pairs",
            "width": 560,
            "height": 220,
            "data": {"values": rows},
            "mark": {"type": "bar", "opacity": 0.55, "binSpacing": 0},
            "encoding": {
                "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": "score"},
                "x2": {"field": "to"},
                "y": {"field": "share", "type": "quantitative", "stack": None, "title": "share of the pairs of a kind"},
                "color": {
                    "field": "pairs",
                    "type": "nominal",
                    "scale": {"domain": ["related", "unrelated"], "range": [_RELATED, _UNRELATED]},
                    "title": "pairs",
                },
            },
        }
    )


def confusion_chart(found: Confusion) -> str:
    """Draws the classes of the best answers by the query's class.

    Args:
        found: what `confusion` gives for one direction.

    Returns:
        SVG; with numbers in the cells for a dozen classes or fewer.
    """
    rows = [
        {"query": query, "answer": answer, "share": round(float(found.share[row, column]), 4)}
        for row, query in enumerate(found.classes)
        for column, answer in enumerate(found.classes)
    ]
    side = max(14, min(46, 420 // max(len(found.classes), 1)))
    names = {"sort": list(found.classes), "type": "nominal"}
    place = {
        "x": {"field": "answer", "title": "class of the answers", "axis": {"labelAngle": -45}, **names},
        "y": {"field": "query", "title": "class of the query", **names},
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rect", "color": _RELATED, "stroke": "currentColor", "strokeOpacity": 0.15},
            "encoding": {
                **place,
                "opacity": {
                    "field": "share",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0, 1]},
                    "legend": None,
                },
            },
        }
    ]
    if len(found.classes) <= 12:
        layers.append(
            {
                "mark": {"type": "text", "fontSize": 10},
                "encoding": {
                    **place,
                    "text": {"field": "share", "type": "quantitative", "format": ".2f"},
                    "color": {"condition": {"test": "datum.share > 0.45", "value": "white"}, "value": "currentColor"},
                },
            }
        )
    who = "image queries" if found.direction == "i2t" else "text queries"
    return as_svg(
        {
            "$schema": _SCHEMA,
            "title": f"Classes of the top {found.top}, {who}",
            "width": {"step": side},
            "height": {"step": side},
            "data": {"values": rows},
            "layer": layers,
        }
    )


def map_chart(found: ItemMap) -> str:
    """Draws test items in the plane.

    Args:
        found: what `map_items` gives.

    Returns:
        SVG; the colour is the class, for the twenty most frequent classes, the shape the modality.
    """
    labels = found.label.tolist()
    often = sorted(set(labels), key=lambda label: (-labels.count(label), label))[:_COLORED]
    kept = [found.classes[label] for label in sorted(often)]
    rows = [
        {
            "x": round(x, 3),
            "y": round(y, 3),
            "class": found.classes[label] if label in often else "others",
            "item": modality,
        }
        for (x, y), label, modality in zip(found.place.tolist(), labels, found.modality, strict=True)
    ]
    others = ["others"] if len(set(labels)) > len(often) else []
    return as_svg(
        {
            "$schema": _SCHEMA,
            "title": "Test items; near each other when the method scores them alike",
            "width": 640,
            "height": 520,
            "data": {"values": rows},
            "mark": {"type": "point", "filled": True, "opacity": 0.75, "size": 34},
            "encoding": {
                "x": {"field": "x", "type": "quantitative", "axis": None, "scale": {"zero": False}},
                "y": {"field": "y", "type": "quantitative", "axis": None, "scale": {"zero": False}},
                "shape": {
                    "field": "item",
                    "type": "nominal",
                    "scale": {"domain": ["image", "text"], "range": ["circle", "triangle-up"]},
                    "legend": {"symbolFillColor": "#888888"},
                },
                "color": {
                    "field": "class",
                    "type": "nominal",
                    "scale": {"domain": [*kept, *others], "range": _palette(len(kept), len(others))},
                },
            },
        }
    )


def _palette(classes: int, others: int) -> list[str]:
    """The colours of the curves as far as they go; then Tableau's twenty."""
    tableau = [
        "#4c78a8", "#9ecae9", "#f58518", "#ffbf79", "#54a24b", "#88d27a", "#b79a20", "#f2cf5b", "#439894", "#83bcb6",
        "#e45756", "#ff9d98", "#79706e", "#bab0ac", "#d67195", "#fcbfd2", "#b279a2", "#d6a5c9", "#9e765f", "#d8b5a5",
    ]  # fmt: skip
    chosen = COLORS if classes <= len(COLORS) else tableau
    return [*chosen[:classes], *["#999999"] * others]
