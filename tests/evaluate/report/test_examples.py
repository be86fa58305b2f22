"""Queries with their best answers."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from drsl.evaluate.queries import read_queries
from drsl.evaluate.report.examples import CHOICES, choose_examples
from drsl.evaluate.report.pictures import SIDE, Thumbnails
from drsl.evaluate.scores import read_scores
from drsl.features import read_manifest
from drsl.features.errors import UserError


@pytest.fixture
def examples(layout):
    run = layout.run("cca", 0)
    return choose_examples(read_scores(run.scores), read_queries(run.queries), read_manifest(layout.manifest), each=2)


def test_the_best_and_the_worst_of_each_direction(layout, examples):
    queries = read_queries(layout.run("cca", 0).queries)
    for direction in ("i2t", "t2i"):
        values = {each.id: each.average_precision for each in queries if each.direction == direction}
        chosen = {
            choice: [each for each in examples if (each.direction, each.choice) == (direction, choice)]
            for choice in CHOICES
        }
        assert [len(each) for each in chosen.values()] == [2, 2, 2]
        assert chosen["best"][0].average_precision == max(values.values())
        assert chosen["worst"][0].average_precision == min(values.values())
        for each in (example for kind in chosen.values() for example in kind):
            assert each.average_precision == values[each.query.id]
        for kind in chosen.values():
            assert {each.query.label for each in kind} == {"cat", "dog"}


def test_answers_are_ranked_and_marked(layout, examples):
    scores = read_scores(layout.run("cca", 0).scores)
    for example in examples:
        values = [hit.score for hit in example.hits]
        assert values == sorted(values, reverse=True)
        assert [hit.right for hit in example.hits] == [hit.label == example.query.label for hit in example.hits]
        matrix = scores.score if example.direction == "i2t" else scores.score.T
        ids = scores.image_id if example.direction == "i2t" else scores.text_id
        row = matrix[ids.tolist().index(example.query.id)]
        assert values == np.sort(row)[::-1][:10].tolist()


def test_a_picture_is_small_and_white_behind(tmp_path):
    Image.new("RGBA", (400, 200), (255, 0, 0, 0)).save(tmp_path / "a.png")
    data = Thumbnails().of(tmp_path / "a.png").partition("base64,")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as found:
        assert found.size == (SIDE, SIDE // 2)
        assert min(found.convert("RGB").getpixel((5, 5))) > 250


def test_a_picture_that_cannot_be_read_is_named(layout):
    (layout.images / "3.png").write_bytes(b"no picture")
    run = layout.run("cca", 0)
    with pytest.raises(UserError, match=r"3\.png cannot be read as a picture"):
        choose_examples(read_scores(run.scores), read_queries(run.queries), read_manifest(layout.manifest))
