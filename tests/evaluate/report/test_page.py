"""The page: every number equal to the file it came from, no outside resource, every text escaped."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from drsl.evaluate.report.build import gather, write_report


class Reader(HTMLParser):
    """Collects the cells of every table, what each element asks for, and whether elements nest."""

    VOID = frozenset(("meta", "link", "img", "br", "path"))

    def __init__(self, page):
        super().__init__()
        self.open, self.rows, self.asked, self.pictures, self.text = [], [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.asked += [value for key, value in attrs if key in ("src", "href", "xlink:href", "data", "srcset")]
        if tag == "img":
            self.pictures.append(found)
        if tag == "tr":
            self.rows.append((found, []))
        if tag in ("td", "th") and self.rows:
            self.rows[-1][1].append((found, []))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][1][-1][1].append(data)
        self.text.append(data)


@pytest.fixture
def page(layout):
    write_report(layout)
    return (layout.report / "index.html").read_text("utf-8")


def test_every_number_of_every_run_is_the_json_files(layout, page):
    shown = {found["data-run"]: cells for found, cells in Reader(page).rows if "data-run" in found}
    assert len(shown) == 4
    for name, cells in shown.items():
        method, seed = name.split("/")
        result = json.loads(layout.run(method, int(seed)).result.read_text())
        assert {found["data-key"]: float("".join(text)) for found, text in cells if "data-key" in found} == result


def test_the_table_is_worked_out_from_the_json_files(layout, page):
    rows = [["".join(text) for _, text in cells] for _, cells in Reader(page).rows]
    head = next(row for row in rows if "mean mAP" in row)
    for method in ("drsl-c", "cca"):
        row = dict(zip(head, next(row for row in rows if row[0] == method), strict=True))
        results = [json.loads(layout.run(method, seed).result.read_text()) for seed in (0, 1)]
        for title in ("i2t", "t2i", "mean"):
            values = [each[f"{title}_map"] for each in results]
            assert row[f"{title} mAP"] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def test_it_stands_alone(page):
    asked = Reader(page).asked
    assert all(each.startswith(("#", "data:")) for each in asked)
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#|['\"]?data:)", page)


def test_texts_are_escaped_and_pictures_have_words(page):
    found = Reader(page)
    assert not found.open
    assert "&lt;script&gt;" in page
    assert found.pictures
    assert all(each["alt"].startswith("<script>") for each in found.pictures)
    assert all(each["src"].startswith("data:image/webp;base64,") for each in found.pictures)


def test_the_pictures_of_curves_have_words(page):
    assert page.count("<svg") == 10  # four of precision, two of convergence, histogram, two of confusion, map
    for svg in re.findall(r"<svg[^>]*>", page):
        assert "aria-label" in svg


def test_every_part_is_there(layout, page):
    parts = set(re.findall(r'id="0-toy-([a-z]+)"', page))
    assert parts == {"map", "costs", "curves", "classes", "scores", "confusion", "items", "queries", "runs"}
    assert set(re.findall(r'href="#0-toy-([a-z]+)"', page)) == parts
    assert page.count('class="query"') == len(gather(layout).answers.examples)


def test_without_score_files_parts_are_left_out(layout):
    for run in (layout.run(method, seed) for method in ("drsl-c", "cca") for seed in (0, 1)):
        run.scores.unlink()
    write_report(layout)
    page = (layout.report / "index.html").read_text("utf-8")
    assert set(re.findall(r'id="0-toy-([a-z]+)"', page)) == {"map", "costs", "curves", "classes", "runs"}
