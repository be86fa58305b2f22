"""Methods that look inside items keep the promises of all others, on features that are joined with parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drsl.evaluate import mean_average_precision
from drsl.features.errors import DamagedFile, UserError
from drsl.features.joined import JoinedRows
from drsl.features.tensor_file import MODEL_FORMAT, read_tensors, write_tensors
from drsl.train import get_method, method_names, read_method
from drsl.train.methods import method_class
from drsl.train.score import score_blocks, top_k
from drsl.train.side import Side

NAMES = tuple(name for name in method_names() if method_class(name).parts)
SMALL = {
    "ccl-multi": {
        **{"image_layers": [24, 16], "text_layers": [16], "code": 16, "hidden": 16, "fused": 24},
        **{"stage_epochs": 6, "epochs": 4, "batch": 20, "learning_rate": 5e-3},
    },
    "mcsm-full": {
        **{"dim": 8, "references": 10, "cell_states": 6, "word_states": 6, "maps": [8, 8], "windows": [3, 2]},
        **{"pools": [2, 5], "weight": [0.3, 0.7], "epochs": 4, "batch": 20, "learning_rate": 5e-3},
    },
}


@pytest.fixture(params=NAMES)
def name(request):
    """Each method that looks inside items."""
    return request.param


@pytest.fixture(scope="module")
def parted(toy):
    """Builds the toy problem with parts that a method takes, by the method's name."""

    def build(name, problem=toy):
        draw = np.random.default_rng(1)
        found = []
        for side, features in zip(("image", "text"), problem, strict=True):
            kind, count = method_class(name).parts[side], len(features)
            width = features.feature.shape[1]
            mask = vectors = None
            if kind == "words":  # the class tells which words there are
                part = (1 + features.label[:, None] * 4 + draw.integers(0, 4, (count, 6))).astype(np.int32)
                part[:, 4:] *= draw.random((count, 2)) < 0.5
                vectors = np.vstack([np.zeros(5), draw.standard_normal((12, 5))]).astype(np.float32)
            elif kind == "grid":
                part = (features.feature[:, None, :7] + 0.3 * draw.standard_normal((count, 4, 7))).astype(np.float16)
            else:
                mask = np.arange(3) < draw.integers(1, 4, (count, 1))
                part = features.feature[:, None] + 0.3 * draw.standard_normal((count, 3, width))
                part = (part * mask[:, :, None]).astype(np.float16)
            rows = JoinedRows(features.feature, part, mask, vectors)
            found.append(replace(features, feature=rows, attrs={**features.attrs, "parts": kind}))
        return tuple(found)

    return build


@pytest.fixture(scope="module")
def fit(parted):
    """Fits a method on the toy problem; equal fits are made once."""
    done = {}

    def build(name, seed=0):
        if (name, seed) not in done:
            done[name, seed] = small(name).fit(*parted(name), seed=seed)
        return done[name, seed]

    return build


def small(name, **changed):
    return get_method(name, **SMALL[name] | changed)


def ends(problem):
    return [each.select("test").feature for each in problem]


def test_there_are_such_methods():
    assert tuple(SMALL) == NAMES


def test_it_learns(name, parted):
    problem = parted(name)
    method = small(name, epochs=12, **({"stage_epochs": 10} if name == "ccl-multi" else {})).fit(*problem, seed=0)
    label = problem[0].select("test").label
    assert mean_average_precision(method.score(*ends(problem)), label, label) > 0.6  # 0.37 by chance


def test_rows_and_joined_rows_have_the_same_scores(name, fit, parted):
    joined = ends(parted(name))
    rows = [each[:] for each in joined]
    scores = fit(name).score(*rows)
    assert scores.dtype == np.float32
    assert scores.shape == (30, 30)
    np.testing.assert_array_equal(fit(name).score(*joined), scores)
    blocks = np.concatenate([block for _, block in score_blocks(fit(name), *joined, rows=7)])
    np.testing.assert_allclose(blocks, scores, atol=1e-5)
    np.testing.assert_allclose(fit(name).score(rows[0][3:9], rows[1][:5]), scores[3:9, :5], atol=1e-5)
    best = top_k(fit(name), *joined, 3, columns=8)["i2t"]
    np.testing.assert_allclose(best.score, -np.sort(-scores, axis=1)[:, :3], atol=1e-5)


@pytest.mark.parametrize(("images", "texts"), [(0, 3), (3, 0), (1, 1)])
def test_few_items_are_scored(name, images, texts, fit, parted):
    image, text = ends(parted(name))
    assert fit(name).score(image[:images], text[:texts]).shape == (images, texts)


def test_parts_matter(name, fit, parted):
    image, text = (each[:].copy() for each in ends(parted(name)))
    scores = fit(name).score(image, text)
    image[:, 32 : 32 + 7] += 1
    assert not np.allclose(fit(name).score(image, text), scores, atol=1e-6)
    text[:, 20:21] = 2 if name == "mcsm-full" else text[:, 20:21] + 1
    assert not np.allclose(fit(name).score(image, text), fit(name).score(image, ends(parted(name))[1]), atol=1e-6)


def test_the_test_split_is_not_looked_at(name, fit, parted, toy):
    problem = parted(name)
    other = []
    for each in problem:
        rows = each.split == 2
        label, feature = each.label.copy(), each.feature
        label[rows] = 0
        part = np.array(feature._part)
        part[rows] = 0
        whole = feature.feature.copy()
        whole[rows] = 1e6
        joined = JoinedRows(whole, part, feature._mask, feature.vectors)
        other.append(replace(each, feature=joined, label=label))
    method = small(name).fit(*other, seed=0)
    np.testing.assert_array_equal(method.score(*ends(problem)), fit(name).score(*ends(problem)))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name, fit, parted, tmp_path):
    method = small(name).fit(*parted(name), seed=0)
    method.save(tmp_path / "a")
    fit(name).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not np.array_equal(fit(name, 1).score(*ends(parted(name))), fit(name).score(*ends(parted(name))))


def test_global_random_states_are_neither_read_nor_changed(name, fit, parted):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    method = small(name).fit(*parted(name), seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(method.score(*ends(parted(name))), fit(name).score(*ends(parted(name))))


def test_what_is_saved_is_loaded(name, fit, parted, tmp_path):
    path = tmp_path / "results" / "toy" / name / "0.safetensors"
    fit(name).save(path)
    loaded = read_method(path)
    assert (loaded.settings, loaded.dims, loaded.layouts) == (fit(name).settings, fit(name).dims, fit(name).layouts)
    np.testing.assert_array_equal(loaded.score(*ends(parted(name))), fit(name).score(*ends(parted(name))))
    loaded.fit(*parted(name), seed=0)
    np.testing.assert_array_equal(loaded.score(*ends(parted(name))), fit(name).score(*ends(parted(name))))


def test_numbers_that_do_not_fit_are_refused(name, fit, tmp_path):
    path = tmp_path / "results" / "toy" / name / "0.safetensors"
    fit(name).save(path)
    arrays, about = read_tensors(path, MODEL_FORMAT, "")
    without = {key: each for key, each in arrays.items() if key != "layout"}
    for numbers, told in (
        (arrays, about | {"dims": [31, 20]}),
        (without, about),
        (arrays | {"layout": -arrays["layout"]}, about),
        ({key: each for key, each in arrays.items() if "image." not in key}, about),
    ):
        write_tensors(path, MODEL_FORMAT, numbers, told)
        with pytest.raises(DamagedFile, match="drsl fit -d toy"):
            get_method(name).load(path)


def test_features_without_parts_or_with_others_are_refused(name, parted, toy):
    image, text = parted(name)
    kind = method_class(name).parts["image"]
    method = small(name)
    with pytest.raises(UserError, match=f"{name} .*{kind} of images.*`drsl encode image --parts {kind} -d toy`"):
        method.fit(toy[0], text, seed=0)
    with pytest.raises(UserError, match="of texts"):
        method.fit(image, replace(text, attrs={**text.attrs, "parts": "letters"}), seed=0)
    with pytest.raises(UserError, match="not fitted"):
        method.score(*ends((image, text)))


def test_other_widths_are_refused(name, fit, parted):
    image, text = ends(parted(name))
    with pytest.raises(UserError, match=rf"{name} was fitted on {image.shape[1]}-d image .*fit it again"):
        fit(name).score(image[:][:, :-1], text)


def test_a_fit_that_fails_leaves_the_fit_before(name, parted):
    problem = parted(name)
    method = small(name).fit(*problem, seed=0)
    scores = method.score(*ends(problem))
    broken = JoinedRows(np.full_like(problem[0].feature.feature, np.nan), problem[0].feature._part)
    if problem[0].feature._mask is not None:
        broken = JoinedRows(broken.feature, problem[0].feature._part, problem[0].feature._mask)
    with pytest.raises(UserError, match="no longer finite"):
        method.fit(replace(problem[0], feature=broken), problem[1], seed=1)
    np.testing.assert_array_equal(method.score(*ends(problem)), scores)


def test_a_fit_never_reads_more_than_a_batch_of_parts(name, parted, monkeypatch):
    read, whole = [], JoinedRows.__getitem__

    def getitem(self, key):
        found = whole(self, key)
        read.append(len(found))
        return found

    monkeypatch.setattr(JoinedRows, "__getitem__", getitem)
    monkeypatch.setattr("drsl.train.methods.common_space._ROWS", 8)
    monkeypatch.setattr("drsl.train.methods.stages._ROWS", 8)
    small(name).fit(*parted(name), seed=0)
    assert 0 < max(read) <= 30  # 90 are trained on; val has 30


def test_a_side_gives_joined_rows_and_the_features_alone(parted, toy):
    image = parted("ccl-multi")[0]
    rows = np.flatnonzero(image.split == 1)
    side = Side(image, rows, "cpu")
    np.testing.assert_array_equal(side.whole().numpy(), toy[0].feature[rows])
    np.testing.assert_array_equal(side.feature(torch.tensor([4, 1])).numpy(), image.feature[rows[[4, 1]]])
    assert side.feature().shape == (30, image.feature.shape[1])
    assert torch.equal(side.with_feature(torch.ones(30, 2)).feature(torch.tensor([3])), torch.ones(1, 2))
