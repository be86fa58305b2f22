"""A run's numbers: equal to the public metrics, complete, rounded, and never NaN on disk."""

import csv
import json

import numpy as np
import pytest

from drsl.evaluate import (
    Scores,
    average_precision,
    evaluate_scores,
    mean_average_precision,
    precision_recall,
    precision_scope,
    read_result,
    write_result,
)
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.layout import Layout

COST = {"fit_seconds": 1.23456789, "score_seconds": np.float32(0.5), "peak_memory_mb": 321}


def scores_of(score, image_label, text_label, **attrs):
    images, texts = score.shape
    return Scores(
        score=score,
        image_id=np.array([f"i{row}" for row in range(images)], dtype=object),
        text_id=np.array([f"t{row}" for row in range(texts)], dtype=object),
        image_label=np.asarray(image_label),
        text_label=np.asarray(text_label),
        classes=("a", "b", "c", "d"),
        attrs=attrs,
    )


@pytest.fixture
def scores(make_problem):
    score, image_label, text_label = make_problem(1, queries=17, gallery=23, decimals=1)
    return scores_of(score.astype(np.float32), image_label, text_label, method="drsl-c")


def test_by_hand():
    # images of classes 0, 1, 3; texts of classes 0, 1, 1
    score = np.array([[3, 2, 1], [3, 2, 1], [1, 2, 3]], dtype=np.float32)
    result = evaluate_scores(scores_of(score, [0, 1, 3], [0, 1, 1]), scope=[1, 2], at=[1], cost={})
    assert result.metrics == {
        "i2t_map": round((1 + (1 / 2 + 2 / 3) / 2) / 2, 6),
        "t2i_map": round((1 + 1 / 2 + 1 / 3) / 3, 6),  # of text 1 all images tie, of text 2 the right one is last
        "mean_map": round(((1 + 7 / 12) / 2 + 11 / 18) / 2, 6),
        "i2t_map_at_1": 0.5,
        "t2i_map_at_1": round(1 / 3, 6),
        "i2t_queries": 3,
        "i2t_gallery": 3,
        "i2t_empty_queries": 1,
        "i2t_tied_pairs": 0.0,
        "t2i_queries": 3,
        "t2i_gallery": 3,
        "t2i_empty_queries": 0,
        "t2i_tied_pairs": round((1 + 3 + 1) / 9, 6),
    }
    assert result.precision_scope == ((1, 0.5, 0.333333), (2, 0.5, 0.333333))


def test_equals_the_public_metrics(scores):
    result = evaluate_scores(scores, scope=[1, 5, 17], at=[3, 10], cost=COST)
    directions = {
        "i2t": (scores.score, scores.image_label, scores.text_label),
        "t2i": (scores.score.T, scores.text_label, scores.image_label),
    }
    for column, (key, problem) in enumerate(directions.items(), start=1):
        assert result.metrics[f"{key}_map"] == round(mean_average_precision(*problem), 6)
        for at in (3, 10):
            assert result.metrics[f"{key}_map_at_{at}"] == round(mean_average_precision(*problem, at), 6)
        recall, precision = precision_recall(*problem)
        rows = [(row[0], row[column]) for row in result.precision_recall]
        assert rows == list(zip(recall.tolist(), precision.round(6).tolist(), strict=True))
        rows = [(row[0], row[column]) for row in result.precision_scope]
        precision = precision_scope(*problem, [1, 5, 17])
        assert rows == list(zip([1, 5, 17], precision.round(6).tolist(), strict=True))
        assert result.metrics[f"{key}_queries"] == len(problem[1])
        assert result.metrics[f"{key}_gallery"] == len(problem[2])
        assert result.metrics[f"{key}_empty_queries"] == int(np.isnan(average_precision(*problem)).sum())
    maps = [mean_average_precision(*problem) for problem in directions.values()]
    assert result.metrics["mean_map"] == round(sum(maps) / 2, 6)


def test_cost_comes_last_and_plain(scores):
    metrics = evaluate_scores(scores, scope=[1], at=[], cost=COST).metrics
    assert list(metrics)[:3] == ["i2t_map", "t2i_map", "mean_map"]
    assert list(metrics.items())[-3:] == [("fit_seconds", 1.234568), ("score_seconds", 0.5), ("peak_memory_mb", 321)]
    assert {type(value) for value in metrics.values()} == {int, float}
    with pytest.raises(ValueError, match="'i2t_map'"):
        evaluate_scores(scores, scope=[1], at=[], cost={"i2t_map": 1.0})


def test_numbers_have_six_digits(scores):
    result = evaluate_scores(scores, scope=[3], at=[3], cost=COST)
    numbers = [
        *result.metrics.values(),
        *(value for row in (*result.precision_recall, *result.precision_scope) for value in row),
    ]
    assert all(value == round(value, 6) for value in numbers)


def test_the_size_of_the_blocks_does_not_matter(scores, monkeypatch):
    whole = evaluate_scores(scores, scope=[3], at=[3], cost={})
    monkeypatch.setattr("drsl.evaluate.ranking.BLOCK_ITEMS", 50)
    assert evaluate_scores(scores, scope=[3], at=[3], cost={}) == whole


def test_a_scope_beyond_one_gallery_is_left_out(scores):
    result = evaluate_scores(scores, scope=[5, 17, 18, 23, 100], at=[], cost={})
    assert [row[0] for row in result.precision_scope] == [5, 17]
    with pytest.raises(SettingError, match=r"^scope: none of 18, 100 fits the smaller gallery of 17 items"):
        evaluate_scores(scores, scope=[18, 100], at=[], cost={})
    assert evaluate_scores(scores, scope=[], at=[], cost={}).precision_scope == ()


@pytest.mark.parametrize(("scope", "at"), [([0], []), (["5"], []), ([5], [0]), ([5], [1.5])])
def test_settings_that_are_no_positive_whole_numbers(scores, scope, at):
    with pytest.raises(SettingError, match=r"^(scope|at): .* whole number"):
        evaluate_scores(scores, scope=scope, at=at, cost={})


def test_ties_above_one_percent_give_a_warning():
    label = np.arange(40) % 4
    constant = evaluate_scores(scores_of(np.ones((40, 40), np.float32), label, label), scope=[1], at=[], cost={})
    assert constant.metrics["i2t_tied_pairs"] == constant.metrics["t2i_tied_pairs"] == 1.0
    assert [each[:12] for each in constant.warnings] == ["i2t: 100.0% ", "t2i: 100.0% "]
    score = np.random.default_rng(0).permutation(1600).reshape(40, 40).astype(np.float32)
    assert evaluate_scores(scores_of(score, label, label), scope=[1], at=[], cost={}).warnings == ()
    score[:, 1:7] = score[:, :1]  # 21 of 780 pairs of texts; no pair of images
    (warning,) = evaluate_scores(scores_of(score, label, label), scope=[1], at=[], cost={}).warnings
    assert warning.startswith("i2t: 2.7% of the pairs")


def test_scores_that_are_not_finite_name_the_method(scores):
    scores.score[1, 1] = np.nan
    with pytest.raises(UserError, match=r"^drsl-c gives scores that are NaN"):
        evaluate_scores(scores, scope=[1], at=[], cost={})


def test_written_files_hold_the_result(scores, tmp_path):
    run = Layout(tmp_path, "pascal").run("drsl-c", 3)
    result = evaluate_scores(scores, scope=[1, 5], at=[3], cost=COST)
    write_result(run, result)
    assert run.result == tmp_path / "results" / "pascal" / "drsl-c" / "3.json"
    assert json.loads(run.result.read_text()) == result.metrics == read_result(run.result)
    rows = list(csv.reader(run.precision_recall.read_text().splitlines()))
    assert rows[0] == ["recall", "i2t_precision", "t2i_precision"]
    assert [tuple(map(float, each)) for each in rows[1:]] == list(result.precision_recall)
    assert [each[0] for each in rows[1:12]] == [
        "0.0",
        "0.1",
        "0.2",
        "0.3",
        "0.4",
        "0.5",
        "0.6",
        "0.7",
        "0.8",
        "0.9",
        "1.0",
    ]
    rows = list(csv.reader(run.precision_scope.read_text().splitlines()))
    assert rows[0] == ["scope", "i2t_precision", "t2i_precision"]
    assert [tuple(map(float, each)) for each in rows[1:]] == list(result.precision_scope)
    assert b"\r" not in run.precision_recall.read_bytes() + run.precision_scope.read_bytes()


def test_the_same_result_gives_the_same_bytes(scores, tmp_path):
    contents = []
    for name in ("a", "b"):
        run = Layout(tmp_path / name, "pascal").run("drsl-c", 3)
        write_result(run, evaluate_scores(scores, scope=[1, 5], at=[3], cost=COST))
        contents.append([path.read_bytes() for path in (run.result, run.precision_recall, run.precision_scope)])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(("images", "texts"), [(3, 4), (0, 4), (3, 0), (0, 0)])
def test_no_map_is_an_error_and_nothing_is_written(tmp_path, images, texts):
    score = np.arange(float(images * texts), dtype=np.float32).reshape(images, texts)
    nothing = scores_of(score, np.zeros(images, int), np.ones(texts, int))
    result = evaluate_scores(nothing, scope=[2], at=[1], cost={})
    assert np.isnan(result.metrics["i2t_map"])
    assert result.metrics["i2t_empty_queries"] == images
    with pytest.raises(UserError, match="no query has a relevant item"):
        write_result(Layout(tmp_path, "pascal").run("drsl-c", 3), result)
    assert list(tmp_path.iterdir()) == []


def test_a_cost_that_is_not_finite_is_an_error(scores, tmp_path):
    result = evaluate_scores(scores, scope=[2], at=[1], cost={"fit_seconds": float("nan")})
    with pytest.raises(UserError, match="fit_seconds is nan"):
        write_result(Layout(tmp_path, "pascal").run("drsl-c", 3), result)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_result_names_the_command(tmp_path):
    with pytest.raises(MissingFile, match="`drsl evaluate -d pascal -m cca -s 2`"):
        read_result(Layout(tmp_path, "pascal").run("cca", 2).result)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"3",
        b'{"i2t_map": 0.5}',
        b'{"i2t_map": NaN, "t2i_map": 0.5, "mean_map": 0.5}',
        b'{"i2t_map": "0.5", "t2i_map": 0.5, "mean_map": 0.5}',
        b'{"i2t_map": null, "t2i_map": 0.5, "mean_map": 0.5}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_result_names_the_command(tmp_path, content):
    path = Layout(tmp_path, "pascal").run("cca", 2).result
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"make it again with `drsl evaluate -d pascal -m cca -s 2`"):
        read_result(path)


def test_each_querys_average_precision_is_written(scores, tmp_path):
    run = Layout(tmp_path, "toy").run("drsl-c", 0)
    result = evaluate_scores(scores, scope=[1], at=[3], cost={})
    write_result(run, result)
    with run.queries.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for direction, ids, labels, score, gallery in (
        ("i2t", scores.image_id, scores.image_label, scores.score, scores.text_label),
        ("t2i", scores.text_id, scores.text_label, scores.score.T, scores.image_label),
    ):
        found = [row for row in rows if row["direction"] == direction]
        assert [row["id"] for row in found] == ids.tolist()
        assert [row["class"] for row in found] == [scores.classes[label] for label in labels]
        expected = average_precision(score, labels, gallery)
        values = [float(row["average_precision"] or "nan") for row in found]
        np.testing.assert_allclose(values, expected.round(6), atol=1e-9)
        assert np.nanmean(values) == pytest.approx(result.metrics[f"{direction}_map"], abs=2e-6)
