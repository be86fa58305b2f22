"""The tables for people: published numbers with their notes, the comparison, the costs."""

import pytest

from drsl.evaluate import (
    Comparison,
    Difference,
    PublishedMap,
    Table,
    as_markdown,
    cost_table,
    map_table,
    published,
    published_remarks,
    summarize,
)


def run(i2t, t2i, **more):
    return {"i2t_map": i2t, "t2i_map": t2i, "mean_map": (i2t + t2i) / 2, **more}


def difference(value, p):
    part = Difference(value, value - 0.1, value + 0.1, p, p)
    return Comparison(part, part, part)


RESULTS = {
    "drsl-c": [run(0.50, 0.40, fit_seconds=10.0), run(0.54, 0.42, fit_seconds=12.0), run(0.52, 0.38, fit_seconds=14)],
    "cca": [run(0.25, 0.2, fit_seconds=0.5, i2t_tied_pairs=0.5, t2i_tied_pairs=0.0)],
}


def test_published_numbers_stand_beside_ours():
    table = map_table(summarize(RESULTS, {"cca": difference(-0.235, 0.0001)}), published("wikipedia"), {}, "drsl-c")
    assert table.head[5:] == ("published i2t", "published t2i", "published mean", "against drsl-c", "ties")
    assert table.rows == (
        ("drsl-c", "3", "0.520 ± 0.020", "0.400 ± 0.020", "0.460 ± 0.017", "0.523", "0.475", "0.499", "reference", "–"),
        ("cca", "1", "0.250", "0.200", "0.225", "0.357", "0.326", "0.341", "-0.235, p < 0.001", "25.0%"),
    )


def test_without_published_numbers_and_reference():
    (row,) = summarize({"cosine": [run(0.1, 0.3)]})
    assert map_table([row], {}).rows == (("cosine", "1", "0.100", "0.300", "0.200", "–"),)
    some = {"CCA": PublishedMap(0.1, 0.2, 0.15)}
    assert map_table([row], some).rows[0][5:8] == ("–", "–", "–")
    assert map_table([], {}).rows == ()
    assert map_table([row], {}, reference="drsl-c").rows[0][5] == "–"


def test_odd_numbers_carry_a_mark_and_a_note():
    rows = summarize({name: [run(0.1, 0.3)] for name in ("ccl", "acmr", "cmdn", "cca")})
    table = map_table(rows, published("wikipedia"), published_remarks("wikipedia"))
    cells = {row[0]: row[5:8] for row in table.rows}
    assert cells["ccl"] == ("0.505 ¹", "0.457 ¹", "0.481 ¹")
    assert cells["cmdn"] == ("0.487 ¹", "0.427 ¹", "0.457 ¹")  # the same remark has one mark
    assert cells["acmr"] == ("0.480", "0.411", "0.431 ²")  # a remark on the average marks the average
    assert cells["cca"] == ("0.357", "0.326", "0.341")
    assert table.notes[0].startswith("¹ quoted by the paper")
    assert table.notes[1].startswith("² the printed average is a slip")


def test_costs_have_a_table_of_their_own():
    rows = summarize(
        {"a": [run(0.1, 0.3, fit_seconds=1.25, score_seconds=0.5, peak_memory_mb=1234.0)], "b": [run(0, 0)]}
    )
    assert cost_table(rows).rows == (("a", "1.2", "0.50", "1,234"), ("b", "–", "–", "–"))


@pytest.mark.parametrize("reference", [None, "drsl-c"])
@pytest.mark.parametrize("published_table", [{}, {"CCA": PublishedMap(0.1, 0.2, 0.15)}])
def test_every_line_of_markdown_has_the_same_cells_and_width(published_table, reference):
    lines = as_markdown(map_table(summarize(RESULTS), published_table, {}, reference)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert len({len(line) for line in table}) == 1


def test_markdown_links_and_notes():
    text = as_markdown(Table(("method", "n"), (("a", "1"), ("b", "22")), ("one", "two")), {"a": "x.md#a"})
    assert text.splitlines() == [
        "| method      |   n |",
        "| ----------- | --: |",
        "| [a](x.md#a) |   1 |",
        "| b           |  22 |",
        "",
        "- one",
        "- two",
    ]
    assert as_markdown(Table(("method",), ())).count("\n") == 2
