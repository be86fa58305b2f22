"""Kernel CCA: the eigenproblem as printed, the linear kernel, scikit-learn's Nystroem and cca-zoo as oracles."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel

from drsl.features.errors import SettingError, UserError
from drsl.train import get_method, read_method
from drsl.train.methods import kcca
from drsl.train.methods.kcca import KernelMap

ONE = {"components": [4], "power": [0.0]}


@pytest.fixture(scope="module")
def views():
    """Two 6-d views, 80 couples for training and 30 more."""
    draw = np.random.default_rng(0)
    latent = draw.standard_normal((110, 4)) * [4, 3, 2, 1]
    return [
        (np.tanh(latent @ draw.standard_normal((4, 6)) / 3) + 0.2 * draw.standard_normal((110, 6))).astype(np.float32)
        for _ in range(2)
    ]


@pytest.fixture(scope="module")
def problem(views, as_features):
    split = np.repeat([0, 2], [80, 30])
    return tuple(as_features(each, split=split) for each in views)


def embeddings(method, features):
    """Before the rows get length 1."""
    return [
        method._embed(side, each.select("test").feature) for side, each in zip(("image", "text"), features, strict=True)
    ]


def same_up_to_sign(own, other, tolerance):
    for left, right in zip(own, other, strict=True):
        left, right = (each / np.linalg.norm(each, axis=0) for each in (left, right))
        np.testing.assert_allclose(left * np.sign((left * right).sum(axis=0)), right, rtol=0, atol=tolerance)


def test_it_solves_the_eigenproblem_of_the_kernels(problem):
    kappa, count = 0.02, 80
    method = get_method("kcca", ridge=[kappa], **ONE).fit(*problem)
    train = [each.select("train").feature.astype(np.float64) for each in problem]
    test = [each.select("test").feature.astype(np.float64) for each in problem]
    centring = np.eye(count) - 1 / count
    kernels, tests = [], []
    for each, other in zip(train, test, strict=True):
        distance = ((each[:, None] - each) ** 2).sum(axis=2)
        gamma = 1 / np.median(distance[~np.eye(count, dtype=bool)])
        kernel = rbf_kernel(each, each, gamma)
        tests.append((rbf_kernel(other, each, gamma) - kernel.mean(axis=0)) @ centring)
        kernels.append(centring @ kernel @ centring)
    # C = Phi^T Phi / (n - 1), and the ridge is kappa trace(C): kappa' n = kappa trace(K) in the printed form.
    image, text = kernels
    bounds = [each @ each + kappa * np.trace(each) * each for each in kernels]
    cross = image @ text
    zero = np.zeros_like(cross)
    tiny = 1e-9 * np.eye(2 * count)  # the centred kernels have a null space
    whole = np.block([[zero, cross], [cross.T, zero]])
    vector = scipy.linalg.eigh(whole, scipy.linalg.block_diag(*bounds) + tiny)[1][:, ::-1][:, :4]
    expected = tests[0] @ vector[:count], tests[1] @ vector[count:]
    same_up_to_sign(embeddings(method, problem), expected, 1e-4)


def test_the_linear_kernel_is_ridge_cca(problem):
    ridge = 0.3  # of the mean variance of 6 features: a sixth of it of the trace
    kernel = get_method("kcca", kernel="linear", ridge=[ridge / 6], **ONE).fit(*problem)
    linear = get_method("cca", ridge=[ridge], **ONE).fit(*problem)
    same_up_to_sign(embeddings(kernel, problem), embeddings(linear, problem), 1e-4)
    test = [each.select("test").feature for each in problem]
    np.testing.assert_allclose(kernel.score(*test), linear.score(*test), rtol=0, atol=1e-4)


def test_it_is_cca_zoos(problem):
    nonparametric = pytest.importorskip("cca_zoo.nonparametric")
    method = get_method("kcca", ridge=[0.02], **ONE).fit(*problem)
    train = [each.select("train").feature.astype(np.float64) for each in problem]
    gammas = [float(method.arrays[f"{side}_gamma"][0]) for side in ("image", "text")]
    shrinkage = []
    for each, gamma in zip(train, gammas, strict=True):
        kernel = rbf_kernel(each, each, gamma)
        ridge = 0.02 * (np.trace(kernel) - kernel.sum() / 80) / 79
        shrinkage.append(ridge / (1 + ridge))  # (1 - c) C + c I
    oracle = nonparametric.KCCA(4, kernel="rbf", gamma=gammas, shrinkage=shrinkage).fit(train)
    expected = oracle.transform([each.select("test").feature.astype(np.float64) for each in problem])
    same_up_to_sign(embeddings(method, problem), expected, 1e-3)


def test_the_map_is_scikit_learns(views):
    rows = views[0].astype(np.float64)
    own = KernelMap(views[0][:20], 0.3)
    oracle = Nystroem(gamma=0.3, n_components=20, random_state=0).fit(rows[:20])
    mapped, expected = own.kernel(views[0]) @ own.root(), oracle.transform(rows)
    np.testing.assert_allclose(own.kernel(views[0]), rbf_kernel(rows, rows[:20], 0.3), rtol=0, atol=1e-12)
    np.testing.assert_allclose(mapped @ mapped.T, expected @ expected.T, rtol=0, atol=1e-9)
    # Landmarks' own kernel is kept, and all of it when all are landmarks.
    np.testing.assert_allclose((mapped @ mapped.T)[:20, :20], own.kernel(views[0][:20]), rtol=0, atol=1e-9)


def test_a_landmark_twice_changes_nothing(views):
    once, twice = KernelMap(views[0][:20], 0.3), KernelMap(views[0][[*range(20), 3]], 0.3)
    mapped = [each.kernel(views[0]) @ each.root() for each in (once, twice)]
    assert np.isfinite(mapped[1]).all()
    np.testing.assert_allclose(mapped[0] @ mapped[0].T, mapped[1] @ mapped[1].T, rtol=0, atol=1e-6)


def test_as_many_landmarks_as_couples_are_exact(problem):
    exact = get_method("kcca", **ONE).fit(*problem)
    drawn = get_method("kcca", exact_up_to=79, landmarks=80, **ONE).fit(*problem)
    for key, expected in exact.arrays.items():
        np.testing.assert_array_equal(drawn.arrays[key], expected)


def test_more_landmarks_come_nearer(problem):
    test = [each.select("test").feature for each in problem]
    settings = {"ridge": [0.02], **ONE}
    exact = get_method("kcca", **settings).fit(*problem).score(*test)
    errors = []
    for landmarks in (6, 30, 75):
        method = get_method("kcca", exact_up_to=10, landmarks=landmarks, **settings).fit(*problem)
        assert len(method.arrays["image_landmarks"]) == landmarks
        errors.append(np.abs(method.score(*test) - exact).mean())
    assert errors[2] < errors[1] < errors[0], errors


def test_landmarks_are_couples_drawn_by_their_own_seed(problem, views):
    def rows(**settings):
        method = get_method("kcca", exact_up_to=10, landmarks=12, **settings, **ONE).fit(*problem, seed=3)
        found = [
            [int(np.flatnonzero((view == each).all(axis=1))[0]) for each in method.arrays[f"{side}_landmarks"]]
            for side, view in zip(("image", "text"), views, strict=True)
        ]
        assert found[0] == found[1]
        return found[0]

    assert rows() == rows() != rows(draw=1)
    assert rows() == sorted(set(rows()))
    assert max(rows()) < 80


def test_no_matrix_of_all_couples_is_made_above_the_limit(toy, monkeypatch):
    shapes = []
    distances = kcca._distances

    def watched(left, right):
        shapes.append((len(left), len(right)))
        return distances(left, right)

    monkeypatch.setattr(kcca, "_distances", watched)
    monkeypatch.setattr(kcca, "_ROWS", 40)
    get_method("kcca", exact_up_to=50, landmarks=12).fit(*toy)
    assert max(shapes) == (40, 12)


def test_it_says_what_it_will_do(toy, problem):
    assert get_method("kcca").tune(*toy) == ["kcca: 90 couples are at most 6000, so exact"]
    few = get_method("kcca", exact_up_to=80, landmarks=20)
    assert few.tune(*toy) == ["kcca: 90 couples are more than 80, so Nystroem with 20 landmarks"]
    few = get_method("kcca", exact_up_to=80)
    assert few.tune(*toy) == ["kcca: 90 couples are more than 80, so Nystroem with 90 landmarks"]


def test_an_approximation_is_saved_and_loaded(toy, tmp_path):
    path = tmp_path / "toy" / "kcca" / "0.safetensors"
    method = get_method("kcca", exact_up_to=50, landmarks=12).fit(*toy)
    method.save(path)
    loaded = read_method(path)
    test = [each.select("test").feature for each in toy]
    np.testing.assert_array_equal(loaded.score(*test), method.score(*test))
    assert loaded.settings["landmarks"] == 12


def test_equal_items_and_single_couples(as_features):
    same = as_features(np.ones((5, 3)))
    assert np.isfinite(get_method("kcca").fit(same, same).score(np.eye(3, dtype=np.float32), np.eye(3))).all()
    with pytest.raises(UserError, match="two or more couples"):
        get_method("kcca").fit(as_features(np.ones((1, 3))), as_features(np.ones((1, 3))))
    with pytest.raises(UserError, match="kcca learns from items that have both"):
        get_method("kcca").fit(same, as_features(np.ones((2, 3)), ids=["a", "b"]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("kernel", "rbff"), ("exact_up_to", 0), ("landmarks", 0), ("draw", -1), ("ridge", [-1.0])],
)
def test_settings_out_of_range_are_named(key, value):
    with pytest.raises(SettingError, match=key):
        get_method("kcca", **{key: value})
