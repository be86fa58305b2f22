"""Tables over seeds."""

import csv
import io
import statistics

import numpy as np
import pytest

from drsl.evaluate import Comparison, Difference, Row, as_csv, published, published_remarks, summarize
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


def test_csv_can_be_read_back():
    rows = summarize({**RESULTS, "a,b": [run(1 / 3, 1 / 3)]})
    found = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [each["method"] for each in found] == ["drsl-c", "cca", "a,b"]
    assert found[0]["seeds"] == "3"
    assert float(found[0]["i2t_map_std"]) == pytest.approx(0.02)
    assert found[2]["i2t_map"] == "0.333333"
    assert found[2]["fit_seconds"] == ""
    assert "\r" not in as_csv(rows)


def test_costs_and_ties():
    runs = [run(0.1, 0.3, score_seconds=1.0, peak_memory_mb=100.0, i2t_tied_pairs=0.02, t2i_tied_pairs=0.0)]
    runs.append(run(0.1, 0.3, score_seconds=3.0, peak_memory_mb=300.0, i2t_tied_pairs=0.04, t2i_tied_pairs=0.02))
    (row,) = summarize({"cca": runs})
    assert (row.score_seconds, row.peak_memory_mb, row.tied_share) == (2.0, 300.0, pytest.approx(0.02))
    (row,) = summarize({"cca": [*runs, run(0.1, 0.3)]})
    assert (row.score_seconds, row.peak_memory_mb, row.tied_share) == (None, None, None)


def test_csv_has_the_comparison_and_the_published_numbers():
    part = Difference(-0.1, -0.2, 0.05, 0.03, 0.01)
    rows = summarize({"drsl-c": RESULTS["drsl-c"], "ccl": RESULTS["cca"]}, {"ccl": Comparison(part, part, part)})
    text = as_csv(rows, published("wikipedia"), published_remarks("wikipedia"))
    drsl, ccl = csv.DictReader(io.StringIO(text))
    assert (drsl["mean_difference"], drsl["published_i2t"], drsl["published_remark"]) == ("", "0.523", "")
    assert (ccl["t2i_difference"], ccl["mean_difference_low"], ccl["mean_difference_p"]) == ("-0.1", "-0.2", "0.03")
    assert (ccl["i2t_difference_p_alone"], ccl["published_mean"]) == ("0.01", "0.481")
    assert "quoted" in ccl["published_remark"]
