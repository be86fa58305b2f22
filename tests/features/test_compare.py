import dataclasses

import numpy as np
import pytest

from drsl.features import open_parts
from drsl.features.compare import compare_features, compare_parts
from drsl.features.parts import open_parts_writer


def test_equal_features_do_not_differ(make_features):
    assert compare_features(make_features(), make_features()) == []


def test_no_rows(make_features):
    assert compare_features(make_features(n=0), make_features(n=0)) == []


def test_ids_of_one_file_only(make_features):
    first = make_features()
    rows = {name: getattr(first, name)[:9] for name in ("id", "feature", "label", "split")}
    fewer = dataclasses.replace(first, **rows)
    assert compare_features(first, fewer) == ["3 ids are only in the first file, e.g. 'item-10'"]
    assert compare_features(fewer, first) == ["3 ids are only in the second file, e.g. 'item-10'"]


def test_another_order_is_not_another_value(make_features):
    first = make_features()
    turned = {name: getattr(first, name)[::-1] for name in ("id", "feature", "label", "split")}
    assert compare_features(first, dataclasses.replace(first, **turned)) == ["the rows are in another order"]


@pytest.mark.parametrize("name", ["label", "split"])
def test_labels_and_splits_are_counted(make_features, name):
    first = make_features()
    changed = getattr(first, name).copy()
    changed[:2] = (changed[:2] + 1) % 3
    assert compare_features(first, dataclasses.replace(first, **{name: changed})) == [
        f"{name}: 2 of 12 shared ids differ"
    ]


def test_values_with_the_largest_gap(make_features):
    first = make_features()
    changed = first.feature.copy()
    changed[3, 2] += 0.5
    changed[4, 1] += 0.25
    lines = compare_features(first, dataclasses.replace(first, feature=changed))
    assert lines == ["feature: 2 of 12 rows differ, by at most 0.5"]


def test_widths_classes_and_encoders(make_features):
    first = make_features()
    second = dataclasses.replace(
        make_features(dim=5),
        classes=("a", "b", "c"),
        attrs={**first.attrs, "encoder": '{"architecture":"vgg"}'},
    )
    assert compare_features(first, second) == [
        "classes: ['class-0', 'class-1', 'class-2'] and ['a', 'b', 'c']",
        "width: 8 and 5",
        "encoder: architecture was toy, now vgg",
    ]


@pytest.fixture
def make_parts(tmp_path):
    """Makes a file of sentences or words for n items, with what shall differ."""

    def build(kind="sentences", n=200, order=1, shape=(3, 2), words=("a", "b"), seed=0, **attrs):
        path, rows = tmp_path / f"{len(list(tmp_path.iterdir()))}.h5", np.arange(n)[::order]
        part = np.random.default_rng(0).integers(0, 3, (n, *shape))
        mask = np.random.default_rng(0).random((n, shape[0])) < 0.5
        extra = {"words": words, "vectors": np.full((len(words) + 1, 2), seed)} if kind == "words" else {}
        columns = {"id": [f"item-{row}" for row in rows], "label": rows % 3, "split": rows % 2, "classes": "abc"}
        if seed and kind == "sentences":
            part[5, 0, 0], part[150, 1, 1], mask[7] = 5, 9, ~mask[7]
        with open_parts_writer(path, kind, **columns, shape=shape, attrs=attrs, **extra) as writer:
            writer.append(part[::order], mask[::order] if kind == "sentences" else None)
        return open_parts(path)

    return build


def test_equal_parts_do_not_differ(make_parts):
    assert compare_parts(make_parts(), make_parts()) == []
    assert compare_parts(make_parts("words", shape=(4,)), make_parts("words", shape=(4,))) == []
    assert compare_parts(make_parts(n=0), make_parts(n=0)) == []


def test_parts_that_differ(make_parts):
    assert compare_parts(make_parts(), make_parts(order=-1)) == ["the rows are in another order"]
    assert compare_parts(make_parts(), make_parts(n=100))[0] == "100 ids are only in the first file, e.g. 'item-100'"
    assert compare_parts(make_parts(), make_parts(shape=(2, 2)))[:2] == [
        "part: rows of (3, 2) and (2, 2)",
        "mask: rows of (3,) and (2,)",
    ]
    part, mask = compare_parts(make_parts(), make_parts(seed=1))
    assert part.startswith("part: 2 of 200 rows differ, by at most ")
    assert mask == "mask: 1 of 200 rows differ, by at most 1"
    assert compare_parts(make_parts(), make_parts("words", shape=(3,))) == ["kind: sentences and words"]


def test_words_and_what_made_them(make_parts):
    def words(**changes):
        return make_parts("words", shape=(4,), **changes)

    assert compare_parts(words(), words(words=("a", "c"))) == ["words: 2 and 2, not the same ones"]
    assert compare_parts(words(), words(seed=2)) == ["vectors: 3 of 3 rows differ, by at most 2"]
    made = {"encoder": '{"input_size": 4}', "settings": '{"share": 0.5}'}
    assert [line.partition(", now")[0] for line in compare_parts(words(**made), words())] == [
        "settings: share was 0.5",
        "encoder: input_size was 4",
    ]
