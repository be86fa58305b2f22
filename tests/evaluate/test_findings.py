"""The sentences under the table say what the rows say, and no more."""

from drsl.evaluate import Comparison, Difference, Row, findings


def row(method, mean, against=None, seeds=5, **more):
    return Row(method, seeds, mean, 0.0, mean, 0.0, mean, 0.002, 1.0, against=against, **more)


def against(value, p):
    part = Difference(value, value - 0.02, value + 0.02, p, p)
    return Comparison(part, part, part)


def test_sentences():
    rows = [
        row("drsl-c", 0.569),
        row("deep-sm", 0.572, against(0.003, 0.6)),
        row("new", 0.6, against(0.031, 0.001), seeds=1),
        row("cca", 0.5, against(-0.069, 0.0001), tied_share=0.3),
    ]
    found = findings(rows, "drsl-c")
    assert found[0] == (
        "Highest mean mAP@ALL on test: new, 0.600, one run; the highest of 4 methods looks a little better than it is."
    )
    assert found[1] == (
        "deep-sm, whose two classifiers never see a pair, is 0.003 above drsl-c "
        "(95 % interval -0.017 to +0.023, p 0.600: which may be chance)."
    )
    assert found[2].startswith(
        "Against drsl-c, of 3 methods: 1 significantly better (new), 1 significantly worse (cca), 1 undecided"
    )
    assert "not of another split" in found[3]
    assert found[4].endswith("order decides part of the result: cca.")
    assert len(found) == 5


def test_a_significant_control_is_called_so():
    found = findings([row("drsl-c", 0.5), row("deep-sm", 0.4, against(-0.1, 0.01))], "drsl-c")
    assert "0.100 below drsl-c" in found[1]
    assert found[1].endswith("p 0.010: significant).")


def test_what_cannot_be_compared_is_named():
    found = findings([row("drsl-c", 0.5), row("mine", 0.4)], "drsl-c")
    assert len(found) == 2
    assert "Not compared with drsl-c: mine" in found[1]


def test_without_a_reference():
    assert findings([row("cca", 0.5)], None) == ["Highest mean mAP@ALL on test: cca, 0.500 ± 0.002 over 5 seeds."]
    assert findings([], None) == []
