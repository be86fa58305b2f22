"""All methods on one paired toy: labels help, and where there is nothing to learn nothing is found.

The null distribution of a score matrix: the classes of the texts are renamed at random. That leaves each side's own
structure as it is, so it is what a method reaches that knows nothing of how the two sides belong together.
"""

import functools
from dataclasses import replace

import numpy as np
import pytest

from drsl.evaluate import mean_average_precision
from drsl.train import get_method, method_names
from drsl.train.methods import method_class
from drsl.train.methods.network import NetworkMethod

CLASSES = 10
UNSUPERVISED = ("cca", "cca-paper", "pls", "kcca", "mcca", "dcca", "dccae")
SUPERVISED = [name for name in method_names() if name not in UNSUPERVISED and not method_class(name).parts]
SAMPLE = ("drsl-c", "drsl-plus", "deep-sm", "mvda", "jrl", "dscmr")
"""what every run of the tests tries where nothing is to be learned; the others take minutes more"""
DRSL = ("drsl-c", "drsl-m", "drsl-a", "drsl-s")
# What makes a method quick here, beside what `make` gives all networks.
QUICK = {
    "dcca": {"hidden": [128], "components": 10, "power": 2.0, "batch": 400},
    "dccae": {"hidden": [128], "components": 10, "power": 2.0, "batch": 400},
    "cm-gans": {"discriminator": 64, "generator_steps": 2, "learning_rate": 5e-3},
    "sdml": {"hidden": [128], "text_learning_rate": 2e-3},
    "man": {"hidden": [128], "inputs": "unit", "epochs": 30, "learning_rate": 4e-3},
    "mrl": {"hidden": [128]},
    "fume": {"hidden": [128]},
    "cmdn": {
        **{"alone": [128, 64], "image_layers": [128, 64], "text_layers": [64, 64], "joint": 128, "fused": 128},
        **{"common": [128, 64], "stage_epochs": 8},
    },
    "ccl": {"image_layers": [256], "text_layers": [128], "code": 256, "stage_epochs": 20},
    "mcsm": {"dim": 64, "references": 100},
}


@pytest.fixture(scope="module")
def problem(make_paired_toy):
    return make_paired_toy(400, 100, 200, dims=(256, 100), classes=CLASSES)


@pytest.fixture(scope="module")
def nothing(problem):
    """Train and val items whose image, text and class have nothing to do with each other; the test items are real."""
    draw = np.random.default_rng(1)
    image, text = problem
    order, label = np.arange(len(image)), image.label.copy()
    for split in (0, 1):
        rows = np.flatnonzero(image.split == split)
        order[rows] = draw.permutation(rows)
        label[rows] = draw.permutation(label[rows])
    return replace(image, label=label), replace(text, feature=text.feature[order], label=label)


def make(name):
    if name in DRSL:
        quick = {"image_fnn": [128, 64], "text_fnn": [128, 64], "relation": [64], "batch": 50}
        return get_method(name, **quick, learning_rate=1e-3, epochs=80)
    method = get_method(name)
    if not isinstance(method, NetworkMethod):
        return get_method(name, **QUICK.get(name, {}))
    quick = {"inputs": "standard", "learning_rate": 2e-3, "batch": 50, "epochs": 20}
    quick |= {"hidden": 128} if isinstance(getattr(method.config, "hidden", None), int) else {}
    return get_method(name, **{**quick, **QUICK.get(name, {})})


def judge(method, image, text):
    """Mean mAP on test, and mean and deviation of its null distribution."""
    query, gallery = image.select("test"), text.select("test")
    score = method.score(query.feature, gallery.feature)
    draw = np.random.default_rng(0)

    def both(names):
        renamed = names[gallery.label]
        directions = (score, query.label, renamed), (score.T, renamed, query.label)
        return np.mean([mean_average_precision(*each) for each in directions])

    null = [both(draw.permutation(CLASSES)) for _ in range(60)]
    return both(np.arange(CLASSES)), np.mean(null), np.std(null)


@pytest.fixture(scope="module")
def found(problem):
    """Fits a method on the problem once."""
    return functools.cache(lambda name: judge(make(name).fit(*problem, seed=0), *problem))


def test_a_method_finds_what_is_there(name, found):
    value, chance, deviation = found(name)
    assert value > chance + 3 * deviation


@pytest.mark.parametrize("name", SUPERVISED)
def test_labels_help(name, found):
    assert found(name)[0] > found("cca")[0]


def test_regularised_cca_is_above_the_published_kind(found):
    assert found("cca")[0] > found("cca-paper")[0] + 0.1


@pytest.mark.parametrize(
    "name", [each if each in SAMPLE else pytest.param(each, marks=pytest.mark.slow) for each in SUPERVISED]
)
def test_nothing_is_found_where_nothing_is_to_be_learned(name, nothing):
    value, chance, deviation = judge(make(name).fit(*nothing, seed=0), *nothing)
    assert abs(value - chance) < 3 * deviation
