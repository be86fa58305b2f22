"""From features to files: the fitted method, its log, its cost, and the scores of the test split."""

import csv
import json
import math

import numpy as np
import pytest

from drsl.evaluate import read_scores
from drsl.evaluate.results import read_cost
from drsl.features.errors import UserError
from drsl.features.layout import Run
from drsl.train import read_method
from drsl.train.loop import LOG_COLUMNS
from drsl.train.methods.base import Method
from drsl.train.stage import fit_stage


class Fake(Method):
    """Learns nothing, keeps no log, and scores with what it is given."""

    name = "fake"
    settings = {}  # noqa: RUF012

    def __init__(self, value=1.0):
        super().__init__()
        self.value = value

    def fit(self, image, text, *, seed, device="cpu", progress=None):
        self.told = (seed, device, progress)
        return self

    def score(self, image_feature, text_feature):
        return np.full((len(image_feature), len(text_feature)), self.value, np.float32)

    def _arrays(self):
        return {}

    def _restore(self, arrays, about):
        pass

    @property
    def dims(self):
        return 32, 20


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_method, make_toy):
    """One stage run: a method, its features, its files, and what the stage gave back."""
    image, text = make_toy((60, 12, 14), (50, 12, 9))
    run = Run(tmp_path_factory.mktemp("project") / "results" / "toy" / "drsl-c", 4)
    method = make_method("drsl-c", epochs=5, validate_every=2)
    cost = fit_stage(method, image, text, run, seed=4)
    return method, (image, text), run, cost


def test_four_files_are_made_and_nothing_else(made):
    _, _, run, _ = made
    assert sorted(run.folder.iterdir()) == sorted([run.model, run.log, run.cost, run.scores])


def test_the_scores_are_those_of_the_test_split(made):
    method, (image, text), run, _ = made
    scores = read_scores(run.scores)
    query, gallery = image.select("test"), text.select("test")
    np.testing.assert_array_equal(scores.score, method.score(query.feature, gallery.feature))
    assert scores.score.shape == (14, 9)
    assert scores.image_id.tolist() == query.id.tolist() == [f"item-{row}" for row in range(72, 86)]
    assert scores.text_id.tolist() == gallery.id.tolist() == [f"item-{row}" for row in range(62, 71)]
    np.testing.assert_array_equal(scores.image_label, query.label)
    np.testing.assert_array_equal(scores.text_label, gallery.label)
    assert scores.classes == ("ant", "bee", "cow")


def test_scores_and_model_say_what_they_were_made_from(made):
    _, _, run, _ = made
    provenance = {
        "dataset": "toy",
        "seed": 4,
        "image_fingerprint": "i" * 64,
        "image_digest": "d" * 64,
        "text_fingerprint": "t" * 64,
        "text_digest": "d" * 64,
    }
    found = dict(read_method(run.model).provenance)
    assert found.pop("made_by").keys() == {"settings", "seed", "image_digest", "text_digest", "code"}
    assert found == provenance
    attrs = read_scores(run.scores).attrs
    assert {key: attrs[key] for key in ("method", *provenance)} == {"method": "drsl-c"} | provenance


def test_the_model_that_was_written_gives_the_scores_that_were_written(made):
    _, (image, text), run, _ = made
    loaded = read_method(run.model)
    expected = loaded.score(image.select("test").feature, text.select("test").feature)
    np.testing.assert_array_equal(read_scores(run.scores).score, expected)


def test_the_log_is_a_table_with_a_row_an_epoch(made):
    method, _, run, _ = made
    content = run.log.read_bytes()
    assert b"\r" not in content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert list(rows[0]) == list(LOG_COLUMNS) == ["epoch", "loss", "positive_mean", "negative_mean", "val_map"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["val_map"] == "" for row in rows] == [True, False, True, False, False]
    for row, entry in zip(rows, method.log, strict=True):
        for column, value in zip(LOG_COLUMNS, entry, strict=True):
            if not math.isnan(value):
                assert float(row[column]) == pytest.approx(value, rel=1e-5)


def test_the_cost_is_in_the_file_and_given_back(made):
    _, _, run, cost = made
    told = json.loads(run.cost.read_text("utf-8"))
    assert "torch" in told.pop("machine")
    assert told == cost == read_cost(run)
    assert list(cost) == ["fit_seconds", "score_seconds", "peak_memory_mb"]
    assert all(isinstance(each, float) and each >= 0 for each in cost.values())
    assert 0 < cost["fit_seconds"] < 60
    assert 50 < cost["peak_memory_mb"] < 1e6


def test_the_same_stage_gives_the_same_bytes(made, make_method, tmp_path):
    _, features, run, _ = made
    again = Run(tmp_path / "toy" / "drsl-c", 4)
    fit_stage(make_method("drsl-c", epochs=5, validate_every=2), *features, again, seed=4)
    for one, other in ((run.model, again.model), (run.log, again.log), (run.scores, again.scores)):
        assert one.read_bytes() == other.read_bytes()


def test_every_method_goes_through(name, make_method, make_toy, tmp_path):
    image, text = make_toy((30, 6, 5))
    run = Run(tmp_path / "toy" / name, 0)
    method = make_method(name)
    fit_stage(method, image, text, run, seed=0)
    scores = read_scores(run.scores)
    assert scores.attrs["method"] == name
    np.testing.assert_array_equal(scores.score, method.score(image.select("test").feature, text.select("test").feature))


def test_seed_device_and_progress_reach_the_fit(toy, tmp_path):
    def progress(*_):
        pass

    method = Fake()
    fit_stage(method, *toy, Run(tmp_path, 9), seed=9, device="meta", progress=progress)
    assert method.told == (9, "meta", progress)


def test_a_method_without_a_log_has_an_empty_one(toy, tmp_path):
    fit_stage(Fake(), *toy, Run(tmp_path, 0), seed=0)
    assert Run(tmp_path, 0).log.read_text("utf-8").strip() == ""


def test_features_that_say_nothing_of_themselves_are_taken(make_features, tmp_path):
    image, text = make_features(18, 32), make_features(18, 20, modality="text")
    image.attrs.clear()
    fit_stage(Fake(), image, text, Run(tmp_path, 0), seed=0)
    attrs = read_scores(Run(tmp_path, 0).scores).attrs
    assert (attrs["dataset"], attrs["image_digest"], attrs["text_fingerprint"]) == ("", "", "1" * 64)


def test_an_empty_test_split_gives_an_empty_score_file(make_toy, tmp_path):
    fit_stage(Fake(), *make_toy((9, 3, 0), (9, 3, 5)), Run(tmp_path, 0), seed=0)
    assert read_scores(Run(tmp_path, 0).scores).score.shape == (0, 5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(value, toy, tmp_path):
    run = Run(tmp_path, 0)
    with pytest.raises(UserError, match=r"fake gives scores that are NaN or infinite.*item-120.*item-120"):
        fit_stage(Fake(value), *toy, run, seed=0)
    assert not run.scores.exists()
    assert not run.cost.exists()


def test_a_fit_that_fails_leaves_no_files(make_method, toy, tmp_path):
    run = Run(tmp_path / "toy" / "drsl-c", 0)
    with pytest.raises(UserError, match="no longer finite"):
        fit_stage(make_method("drsl-c", learning_rate=1e15), *toy, run, seed=0)
    assert not run.folder.exists() or not list(run.folder.iterdir())


def test_a_folder_that_cannot_be_written_is_named(toy, read_only_folder):
    with pytest.raises(UserError, match=str(read_only_folder)):
        fit_stage(Fake(), *toy, Run(read_only_folder, 0), seed=0)
