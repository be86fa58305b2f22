"""The report of a data set: every number equal to the file it came from, no outside resource, every text escaped."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

from drsl.evaluate import open_score_writer
from drsl.evaluate.report.build import gather, write_report
from drsl.evaluate.results import evaluate_scores, write_result
from drsl.evaluate.scores import read_scores
from drsl.features import Item, write_manifest
from drsl.features.errors import MissingFile
from drsl.features.layout import Layout

CAPTION = '<script>alert("x")</script> & more'


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path, "toy")
    layout.images.mkdir(parents=True)
    items = []
    for number in range(8):
        Image.new("RGB", (20, 20), (30 * number, 0, 0)).save(layout.images / f"{number}.png")
        label = "cat" if number % 2 else "dog"
        items.append(
            Item(str(number), f"images/{number}.png", f"{CAPTION} {number}", label, "test" if number else "train")
        )
    items.append(Item("9", "", "a cat", "cat", "train"))
    write_manifest(layout.manifest, items)
    ids = [str(number) for number in range(1, 8)]
    label = np.array([int(each) % 2 for each in ids])
    for method, strength in (("drsl-c", 2.0), ("cca", 0.1)):
        for seed in (0, 1):
            noise = np.random.default_rng(seed).standard_normal((7, 7))
            run = layout.run(method, seed)
            with open_score_writer(
                run.scores,
                image_id=ids,
                text_id=ids,
                image_label=label,
                text_label=label,
                classes=["dog", "cat"],
                attrs={"method": method, "dataset": "toy", "seed": seed},
            ) as writer:
                writer.write(0, noise + strength * (label[:, None] == label))
            write_result(run, evaluate_scores(read_scores(run.scores), scope=[1, 3], at=[2], cost={"fit_seconds": 1.5}))
    return layout


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


def test_the_page_stands_alone_and_escapes_texts(layout):
    write_report(layout)
    page = (layout.report / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert page.count("<polyline") == 4  # two methods, two directions
    assert all(f'alt="{"&lt;script&gt;"}' in image for image in re.findall(r"<img [^>]*>", page))


def test_marks_are_right(layout):
    for example in gather(layout).examples:
        assert [right for _, _, right, _, _ in example.hits] == [label == example.label for *_, label in example.hits]
        scores = [score for _, _, _, score, _ in example.hits]
        assert scores == sorted(scores, reverse=True)


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
    assert report.examples == []


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
    assert '<a href="#method-cca">cca</a>' in html
    assert '<dt id="method-cca">cca</dt><dd>Canonical &lt;correlation&gt; analysis.</dd>' in html
    assert "mvda" not in html


def test_no_result_says_what_to_run(tmp_path):
    with pytest.raises(MissingFile, match="dvc repro"):
        gather(Layout(tmp_path, "toy"))
