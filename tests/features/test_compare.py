import dataclasses

import pytest

from drsl.features.compare import compare_features


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
