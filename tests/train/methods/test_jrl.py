"""JRL against least squares, its own loss, and a graph small enough to write out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method
from drsl.train.graph import adjacency_scatter, nearest, neighbour_graph, normalised_adjacency
from drsl.train.methods.jrl import Jrl, JrlConfig, quadratic_terms, regress, standardised
from drsl.train.moments import training_moments

EXACT = {"tolerance": 0.0, "sweeps": 3000}


@pytest.fixture
def problem(toy):
    return standardised(training_moments(*toy, method="jrl"))


def items(features):
    """Standardised training features in float64."""
    x = features.select("train").feature.astype(np.float64)
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, np.inf)


def labels(features):
    return np.eye(len(features.classes))[features.select("train").label]


def solved(problem, gamma, sigma, **settings):
    config = JrlConfig(**settings)
    return regress(problem, quadratic_terms(problem, sigma, config), gamma, config)


def loss(sides, found, gamma, sigma, config, graphs=None):
    """The loss as printed, over the number of couples; L is I where no graph is given."""
    x, y = [items(each) for each in sides], labels(sides[0])
    value = config.agreement * np.sum((x[0] @ found[0] - x[1] @ found[1]) ** 2)
    for number, p in enumerate(found):
        laplacian = np.eye(len(y)) if graphs is None else graphs[number]
        value += config.fidelity * np.sum((x[number] @ p - y) ** 2)
        value += sigma * np.trace(p.T @ x[number].T @ laplacian @ x[number] @ p)
    return value / len(y) + gamma * sum(np.linalg.norm(p, axis=1).sum() for p in found)


def test_without_penalties_it_is_least_squares(toy, problem):
    found, _ = solved(problem, 0.0, 0.0, agreement=0.0)
    for p, each in zip(found, toy, strict=True):
        expected = np.linalg.lstsq(items(each), labels(each), rcond=None)[0]
        np.testing.assert_allclose(p, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("graph", ["ridge", "knn"])
def test_the_loss_is_that_of_the_formula_and_never_rises(toy, problem, graph):
    config = JrlConfig(agreement=2.0, fidelity=0.5, tolerance=0.0, sweeps=12)
    graphs = None
    if graph == "knn":
        graphs = [np.eye(90) - normalised_adjacency(joined(each, 5)).toarray() for each in toy]
        smooth = [items(each).T @ by @ items(each) / 90 for each, by in zip(toy, graphs, strict=True)]
        problem = replace(problem, graph=tuple(smooth))
    found, losses = regress(problem, quadratic_terms(problem, 0.3, config), 0.05, config)
    assert losses[-1] == pytest.approx(loss(toy, found, 0.05, 0.3, config, graphs), rel=1e-9)
    assert len(losses) == 12
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(losses))


def test_at_the_end_the_gradient_is_0(toy, problem):
    gamma, sigma = 0.01, 0.3
    found, _ = solved(problem, gamma, sigma, **EXACT)
    x, y = [items(each) for each in toy], labels(toy[0])
    for number in (0, 1):
        p, z, other = found[number], x[number], x[1 - number] @ found[1 - number]
        length = np.linalg.norm(p, axis=1, keepdims=True)
        slope = z.T @ ((z @ p - other) + (z @ p - y) + sigma * (z @ p)) / len(y)
        rows = length[:, 0] > 1e-5
        assert rows.any()
        size = np.abs(z.T @ y / len(y)).max()
        assert np.abs(2 * slope + gamma * p / np.maximum(length, 1e-8))[rows].max() < 1e-5 * size
        # Where a row is 0 any slope of at most gamma is stationary.
        assert np.linalg.norm(2 * slope[~rows], axis=1).max(initial=0) <= gamma * (1 + 1e-3)


def test_few_items_are_solved_as_many_are(make_toy):
    sides = make_toy((25, 9, 9), dims=(32, 30))
    expected = solved(standardised(training_moments(*sides, method="jrl")), 0.05, 1.0)
    few = get_method("jrl", gamma=[0.05], sigma=[1.0])
    found = next(iter(few._solutions(*sides)))[2]
    scale = standardised(training_moments(*sides, method="jrl")).scale
    for p, factor, each in zip(expected[0], scale, (found.image, found.text), strict=True):
        np.testing.assert_allclose(each, factor[:, None] * p, rtol=0, atol=1e-9 * np.abs(each).max())


def test_a_large_gamma_leaves_few_features(problem):
    kept = []
    for gamma in (0.01, 0.1, 0.3):
        found, _ = solved(problem, gamma, 0.0, **EXACT)
        length = np.linalg.norm(np.concatenate(found), axis=1)
        kept.append(int((length > 1e-3 * length.max()).sum()))
    assert kept[0] > kept[1] > kept[2] > 0


def test_identical_sides_that_must_agree_have_identical_projections(toy):
    problem = standardised(training_moments(toy[0], toy[0], method="jrl"))
    found, _ = solved(problem, 0.01, 0.0, agreement=100.0, **EXACT)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-3 * np.abs(found[0]).max())


def test_constant_features_have_no_part(toy):
    image, text = toy
    feature = image.feature.copy()
    feature[:, 3] = 0.7
    method = get_method("jrl", gamma=[0.01]).fit(replace(image, feature=feature), text)
    assert (method.arrays["image_projection"][3] == 0).all()


# The graph.


def joined(features, neighbours):
    train = features.select("train")
    x = train.feature.astype(np.float64)
    spread = x.std(axis=0)
    scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0)
    return neighbour_graph(features, np.flatnonzero(features.split == 0), x.mean(axis=0), scale, neighbours)


def test_the_graph_term_of_four_items_is_the_sum_over_their_edges():
    """1 - 2 - 3 - 4 and 1 - 3: half the sum of W_ab times the squared distance of scaled values."""
    graph = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]], np.float64)
    draw = np.random.default_rng(0)
    z, p = draw.standard_normal((4, 3)), draw.standard_normal((3, 2))
    degree = graph.sum(axis=1)
    f = z @ p / np.sqrt(degree)[:, None]
    expected = sum(graph[a, b] * np.sum((f[a] - f[b]) ** 2) for a in range(4) for b in range(4)) / 2
    laplacian = np.eye(4) - normalised_adjacency(scipy.sparse.csr_array(graph)).toarray()
    assert np.trace(p.T @ z.T @ laplacian @ z @ p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("neighbours", [1, 5, 89, 200])
def test_neighbours_are_those_of_the_full_matrix_of_distances(toy, neighbours, monkeypatch):
    monkeypatch.setattr("drsl.train.graph._QUERIES", 17)
    monkeypatch.setattr("drsl.train.graph._ITEMS", 40)
    z = items(toy[0])
    distance = np.linalg.norm(z[:, None] - z[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    expected = np.zeros((90, 90))
    for row in range(90):
        expected[row, np.argsort(distance[row])[: min(neighbours, 89)]] = 1
    graph = joined(toy[0], neighbours)
    assert scipy.sparse.issparse(graph)
    np.testing.assert_array_equal(graph.toarray(), np.maximum(expected, expected.T))


def test_the_scatter_of_neighbours_is_that_of_the_full_matrix(toy, monkeypatch):
    monkeypatch.setattr("drsl.train.graph._QUERIES", 17)
    monkeypatch.setattr("drsl.train.graph._COLUMNS", 10)
    image, _ = toy
    problem = standardised(training_moments(*toy, method="jrl"))
    adjacency = normalised_adjacency(joined(image, 5))
    mean = training_moments(*toy).image.mean
    found = adjacency_scatter(image, np.flatnonzero(image.split == 0), mean, problem.scale[0], adjacency)
    z = items(image)
    np.testing.assert_allclose(found, z.T @ adjacency.toarray() @ z, rtol=0, atol=1e-9 * np.abs(found).max())


def test_an_item_alone_has_no_neighbours(toy):
    image, _ = toy
    alone = neighbour_graph(image, np.array([3]), np.zeros(32), np.ones(32), 5)
    assert alone.nnz == 0
    assert normalised_adjacency(alone).nnz == 0


def test_the_graphs_weigh_in(toy):
    found = [get_method("jrl", graph=graph, sigma=[3.0], gamma=[0.01], neighbours=5) for graph in ("ridge", "knn")]
    left, right = (each.fit(*toy).arrays["image_projection"] for each in found)
    assert not np.allclose(left, right, rtol=0.01)


# The ranking.


def test_posteriors_are_votes_of_the_nearest_training_items(toy):
    method = get_method("jrl", nearest=7).fit(*toy)
    feature = toy[0].select("test").feature
    bank, label, query = [], [], None
    for modality, each in zip(("image", "text"), toy, strict=True):
        train = each.select("train")
        mean, projection = (method.arrays[f"{modality}_{part}"].astype(np.float64) for part in ("mean", "projection"))
        bank.append((train.feature - mean) @ projection)
        label.append(train.label)
        query = (feature - mean) @ projection if query is None else query
    bank, label = np.concatenate(bank), np.concatenate(label)
    found = method.represent("image", feature)
    for row, vector in enumerate(query):
        distance = np.linalg.norm(bank - vector, axis=1)
        near = np.argsort(distance)[:7]
        weight = 1 / (1 + np.exp(distance[near]))
        expected = np.bincount(label[near], weight / weight.sum(), minlength=3)
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-6)


def test_distances_far_away_do_not_underflow(toy):
    method = get_method("jrl").fit(*toy)
    votes = method._posterior(np.full((2, 3), 1e4, np.float32))
    np.testing.assert_allclose(votes.sum(axis=1), 1, rtol=0, atol=1e-6)


def test_nearest_items_come_first():
    distance, place = nearest(np.zeros((1, 2), np.float32), np.array([[3, 4], [0, 1], [0, 2]], np.float32), 2)
    assert place.tolist() == [[1, 2]]
    assert distance.tolist() == [[1, 2]]


def test_both_rankings_find_the_toys_classes_and_a_cosine_keeps_no_training_items(toy):
    cosine = get_method("jrl", ranking="cosine").fit(*toy)
    posterior = get_method("jrl").fit(*toy)
    assert min(cosine.best_val_map, posterior.best_val_map) > 0.9
    assert posterior.arrays.keys() - cosine.arrays.keys() == {"bank", "bank_label"}
    assert posterior.arrays["bank"].shape == (180, 3)
    np.testing.assert_allclose(np.linalg.norm(cosine.represent("text", toy[1].feature), axis=1), 1, rtol=1e-5)


def test_a_cosine_is_saved_and_loaded(toy, tmp_path):
    method = get_method("jrl", ranking="cosine").fit(*toy)
    method.save(tmp_path / "0.safetensors")
    loaded = Jrl().load(tmp_path / "0.safetensors")
    np.testing.assert_array_equal(
        loaded.score(*(each.feature for each in toy)), method.score(*(e.feature for e in toy))
    )


def test_training_items_that_do_not_fit_their_labels_are_refused(toy, tmp_path):
    method = get_method("jrl").fit(*toy)
    for wrong in ({"bank_label": method.arrays["bank_label"] + 3}, {"bank": method.arrays["bank"][:, :2]}):
        broken = get_method("jrl")
        broken.arrays, broken.classes, broken.settings = method.arrays | wrong, 3, method.settings
        broken.save(tmp_path / "0.safetensors")
        with pytest.raises(UserError, match="has not the numbers"):
            Jrl().load(tmp_path / "0.safetensors")


# What it asks for.


def test_it_needs_couples(make_toy):
    image, text = make_toy()
    text = replace(text, id=np.array([f"text-{row}" for row in range(len(text))], dtype=object))
    with pytest.raises(UserError, match="jrl learns from items that have both an image and a text"):
        get_method("jrl").fit(image, text)
    with pytest.raises(UserError, match="jrl needs couples"):
        standardised(training_moments(image, text))


def test_features_that_depend_on_each_other_need_gamma(toy):
    image, text = toy
    image = replace(image, feature=np.concatenate([image.feature, image.feature], axis=1))
    with pytest.raises(UserError, match=r"gamma: 0.* is too small"):
        get_method("jrl", gamma=[0.0]).fit(image, text)


@pytest.mark.parametrize(
    "settings",
    [
        *({"gamma": []}, {"sigma": [-1.0]}, {"agreement": -1.0}, {"fidelity": 0.0}, {"graph": "heat"}),
        *({"ranking": "euclid"}, {"neighbours": 0}, {"nearest": 0}, {"sweeps": 0}, {"tolerance": -0.1}),
    ],
)
def test_wrong_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        get_method("jrl", **settings)
