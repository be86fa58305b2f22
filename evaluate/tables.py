"""The rows as tables for people: mAP beside the published numbers, then what each method costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drsl.evaluate.published import PublishedMap, match_method
from drsl.evaluate.summary import Row

__all__ = ["Table", "as_markdown", "cost_table", "map_table", "show_p"]

_MARKS = "¹²³⁴⁵⁶⁷⁸⁹"


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; the first column holds the methods' names."""

    head: tuple[str, ...]
    """column titles"""
    rows: tuple[tuple[str, ...], ...]
    """a row a method"""
    notes: tuple[str, ...] = ()
    """what stands under it, a sentence each"""


def map_table(
    rows: Sequence[Row],
    published: Mapping[str, PublishedMap],
    remarks: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> Table:
    """What each method reaches.

    Args:
        rows: what `summarize` gives, in the order to show.
        published: the paper's name of a method to its numbers; may be empty.
        remarks: the paper's name of a method to a remark, which becomes a note.
        reference: the method that the others are compared with; None: there is none.

    Returns:
        mAP of both directions and their mean, with the standard deviation for two seeds or more; the published numbers
        when there are any; the difference to the reference with its p value; the share of tied pairs.
    """
    marks: dict[str, str] = {}
    lines = []
    for row in rows:
        line = [row.method, str(row.seeds), *(_spread(row, key) for key in ("i2t_map", "t2i_map", "mean_map"))]
        if published:
            line += _published(row.method, published, remarks or {}, marks)
        if reference is not None:
            line.append("reference" if row.method == reference else _against(row))
        line.append("–" if row.tied_share is None else f"{row.tied_share:.1%}")
        lines.append(tuple(line))
    head = ["method", "seeds", "i2t mAP", "t2i mAP", "mean mAP"]
    notes = []
    if published:
        head += ["published i2t", "published t2i", "published mean"]
        notes += [f"{mark} {remark}" for remark, mark in marks.items()]
    if reference is not None:
        head.append(f"against {reference}")
        notes.append(
            f"against {reference}: difference of mean mAP and its p value (paired sign-flip test over test items, "
            "Holm's correction over the methods)"
        )
    head.append("ties")
    notes.append("ties: share of pairs of gallery items with equal scores, which the gallery's order ranks")
    return Table(tuple(head), tuple(lines), tuple(notes))


def cost_table(rows: Sequence[Row]) -> Table:
    """What each method costs.

    Args:
        rows: what `summarize` gives, in the order to show.

    Returns:
        Mean seconds of fitting and of scoring all test pairs, and the largest peak memory of a run.
    """
    lines = tuple(
        (
            row.method,
            _number(row.fit_seconds, ".1f"),
            _number(row.score_seconds, ".2f"),
            _number(row.peak_memory_mb, ",.0f"),
        )
        for row in rows
    )
    note = "means over seeds; memory: the largest of the process while a run lasted, libraries and features included"
    return Table(("method", "fit seconds", "score seconds", "peak memory, MB"), lines, (note,))


def as_markdown(table: Table, links: Mapping[str, str] | None = None) -> str:
    """Draws a table as Markdown that can also be read as it is.

    Args:
        table: the cells.
        links: method to where it is described; a name without one stays plain.

    Returns:
        The table, its columns lined up, then a blank line and the notes as a list if there are any; ends with a line
        end.

    >>> print(as_markdown(Table(("method", "seeds"), (("cca", "1"),))), end="")
    | method | seeds |
    | ------ | ----: |
    | cca    |     1 |
    """
    to = links or {}
    named = [(f"[{line[0]}]({to[line[0]]})" if line[0] in to else line[0], *line[1:]) for line in table.rows]
    widths = [max(3, *(len(line[place]) for line in (table.head, *named))) for place in range(len(table.head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        " | ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in (tuple(zip(line, widths, strict=True)) for line in (table.head, rule, *named))
    ]
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([*(f"| {line} |" for line in lines), *(["", *notes] if notes else [])]) + "\n"


def show_p(p: float) -> str:
    """A p value as people read it.

    Args:
        p: from 0 to 1.

    Returns:
        Three digits, or that it is below 0.001.
    """
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def _published(
    method: str, published: Mapping[str, PublishedMap], remarks: Mapping[str, str], marks: dict[str, str]
) -> list[str]:
    numbers = match_method(method, published)
    if not numbers:
        return ["–"] * 3
    remark = match_method(method, remarks)
    mark = f" {marks.setdefault(remark, _MARKS[len(marks)])}" if remark else ""
    cells = [f"{number:.3f}{mark}" for number in numbers]
    # A remark on the average says nothing about the two others.
    return [cell.removesuffix(mark) for cell in cells[:2]] + cells[2:] if remark and "average" in remark else cells


def _against(row: Row) -> str:
    return f"{row.against.mean.value:+.3f}, {show_p(row.against.mean.p)}" if row.against else "–"


def _spread(row: Row, key: str) -> str:
    mean, deviation = getattr(row, key), getattr(row, f"{key}_std")
    return f"{mean:.3f} ± {deviation:.3f}" if row.seeds > 1 else f"{mean:.3f}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
