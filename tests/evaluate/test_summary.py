"""Tables over seeds."""

import csv
import io
import statistics

import numpy as np
import pytest

from drsl.evaluate import PublishedMap, Row, as_csv, as_markdown, published, summarize
from drsl.features.errors import UserError


def run(i2t, t2i, **more):
    return {"i2t_map": i2t, "t2i_map": t2i, "mean_map": (i2t + t2i) / 2, **more}


RESULTS = {
    "drsl-c": [run(0.50, 0.40, fit_seconds=10.0), run(0.54, 0.42, fit_seconds=12.0), run(0.52, 0.38, fit_seconds=14)],
    "cca": [run(0.25, 0.2, fit_seconds=0.5)],
}


def test_mean_and_standard_deviation_over_seeds():
    drsl, cca = summarize(RESULTS)
    assert (drsl.method, drsl.seeds) == ("drsl-c", 3)
    assert drsl.i2t_map == pytest.approx(0.52)
    assert drsl.i2t_map_std == pytest.approx(np.std([0.50, 0.54, 0.52], ddof=1)) == pytest.approx(0.02)
    assert drsl.t2i_map_std == pytest.approx(0.02)
    assert drsl.mean_map == pytest.approx(0.46)
    assert drsl.mean_map_std == pytest.approx(statistics.stdev([0.45, 0.48, 0.45]))
    assert drsl.fit_seconds == pytest.approx(12.0)
    assert cca == Row("cca", 1, 0.25, 0.0, 0.2, 0.0, 0.225, 0.0, 0.5)


def test_equal_seeds_have_no_deviation():
    (row,) = summarize({"cca": [run(0.1, 0.3)] * 5})
    assert (row.seeds, row.i2t_map_std, row.mean_map_std) == (5, 0.0, 0.0)


def test_unknown_seconds_stay_unknown():
    (row,) = summarize({"cca": [run(0.1, 0.3, fit_seconds=1.0), run(0.1, 0.3)]})
    assert row.fit_seconds is None


def test_a_method_without_a_run_is_an_error():
    with pytest.raises(UserError, match=r"^cca has no run: make one with"):
        summarize({"cca": []})
    assert summarize({}) == []


def test_markdown_puts_published_numbers_beside_ours():
    lines = as_markdown(summarize(RESULTS), published("wikipedia")).splitlines()
    assert lines == [
        "| method | seeds | i2t mAP | t2i mAP | mean mAP "
        "| published i2t | published t2i | published mean | fit seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| drsl-c | 3 | 0.520 ± 0.020 | 0.400 ± 0.020 | 0.460 ± 0.017 | 0.523 | 0.475 | 0.499 | 12.0 |",
        "| cca | 1 | 0.250 | 0.200 | 0.225 | 0.357 | 0.326 | 0.341 | 0.5 |",
    ]


def test_markdown_without_published_numbers():
    (row,) = summarize({"cosine": [run(0.1, 0.3)]})
    assert as_markdown([row], {}).splitlines()[-1] == "| cosine | 1 | 0.100 | 0.300 | 0.200 | – |"
    some = {"CCA": PublishedMap(0.1, 0.2, 0.15)}
    assert as_markdown([row], some).splitlines()[-1] == "| cosine | 1 | 0.100 | 0.300 | 0.200 | – | – | – | – |"
    table = as_markdown([], {})
    assert table.count("\n") == 2
    assert table.endswith(" |\n")


@pytest.mark.parametrize("table", [{}, {"CCA": PublishedMap(0.1, 0.2, 0.15)}])
def test_every_line_of_markdown_has_the_same_cells(table):
    lines = as_markdown(summarize(RESULTS), table).splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_csv_can_be_read_back():
    rows = summarize({**RESULTS, "a,b": [run(1 / 3, 1 / 3)]})
    found = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [each["method"] for each in found] == ["drsl-c", "cca", "a,b"]
    assert found[0]["seeds"] == "3"
    assert float(found[0]["i2t_map_std"]) == pytest.approx(0.02)
    assert found[2]["i2t_map"] == "0.333333"
    assert found[2]["fit_seconds"] == ""
    assert "\r" not in as_csv(rows)
