"""What a report gathers from the result files, and the tables it writes."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from drsl.evaluate.report.build import gather, write_overview, write_report
from drsl.features.errors import DamagedFile, MissingFile, SettingError
from drsl.features.layout import Layout
from drsl.features.tensor_file import MODEL_FORMAT, write_tensors


def test_the_table_is_the_mean_of_the_result_files(layout):
    report = write_report(layout)
    with (layout.report / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert [row.method for row in report.rows] == ["drsl-c", "cca"]  # the best first
    for method, row in rows.items():
        found = [json.loads(layout.run(method, seed).result.read_text()) for seed in (0, 1)]
        assert float(row["mean_map"]) == pytest.approx(np.mean([each["mean_map"] for each in found]), abs=1e-6)
        assert float(row["i2t_map_std"]) == pytest.approx(np.std([each["i2t_map"] for each in found], ddof=1), abs=1e-6)
        page = (layout.report / "index.html").read_text("utf-8")
        assert f"{np.mean([each['t2i_map'] for each in found]):.3f}" in page


def test_the_report_is_the_same_twice(layout):
    write_report(layout)
    before = (layout.report / "index.html").read_bytes()
    write_report(layout)
    assert (layout.report / "index.html").read_bytes() == before


def test_results_without_score_files_still_make_a_table(layout):
    for method in ("drsl-c", "cca"):
        for seed in (0, 1):
            layout.run(method, seed).scores.unlink()
    report = write_report(layout)
    assert len(report.rows) == 2
    assert report.answers is None


def test_methods_are_compared_query_by_query(layout):
    report = write_report(layout)
    assert report.reference == "drsl-c"
    best, other = report.rows
    assert best.against is None
    assert other.against.mean.value == pytest.approx(other.mean_map - best.mean_map, abs=2e-6)
    assert other.against.i2t.value == pytest.approx(other.i2t_map - best.i2t_map, abs=2e-6)
    assert any("Against drsl-c, of 1 method" in each for each in report.findings)
    text = (layout.report / "table.md").read_text("utf-8")
    assert "reference" in text
    assert all(sentence in text for sentence in report.findings)
    assert "fit seconds" in text
    page = (layout.report / "index.html").read_text("utf-8")
    assert page.count('<tr class="reference">') == 2  # in both tables


def test_without_the_queries_there_is_no_comparison(layout):
    layout.run("drsl-c", 1).queries.unlink()
    assert all(row.against is None for row in gather(layout).rows)
    layout.run("cca", 0).queries.unlink()
    assert any("Not compared with drsl-c: cca" in each for each in gather(layout).findings)


def test_runs_on_other_queries_are_not_compared(layout):
    path = layout.run("cca", 1).queries
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert gather(layout).rows[1].against is None


def test_without_the_reference_there_is_no_comparison(layout):
    for seed in (0, 1):
        layout.run("drsl-c", seed).result.unlink()
    report = gather(layout)
    assert report.reference is None
    assert not any("against" in title for title in report.table.head)


def test_names_link_to_what_the_methods_are(layout):
    page = layout.root / "docs" / "methods.md"
    page.parent.mkdir()
    page.write_text("# Methods\n\n## cca\n\nCanonical <correlation>\nanalysis.\n\nMore.\n\n## mvda\n\nNo.\n", "utf-8")
    write_report(layout)
    assert "[cca](../../docs/methods.md#cca)" in (layout.report / "table.md").read_text("utf-8")
    html = (layout.report / "index.html").read_text("utf-8")
    assert '<a href="#0-toy-method-cca">cca</a>' in html
    assert '<dt id="0-toy-method-cca">cca</dt><dd>Canonical &lt;correlation&gt; analysis.</dd>' in html
    assert "mvda" not in html


def test_no_result_says_what_to_run(tmp_path):
    with pytest.raises(MissingFile, match="dvc repro"):
        gather(Layout(tmp_path, "toy"))


def test_the_answers_are_of_the_method_asked_for(layout):
    assert gather(layout).answers.method == "drsl-c"  # the best
    assert gather(layout, method="cca").answers.method == "cca"
    with pytest.raises(SettingError, match="did you mean 'cca'"):
        gather(layout, method="ca")
    layout.run("cca", 0).scores.unlink()
    assert gather(layout, method="cca").answers.seed == 1
    layout.run("cca", 1).scores.unlink()
    with pytest.raises(MissingFile, match="drsl fit -d toy -m cca"):
        gather(layout, method="cca")


def test_curves_are_those_of_the_first_seed(layout):
    plots = {(plot.kind, plot.title): plot for plot in gather(layout).plots}
    for key, who in (("i2t", "image queries"), ("t2i", "text queries")):
        for kind, x in (("recall", "recall"), ("scope", "scope")):
            plot = plots[f"precision-{kind}", f"Precision over {kind}, {who}"]
            assert [curve.name for curve in plot.curves] == ["drsl-c", "cca"]
            for curve in plot.curves:
                path = getattr(layout.run(curve.name, 0), f"precision_{kind}")
                with path.open(newline="") as file:
                    rows = list(csv.DictReader(file))
                assert list(curve.points) == [(float(row[x]), float(row[f"{key}_precision"])) for row in rows]
    validation, objective = (plots["convergence", title] for title in ("Validation by epoch", "The objective by epoch"))
    assert validation.curves[0].points == ((1, 0.25), (3, 0.5))  # not validated in the second epoch
    assert objective.curves[0].points == ((1, 1), (2, 0.5), (3, 0.25))


@pytest.mark.parametrize("ending", ["precision_recall", "log"])
def test_a_damaged_curve_is_named(layout, ending):
    getattr(layout.run("cca", 0), ending).write_text("epoch,recall\n1,much\n")
    with pytest.raises(DamagedFile, match="damaged"):
        gather(layout)


def test_every_run_tells_what_it_rests_on(layout):
    run = layout.run("cca", 1)
    run.cost.write_text(json.dumps({"fit_seconds": 1.0, "machine": "a processor, 2 cores"}))
    write_tensors(
        run.model,
        MODEL_FORMAT,
        {"a": np.ones(2)},
        {"settings": {"ridge": 0.5}, "provenance": {"image_digest": "a1", "text_digest": "b2"}},
    )
    runs = {(each.method, each.seed): each for each in gather(layout).runs}
    assert list(runs) == [("drsl-c", 0), ("drsl-c", 1), ("cca", 0), ("cca", 1)]
    for (method, seed), each in runs.items():
        assert each.metrics == json.loads(layout.run(method, seed).result.read_text())
    assert runs["cca", 1].machine == "a processor, 2 cores"
    assert runs["cca", 1].settings == {"ridge": 0.5}
    assert runs["cca", 1].digests == {"image": "a1", "text": "b2"}
    assert (runs["cca", 0].machine, runs["cca", 0].settings, runs["cca", 0].digests) == ("", {}, {})
    page = write_report(layout) and (layout.report / "index.html").read_text("utf-8")
    assert "Times measured on: a processor, 2 cores." in page
    assert "3 of 4 runs do not say" in page
    assert "Digest of the image features: a1." in page
    assert "{&#34;ridge&#34;: 0.5}" in page


def test_several_data_sets_on_one_page(layout):
    report = write_report(layout)
    write_overview(layout.overview, [report, replace(report, dataset="To Y & Z")])
    text = (layout.root / "reports" / "index.html").read_text("utf-8")
    assert "drsl on toy" in text
    assert "drsl on To Y &amp; Z" in text
    names = re.findall(r' id="([^"]*)"', text)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]*)"', text)) <= set(names)
