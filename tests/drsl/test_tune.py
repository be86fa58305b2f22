"""Choosing settings on val: no test item is seen, what is known is not done again, the best is what is written."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.tuning import points_of, tune_method, without_test

SMALL = {"hidden": 8, "epochs": 3, "batch": 20, "inputs": "standard"}
GRID = {"learning_rate": [1e-5, 1e-2], "dropout": [0.0, 0.5]}


@pytest.fixture
def record(tmp_path):
    return tmp_path / "results" / "toy" / "deep-sm" / "tune.csv"


def rows_of(record):
    with record.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outcome(found):
    return [(each.settings, each.val_map, each.note) for each in found.points], found.chosen


def test_the_points_of_a_grid():
    assert points_of({}) == [{}]
    assert points_of(GRID)[1] == {"learning_rate": 1e-5, "dropout": 0.5}
    assert len(points_of(GRID)) == 4


def test_the_best_on_val_is_chosen(make_pair, record):
    image, text = make_pair()
    found = tune_method("deep-sm", SMALL, GRID, image, text, record)
    for point in found.points:
        alone = get_method("deep-sm", **SMALL, **point.settings).fit(image, text, seed=0)
        assert point.val_map == pytest.approx(alone.best_val_map, abs=1e-6)
    assert found.best.val_map == max(point.val_map for point in found.points)
    assert found.chosen == found.best.settings
    assert found.chosen["learning_rate"] == 1e-2
    rows = rows_of(record)
    assert [float(row["val_map"]) for row in rows] == [point.val_map for point in found.points]
    assert [row["learning_rate"] for row in rows] == ["1e-05", "1e-05", "0.01", "0.01"]


@pytest.mark.parametrize("name", ["deep-sm", "cca"])
def test_test_items_are_not_looked_at(make_pair, tmp_path, name):
    image, text = make_pair()
    settings, grid = (SMALL, GRID) if name == "deep-sm" else ({}, {})
    expected = outcome(tune_method(name, settings, grid, image, text, tmp_path / "a.csv"))
    spoiled = [
        replace(each, feature=np.where(each.split[:, None] == 2, np.nan, each.feature).astype(np.float32))
        for each in (image, text)
    ]
    assert outcome(tune_method(name, settings, grid, *spoiled, tmp_path / "b.csv")) == expected
    removed = [without_test(each) for each in (image, text)]
    assert all(2 not in each.split for each in removed)
    assert outcome(tune_method(name, settings, grid, *removed, tmp_path / "c.csv")) == expected


def test_a_search_goes_on_where_it_was_stopped(make_pair, record):
    image, text = make_pair()

    class Stop(Exception):
        pass

    def stop_after_two(done, total, word):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        tune_method("deep-sm", SMALL, GRID, image, text, record, progress=stop_after_two)
    assert len(rows_of(record)) == 2
    found = tune_method("deep-sm", SMALL, GRID, image, text, record)
    assert [point.kept for point in found.points] == [True, True, False, False]
    again = tune_method("deep-sm", SMALL, GRID, image, text, record)
    assert all(point.kept for point in again.points)
    assert outcome(again) == outcome(found)


def test_a_longer_grid_keeps_what_is_known(make_pair, record):
    image, text = make_pair()
    tune_method("deep-sm", SMALL, {"learning_rate": [1e-2]}, image, text, record)
    found = tune_method("deep-sm", SMALL, {"learning_rate": [1e-3, 1e-2], "dropout": [0.5]}, image, text, record)
    assert [point.kept for point in found.points] == [False, True]  # 0.5 is the default: the same settings
    assert found.points[1].settings == {"learning_rate": 1e-2, "dropout": 0.5}


@pytest.mark.parametrize("change", ["features", "settings", "seed"])
def test_what_was_made_otherwise_is_made_again(make_pair, record, change):
    grid = {"learning_rate": [1e-2]}
    tune_method("deep-sm", SMALL, grid, *make_pair(), record)
    settings = SMALL | ({"hidden": 9} if change == "settings" else {})
    pair = make_pair(seed=int(change == "features"))
    found = tune_method("deep-sm", settings, grid, *pair, record, seed=int(change == "seed"))
    assert not found.points[0].kept
    assert len(rows_of(record)) == 1


def test_a_method_that_chooses_by_itself_is_one_fit(make_pair, record):
    image, text = make_pair()
    found = tune_method("cca", {}, {}, image, text, record)
    assert len(found.points) == 1
    fitted = get_method("cca").fit(image, text, seed=0).settings
    assert found.chosen == {key: fitted[key] for key in ("components", "power", "ridge")}
    again = tune_method("cca", {}, {}, image, text, record)
    assert again.points[0].kept
    assert again.chosen == found.chosen
    pinned = get_method("cca", **found.chosen).fit(image, text, seed=0)
    assert pinned.best_val_map == pytest.approx(found.best.val_map, abs=1e-6)


def test_a_fit_that_diverges_does_not_end_the_search(make_pair, record):
    image, text = make_pair()
    grid = {"learning_rate": [1e30, 1e-2]}
    found = tune_method("deep-sm", SMALL | {"clip": 0.0}, grid, image, text, record)
    assert "no longer finite" in found.points[0].note
    assert found.chosen == {"learning_rate": 1e-2}
    assert rows_of(record)[0]["val_map"] == ""
    with pytest.raises(UserError, match=r"no fit of deep-sm gave a mAP on val: .*no longer finite"):
        tune_method("deep-sm", SMALL | {"clip": 0.0}, {"learning_rate": [1e30]}, image, text, record)


def test_a_record_that_cannot_be_read_is_made_again(make_pair, record):
    record.parent.mkdir(parents=True)
    record.write_text("recipe,val_map\nx,y\n")
    assert not tune_method("deep-sm", SMALL, {"dropout": [0.1]}, *make_pair(), record).points[0].kept


def test_wrong_grids_are_named(make_pair, record):
    image, text = make_pair()
    with pytest.raises(SettingError, match=r"grids\.deep-sm: .*'learning_rat'.*did you mean 'learning_rate'"):
        tune_method("deep-sm", SMALL, {"learning_rat": [1]}, image, text, record)
    with pytest.raises(SettingError, match="deep-sm has nothing to choose on val: give values"):
        tune_method("deep-sm", SMALL, {}, image, text, record)
    assert not record.exists()
    with pytest.raises(SettingError, match="no val items"):
        tune_method("deep-sm", SMALL, GRID, *make_pair(counts=(60, 0, 24)), record)
