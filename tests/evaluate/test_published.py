"""The paper's table: complete, plausible, and found under our names."""

import pytest

from drsl.evaluate import PublishedMap, match_method, published, published_remarks

NUMBER_OF_METHODS = {"wikipedia": 13, "pascal": 17, "nuswide10k": 15, "xmedianet": 13}


@pytest.mark.parametrize(("dataset", "methods"), NUMBER_OF_METHODS.items())
def test_each_data_set_has_its_methods(dataset, methods):
    table = published(dataset)
    assert len(table) == methods
    assert {"CCA", "MvDA-VC", "ACMR", "DRSL"} <= set(table)
    assert all(0 < number < 1 for row in table.values() for number in row)


@pytest.mark.parametrize("dataset", NUMBER_OF_METHODS)
def test_printed_averages_are_means_except_where_a_remark_says_so(dataset):
    remarks = published_remarks(dataset)
    for method, row in published(dataset).items():
        if "average" not in remarks.get(method, ""):
            assert row.average == pytest.approx((row.i2t + row.t2i) / 2, abs=0.0011), method


def test_some_rows_by_hand():
    assert published("wikipedia")["CCA"] == (0.357, 0.326, 0.341)
    i2t, t2i, average = published("pascal")["DRSL-M"]
    assert (i2t, t2i, average) == (0.699, 0.700, 0.699)
    assert "quoted" in published_remarks("pascal")["CM-GANs"]
    assert "CCA" not in published_remarks("pascal")


def test_other_data_sets_have_none():
    assert published("emoji") == {}
    assert published_remarks("emoji") == {}


def test_a_table_may_be_changed_without_harm():
    published("pascal").clear()
    assert published("pascal")


@pytest.mark.parametrize(
    ("method", "label"),
    [
        ("cca", "CCA"),
        ("mvda", "MvDA"),
        ("mvda-vc", "MvDA-VC"),
        ("mvda_vc", "MvDA-VC"),
        ("cm-gans", "CM-GANs"),
        ("fgcrossnet", "FGCrossNet"),
        ("drsl-c", "DRSL-C"),
        ("drsl-s", "DRSL-S"),
    ],
)
def test_our_names_match_the_paper_s(method, label):
    table = published("pascal")
    assert match_method(method, table) is table[label]


def test_drsl_c_is_the_paper_s_drsl():
    table = published("wikipedia")
    assert match_method("drsl-c", table) is table["DRSL"]
    assert match_method("DRSL_C", table) is table["DRSL"]
    assert match_method("drsl-m", table) is None  # another variant is not


def test_a_method_that_is_not_there():
    assert match_method("cosine", published("pascal")) is None
    assert match_method("cca", {}) is None
    assert match_method("cca", {"CCA": PublishedMap(0.1, 0.2, 0.15)}) == (0.1, 0.2, 0.15)
