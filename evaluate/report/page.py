"""The page: one HTML file without any outside resource."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from drsl.evaluate.report.examples import Example
from drsl.evaluate.tables import Table

if TYPE_CHECKING:
    from drsl.evaluate.report.build import Report

__all__ = ["render_page"]

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

_STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --line: #d0d7de; --good: #1a7f37; --bad: #cf222e }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --line: #3d444d; --good: #3fb950;
  --bad: #f85149 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid var(--line); padding: .3rem .6rem; text-align: right }
td:first-child, th:first-child { text-align: left }
tr.reference { font-weight: bold } .notes { font-size: .85rem } a { color: inherit }
.curves { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0 }
.hits { display: flex; flex-wrap: wrap; gap: .5rem; margin: .3rem 0 1.2rem } .hit { width: 104px; font-size: .75rem }
.hit img { width: 96px; height: 96px; object-fit: contain; background: #fff; border: 4px solid var(--bad) }
.hit.right img { border-color: var(--good) } .hit p { margin: 0; overflow-wrap: anywhere }
svg text { fill: var(--text); font: 12px system-ui, sans-serif }
"""


def render_page(report: Report) -> str:
    """Draws the report as HTML.

    Args:
        report: what the result files say.

    Returns:
        A whole HTML document; every text in it is escaped.
    """
    name = escape(report.dataset)
    shown = {row.method: report.described[row.method] for row in report.rows if row.method in report.described}
    encoders, curves, examples = report.encoders, report.curves, report.examples
    parts = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>drsl: {name}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>drsl on {name}</h1>\n"
        "<h2>mAP@ALL on the test split</h2>\n"
        "<p>i2t: image queries, text gallery; t2i: text queries, image gallery. Mean and standard deviation over "
        "seeds.</p>\n",
        _table(report.table, shown, report.reference),
        *(f"<p>{escape(sentence)}</p>\n" for sentence in report.findings),
        "<h2>What the methods cost</h2>\n",
        _table(report.costs, shown, report.reference),
    ]
    if shown:
        lines = (f'<dt id="{_anchor(key)}">{escape(key)}</dt><dd>{escape(text)}</dd>\n' for key, text in shown.items())
        parts += ["<h2>What the methods are</h2>\n<dl>\n", *lines, "</dl>\n"]
    if encoders:
        rows = tuple(
            (modality, *(f"{found.get(f'{split}_accuracy', float('nan')):.3f}" for split in ("train", "val", "test")))
            for modality, found in encoders.items()
        )
        table = Table(("classifier of stage one", "train", "val", "test"), rows)
        parts += ["<h2>Accuracy of the encoders' own classifiers</h2>\n", _table(table)]
    some = f", the {len(curves['i2t'])} best methods" if len(curves["i2t"]) < len(report.rows) else ""
    parts.append(f'<h2>Precision and recall (first seed{some})</h2>\n<div class="curves">\n')
    titles = {"i2t": "image to text", "t2i": "text to image"}
    parts += [_figure(titles[direction], methods) for direction, methods in curves.items()]
    parts.append("</div>\n<h2>Texts and the test images found with them</h2>\n")
    parts.append("<p>One text a class, drawn by chance; green: of the text's class, red: of another.</p>\n")
    parts += [_example(each) for each in examples]
    parts.append("</body>\n</html>\n")
    return "".join(parts)


def _table(table: Table, described: Collection[str] = (), reference: str | None = None) -> str:
    """A table with its notes; the described methods link to their description, the reference's row is marked."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    lines = []
    for first, *rest in table.rows:
        name = f'<a href="#{_anchor(first)}">{escape(first)}</a>' if first in described else escape(first)
        mark = ' class="reference"' if first == reference else ""
        lines.append(f"<tr{mark}><td>{name}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>\n")
    notes = f'<p class="notes">{"<br>".join(escape(note) for note in table.notes)}</p>\n' if table.notes else ""
    return f"<table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n</table>\n{notes}"


def _anchor(method: str) -> str:
    return f"method-{escape(method, quote=True)}"


def _figure(title: str, methods: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A precision-recall plot, 400 x 300."""
    left, top, width, height = 46, 12, 340, 240
    shapes = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="var(--line)"/>']
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        x, y = left + tick * width, top + (1 - tick) * height
        shapes.append(f'<text x="{x:.0f}" y="{top + height + 16}" text-anchor="middle">{tick:.1f}</text>')
        shapes.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{tick:.1f}</text>')
    shapes.append(f'<text x="{left + width / 2:.0f}" y="{top + height + 34}" text-anchor="middle">recall</text>')
    for place, (method, points) in enumerate(methods.items()):
        color = _COLORS[place % len(_COLORS)]
        line = " ".join(f"{left + x * width:.1f},{top + (1 - y) * height:.1f}" for x, y in points)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        shapes.append(
            f'<text x="{left + width - 70}" y="{top + 18 + 16 * place}" style="fill:{color}">{escape(method)}</text>'
        )
    names = ", ".join(methods)
    return (
        f'<figure><svg viewBox="0 0 400 300" width="400" height="300" role="img" '
        f'aria-label="Precision against recall, {escape(title)}, of {escape(names)}">{"".join(shapes)}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>\n"
    )


def _example(example: Example) -> str:
    hits = "".join(
        f'<div class="hit{" right" if right else ""}"><img src="{picture}" alt="{escape(text, quote=True)}">'
        f"<p>{'right' if right else 'wrong'}: {escape(label)}</p><p>{escape(text)}</p><p>{score:.3f}</p></div>"
        for picture, text, right, score, label in example.hits
    )
    return f'<h3>{escape(example.text)} <small>({escape(example.label)})</small></h3>\n<div class="hits">{hits}</div>\n'
