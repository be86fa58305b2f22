"""Draws reports as one HTML page that needs nothing from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from drsl.evaluate.figures import as_svg, draw
from drsl.evaluate.queries import DIRECTIONS
from drsl.evaluate.report.charts import MOST_CLASSES, confusion_chart, histogram_chart, map_chart
from drsl.evaluate.report.content import Plot, Report
from drsl.evaluate.tables import Table

__all__ = ["render_page"]

_WIDTH, _HEIGHT = 420, 300
"""Of a picture of curves, pixels."""


def render_page(reports: Sequence[Report]) -> str:
    """Draws the reports of one or several data sets.

    Args:
        reports: what their result files say, in the order to show.

    Returns:
        A whole HTML document; every text in it is escaped.
    """
    here = files(__package__)
    shapes = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = shapes.from_string((here / "page.html.jinja").read_text("utf-8"))
    return (
        template.render(
            reports=reports,
            anchors=_anchors(reports),
            style=(here / "page.css").read_text("utf-8"),
            most_classes=MOST_CLASSES,
            names_described=_described,
            sections=_sections,
            sizes=_sizes,
            curves=_curves,
            bars=_bars,
            histogram=histogram_chart,
            confusion=confusion_chart,
            item_map=map_chart,
            accuracies=_accuracies,
            origins=_origins,
            keys=_keys,
            settings=_settings,
        )
        + "\n"
    )


def _anchors(reports: Sequence[Report]) -> list[str]:
    """A name for links a data set: letters, digits and hyphens, and no two the same."""
    return [f"{place}-{re.sub(r'[^A-Za-z0-9]+', '-', each.dataset)}" for place, each in enumerate(reports)]


def _sections(report: Report) -> list[tuple[str, str]]:
    """What the page has for a data set: (end of the anchor, title)."""
    answers = report.answers
    every: list[tuple[str, str, Any]] = [
        ("map", "mAP", True),
        ("costs", "Costs", True),
        ("curves", "Curves", report.plots),
        ("classes", "Classes", report.classes),
        ("scores", "Scores", answers),
        ("confusion", "Confusion", answers),
        ("items", "Map", answers and answers.map),
        ("queries", "Queries", answers),
        ("encoders", "Encoders", report.encoders),
        ("methods", "Methods", _described(report)),
        ("runs", "Runs and settings", True),
    ]
    return [(key, title) for key, title, there in every if there]


def _described(report: Report) -> dict[str, str]:
    return {row.method: report.described[row.method] for row in report.rows if row.method in report.described}


def _sizes(report: Report) -> str:
    """How many queries ask what gallery, as the result files say."""
    metrics = report.runs[0].metrics
    parts = [
        f"{key}: {metrics[f'{key}_queries']:,} queries over {metrics[f'{key}_gallery']:,} items"
        + (f", {metrics[f'{key}_empty_queries']:,} without a relevant one" if metrics[f"{key}_empty_queries"] else "")
        for key in DIRECTIONS
        if f"{key}_queries" in metrics
    ]
    return "; ".join(parts) + "." if parts else ""


def _curves(plot: Plot) -> str:
    return as_svg(draw(plot.kind, plot.curves, plot.title, plot.x, plot.y, width=_WIDTH, height=_HEIGHT))


def _bars(report: Report) -> list[tuple[str, int, list[tuple[str, str, str]]]]:
    """A class's name, its queries, and (method, precision as a number, width of its bar) of each method."""
    return [
        (
            row.label,
            row.queries,
            [
                (method, "–" if value is None else f"{value:.3f}", f"{100 * (value or 0):.1f}")
                for method, value in row.precision.items()
            ],
        )
        for row in report.classes
    ]


def _accuracies(report: Report) -> Table:
    rows = tuple(
        (modality, *(f"{found.get(f'{split}_accuracy', float('nan')):.3f}" for split in ("train", "val", "test")))
        for modality, found in report.encoders.items()
    )
    return Table(("classifier of stage one", "train", "val", "test"), rows)


def _keys(report: Report) -> list[str]:
    return list(dict.fromkeys(key for run in report.runs for key in run.metrics))


def _origins(report: Report) -> list[str]:
    """Seeds, feature files and machines of the runs."""
    seeds: dict[tuple[int, ...], list[str]] = {}
    for method in dict.fromkeys(run.method for run in report.runs):
        seeds.setdefault(tuple(run.seed for run in report.runs if run.method == method), []).append(method)
    lines = [f"Seeds {', '.join(map(str, each))}: {', '.join(methods)}." for each, methods in seeds.items()]
    for side in ("image", "text"):
        digests = sorted({run.digests[side] for run in report.runs if side in run.digests})
        if digests:
            warning = " More than one: the runs do not rest on the same features." if len(digests) > 1 else ""
            lines.append(f"Digest of the {side} features: {', '.join(digests)}.{warning}")
    unknown = sum(not run.machine for run in report.runs)
    machines = sorted({run.machine for run in report.runs if run.machine})
    lines += [f"Times measured on: {each}." for each in machines]
    if unknown:
        lines.append(f"{unknown} of {len(report.runs)} runs do not say on what machine they were timed.")
    return lines


def _settings(report: Report) -> list[tuple[str, str]]:
    """Each method's settings, by the first run whose model file is here."""
    found: dict[str, str] = {}
    for run in report.runs:
        if run.settings and run.method not in found:
            found[run.method] = json.dumps(run.settings, sort_keys=True, ensure_ascii=False)
    return list(found.items())
