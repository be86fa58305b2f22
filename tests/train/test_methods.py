"""Every method keeps the same promises: fit, score, save, load, and one line that says what is wrong."""

import json
import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError
from drsl.features.tensor_file import MODEL_FORMAT, read_tensors, write_tensors
from drsl.train import get_method, method_names, read_method
from drsl.train.config import PRESETS, DrslConfig
from drsl.train.methods.base import Method, read_about
from drsl.train.model import DrslModel

DRSL = {"drsl-c": "concat", "drsl-m": "mul", "drsl-a": "add", "drsl-s": "sub"}
REPAIR = "`drsl fit -d toy -m {} -s 0`"


@pytest.fixture(scope="module")
def fit(make_method, toy):
    """Fits a method on the toy problem; equal fits are made once."""
    done = {}

    def build(name, seed=0):
        if (name, seed) not in done:
            done[name, seed] = make_method(name).fit(*toy, seed=seed)
        return done[name, seed]

    return build


@pytest.fixture
def path(tmp_path, name):
    """Where the layout puts the method's file."""
    return tmp_path / "results" / "toy" / name / "0.safetensors"


def parts(toy):
    return [each.select("test").feature for each in toy]


def refused(kind, call, *words):
    """A wrong use must be refused in one line that holds the words."""
    with pytest.raises(kind) as info:
        call()
    message = str(info.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


# Fit and score.


def test_fit_gives_the_method_itself(name, make_method, toy):
    method = make_method(name)
    assert method.fit(*toy, seed=0) is method
    assert isinstance(method, Method)
    assert method.name == name


def test_scores_are_float32_images_by_texts(name, fit, toy):
    image, text = parts(toy)
    scores = fit(name).score(image, text[:-1])
    assert isinstance(scores, np.ndarray)
    assert scores.shape == (len(image), len(text) - 1)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0


def test_the_scores_of_a_block_are_the_block_of_the_scores(name, fit, toy):
    image, text = parts(toy)
    scores = fit(name).score(image, text)
    # ccl standardises its codes twice, which magnifies what another order of adding changes.
    tolerance = (1e-3 if name == "ccl" else 1e-5) * np.abs(scores).max()
    for rows, columns in (
        (slice(0, 1), slice(None)),
        (slice(3, 10), slice(2, 5)),
        (slice(None), slice(0, 1)),
        (slice(None, None, -2), slice(None, None, 3)),
    ):
        block = fit(name).score(image[rows], text[columns])
        np.testing.assert_allclose(block, scores[rows, columns], rtol=0, atol=tolerance)


@pytest.mark.parametrize(("images", "texts"), [(0, 3), (3, 0), (1, 1)])
def test_few_items_are_scored(name, images, texts, fit, toy):
    image, text = parts(toy)
    assert fit(name).score(image[:images], text[:texts]).shape == (images, texts)


def test_features_of_any_memory_layout_and_type_are_scored_and_not_changed(name, fit, toy):
    image, text = parts(toy)
    scores = fit(name).score(image, text)
    for change in (np.asfortranarray, lambda each: each.astype(np.float64), lambda each: each[::-1][::-1]):
        views = [change(each) for each in (image, text)]
        for each in views:
            each.flags.writeable = False
        np.testing.assert_allclose(fit(name).score(*views), scores, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(fit(name).score(image, text), scores)


def test_other_widths_are_refused(name, fit, toy):
    image, text = parts(toy)
    method = fit(name)
    assert method.dims == (32, 20)
    refused(UserError, lambda: method.score(image[:, :-1], text), name, "32-d image", "(30, 31)", "fit it again")
    refused(UserError, lambda: method.score(image, image), name, "20-d text", "(30, 32)", "fit it again")
    refused(UserError, lambda: method.score(image[0], text), name, "32-d image", "(32,)")


def test_what_is_not_fitted_says_so(name, make_method, toy, path):
    method = make_method(name)
    for call in (lambda: method.score(*parts(toy)), lambda: method.save(path), lambda: method.dims):
        refused(UserError, call, name, "not fitted", "fit or load")
    assert not path.parent.exists()


def test_unequal_numbers_of_images_and_texts(name, make_method, make_toy):
    image, text = make_toy((40, 10, 10), (25, 7, 5))
    scores = make_method(name).fit(image, text, seed=0).score(*parts((image, text)))
    assert scores.shape == (10, 5)


def test_the_test_split_is_not_looked_at(name, fit, make_method, toy):
    other = []
    for each in toy:
        rows = each.split == 2
        feature, label = each.feature.copy(), each.label.copy()
        feature[rows], label[rows] = 1e6, 0
        other.append(replace(each, feature=feature, label=label))
    method = make_method(name).fit(*other, seed=0)
    np.testing.assert_array_equal(method.score(*parts(toy)), fit(name).score(*parts(toy)))


def test_the_same_seed_gives_the_same_bits(name, fit, make_method, toy, path, tmp_path):
    again = make_method(name).fit(*toy, seed=0)
    np.testing.assert_array_equal(again.score(*parts(toy)), fit(name).score(*parts(toy)))
    fit(name).save(path)
    again.save(tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_another_seed_gives_other_scores(fit, toy):
    for name in DRSL:
        assert not np.array_equal(fit(name, 1).score(*parts(toy)), fit(name, 0).score(*parts(toy)))


def test_global_random_states_are_neither_read_nor_changed(name, fit, make_method, toy, path):
    torch.manual_seed(123)
    np.random.seed(123)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    method = make_method(name).fit(*toy, seed=0)
    scores = method.score(*parts(toy))
    method.save(path)
    make_method(name).load(path)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    np.testing.assert_array_equal(scores, fit(name).score(*parts(toy)))


def test_a_second_fit_forgets_the_first(name, make_method, toy, fit):
    method = make_method(name).fit(*toy, seed=1)
    method.fit(*toy, seed=0)
    np.testing.assert_array_equal(method.score(*parts(toy)), fit(name).score(*parts(toy)))


def test_the_log_fits_its_columns(name, fit):
    method = fit(name)
    assert all(len(row) == len(method.log_columns) for row in method.log)
    assert [row[0] for row in method.log] == list(range(1, len(method.log) + 1))


def test_progress_ends_with_everything_done(name, make_method, toy):
    calls = []
    make_method(name).fit(*toy, seed=0, progress=lambda *each: calls.append(each))
    assert all(0 <= done <= total and isinstance(word, str) for done, total, word in calls)
    assert all(done == total for done, total, _ in calls[-1:])


def test_nothing_to_learn_from_is_said(name, make_method, toy):
    nothing = [replace(each, split=np.full(len(each), 2, np.uint8)) for each in toy]
    refused(UserError, lambda: make_method(name).fit(*nothing, seed=0), "train", "split")


@pytest.mark.parametrize("name", DRSL, indirect=True)
def test_a_fit_that_fails_leaves_the_fit_before(name, make_method, toy):
    method = make_method(name).fit(*toy, seed=0)
    scores = method.score(*parts(toy))
    broken = replace(toy[0], feature=np.full_like(toy[0].feature, np.nan))
    refused(UserError, lambda: method.fit(broken, toy[1], seed=0), "epoch 1", "learning rate 0.005")
    np.testing.assert_array_equal(method.score(*parts(toy)), scores)


# Save and load.


def test_what_is_saved_is_loaded(name, fit, make_method, toy, path):
    method = fit(name)
    method.provenance = {"dataset": "toy", "seed": 0}
    method.save(path)
    for loaded in (make_method(name).load(path), get_method(name).load(path), read_method(path)):
        assert type(loaded) is type(method)
        assert (loaded.settings, loaded.dims) == (method.settings, method.dims)
        assert loaded.provenance == {"dataset": "toy", "seed": 0}
        np.testing.assert_array_equal(loaded.score(*parts(toy)), method.score(*parts(toy)))
    method.provenance = {}


def test_load_gives_the_method_itself_and_a_second_save_the_same_bytes(name, fit, make_method, path, tmp_path):
    fit(name).save(path)
    method = make_method(name)
    assert method.load(path) is method
    method.save(tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_a_loaded_method_can_be_fitted_again(name, fit, toy, path):
    fit(name, 1).save(path)
    method = read_method(path).fit(*toy, seed=0)
    np.testing.assert_array_equal(method.score(*parts(toy)), fit(name).score(*parts(toy)))


def test_the_settings_are_those_of_the_file(name, fit, path):
    fit(name).save(path)
    loaded = get_method(name).load(path)
    assert loaded.settings == fit(name).settings
    assert json.loads(json.dumps(loaded.settings)) == loaded.settings


def test_a_file_says_what_it_is(name, fit, path):
    fit(name).save(path)
    about = read_about(path)
    assert set(about) == {"method", "settings", "dims", "classes", "provenance"}
    assert (about["method"], about["dims"], about["settings"]) == (name, [32, 20], fit(name).settings)


def test_a_missing_file_names_the_command_that_makes_it(name, path):
    for call in (lambda: get_method(name).load(path), lambda: read_about(path)):
        refused(MissingFile, call, str(path), "drsl fit -d toy -m")


def test_the_file_of_another_method_is_refused(name, fit, path):
    other = next(each for each in method_names() if each != name)
    fit(other).save(path)
    refused(SettingError, lambda: get_method(name).load(path), str(path), other, name, REPAIR.format(name))


def test_a_file_of_an_unknown_method_is_refused(path, name):
    about = {"method": f"{name}x", "settings": {}, "dims": [32, 20], "classes": 3, "provenance": {}}
    write_tensors(path, MODEL_FORMAT, {}, about)
    refused(SettingError, lambda: read_method(path), f"{name}x", "did you mean")


def test_a_file_of_another_kind_is_refused(name, path):
    write_tensors(path, "drsl-network", {"weight": np.zeros(3)}, {})
    refused(DamagedFile, lambda: get_method(name).load(path), str(path), "drsl-network", REPAIR.format(name))


def test_a_file_cut_short_is_refused(name, fit, path):
    fit(name).save(path)
    content = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(DamagedFile, lambda: get_method(name).load(path), str(path), REPAIR.format(name))


def test_a_file_with_a_flipped_bit_is_refused(name, fit, path):
    fit(name).save(path)
    content = path.read_bytes()
    head = 8 + int.from_bytes(content[:8], "little")
    places = [*range(8), *np.linspace(8, head - 1, 60, dtype=int), *np.linspace(head, len(content) - 1, 25, dtype=int)]
    for number, place in enumerate(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << number % 8
        path.write_bytes(flipped)
        refused(DamagedFile, lambda: get_method(name).load(path), str(path), REPAIR.format(name))


def test_bytes_after_the_end_are_refused(name, fit, path):
    fit(name).save(path)
    path.write_bytes(path.read_bytes() + b"\0")
    refused(DamagedFile, lambda: get_method(name).load(path), str(path))


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_nothing_in_a_file_is_executed(name, path, tmp_path):
    path.parent.mkdir(parents=True)
    for write in (
        lambda: path.write_bytes(pickle.dumps(Bomb(tmp_path / "mark"))),
        lambda: torch.save({"weight": Bomb(tmp_path / "mark")}, path),
    ):
        write()
        refused(DamagedFile, lambda: get_method(name).load(path), str(path), REPAIR.format(name))
    assert not (tmp_path / "mark").exists()


def test_numbers_that_do_not_fit_their_settings_are_refused(name, fit, path):
    fit(name).save(path)
    arrays, about = read_tensors(path, MODEL_FORMAT, "")
    first = sorted(arrays)[0]
    for numbers, told in (
        (arrays, about | {"dims": [31, 20]}),
        (arrays, about | {"dims": [32]}),
        ({key: each for key, each in arrays.items() if key != first}, about),
        (arrays | {first: arrays[first][:-1]}, about),
    ):
        write_tensors(path, MODEL_FORMAT, numbers, told)
        refused(UserError, lambda: get_method(name).load(path), str(path), REPAIR.format(name))


def test_a_file_that_cannot_be_written_is_named(name, fit, read_only_folder):
    refused(UserError, lambda: fit(name).save(read_only_folder / "0.safetensors"), str(read_only_folder))


# The registry.


def test_an_unknown_method_names_the_nearest():
    refused(SettingError, lambda: get_method("drslc"), "method: 'drslc'", "did you mean 'drsl-")
    refused(SettingError, lambda: get_method("DRSL-C"), "method: 'DRSL-C'")


def test_an_unknown_setting_names_the_nearest(name):
    refused(SettingError, lambda: get_method(name, no_such_setting=3), "no_such_setting")
    refused(SettingError, lambda: get_method("drsl-c", lerning_rate=1e-3), "did you mean 'learning_rate'")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": True}, ("epochs: True", "whole number")),
        ({"learning_rate": "1e-4"}, ("learning_rate: '1e-4'", "number")),
        ({"betas": [0.9]}, ("betas: [0.9]", "two numbers")),
        ({"preset": "papr"}, ("preset: 'papr'", "did you mean 'paper'")),
    ],
)
@pytest.mark.parametrize("name", DRSL, indirect=True)
def test_a_wrong_setting_is_named(name, settings, words):
    refused(SettingError, lambda: get_method(name, **settings), *words)


def test_a_methods_file_is_imported_when_it_is_asked_for(start_python):
    code = (
        "import sys, drsl.train\n"
        "assert 'drsl.train.methods.drsl' not in sys.modules\n"
        "drsl.train.get_method('drsl-c')\n"
        "assert 'drsl.train.methods.drsl' in sys.modules\n"
    )
    process = start_python(code)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


# DRSL.


def widths(network):
    linears = [each for each in network.modules() if isinstance(each, nn.Linear)]
    return [linears[0].in_features, *(each.out_features for each in linears)]


def norms(network):
    return [each.num_features for each in network.modules() if isinstance(each, nn.BatchNorm1d)]


@pytest.mark.parametrize(
    ("settings", "image", "text", "relation", "with_norms"),
    [
        ({}, [4096, 1024, 300], [300, 1024, 300], [600, 1024, 1], False),
        ({"image_fnn": [300]}, [4096, 300], [300, 1024, 300], [600, 1024, 1], False),  # pascal
        (  # xmedianet
            {"fnn_batch_norm": True, "relation_batch_norm": True},
            *([4096, 1024, 300], [300, 1024, 300], [600, 1024, 1], True),
        ),
        (
            {"preset": "released"},
            *([4096, 1024, 1024, 300], [300, 1024, 1024, 300], [600, 1024, 1024, 1], True),
        ),
    ],
)
@pytest.mark.parametrize(("name", "fusion"), DRSL.items(), indirect=["name"])
def test_the_widths_are_those_of_the_paper(name, fusion, settings, image, text, relation, with_norms):
    method = get_method(name, **settings)
    assert method.config.fusion == fusion
    with torch.device("meta"):
        model = DrslModel(method.config, 4096, 300)
    assert widths(model.image_fnn) == image
    assert widths(model.text_fnn) == text
    assert [model.relation.first.in_features, *widths(model.relation)[1:-1], 1] == [
        relation[0] if fusion == "concat" else 300,
        *relation[1:],
    ]
    assert norms(model.image_fnn) == (image[1:] if with_norms else [])
    assert norms(model.text_fnn) == (text[1:] if with_norms else [])
    assert norms(model.relation) == (relation[1:-1] if with_norms else [])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", DRSL, indirect=True)
def test_the_settings_name_every_number_so_that_a_preset_may_change(name, preset):
    method = get_method(name, preset=preset, epochs=7)
    assert set(method.settings) == {each.name for each in fields(DrslConfig)}
    assert get_method(name, **method.settings).config == method.config


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", DRSL, indirect=True)
def test_a_preset_small_enough_is_fitted_saved_and_loaded(name, preset, make_method, toy, path):
    deep = {"paper": [20], "released": [20, 10]}
    method = make_method(name, preset=preset, relation=deep[preset], epochs=2).fit(*toy, seed=0)
    method.save(path)
    np.testing.assert_array_equal(read_method(path).score(*parts(toy)), method.score(*parts(toy)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", DRSL, indirect=True)
def test_a_gpu_trains_alike(name, make_method, toy, path):
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    for backend in ("l1", "blocks"):
        gpu, cpu = (
            make_method(name, backend=backend, epochs=2).fit(*toy, seed=0, device=device) for device in ("cuda", "cpu")
        )
        scores = gpu.score(*parts(toy))
        np.testing.assert_allclose(scores, cpu.score(*parts(toy)), rtol=0, atol=0.05)
        gpu.save(path)
        np.testing.assert_allclose(read_method(path).score(*parts(toy)), scores, rtol=0, atol=1e-3)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_a_name_keeps_its_fusion():
    assert get_method("drsl-c", fusion="concat").config.fusion == "concat"
    with pytest.raises(SettingError, match=r"fusion: mul is not that of drsl-c: take its method"):
        get_method("drsl-c", fusion="mul")


def test_a_file_that_does_not_say_what_it_is_is_damaged(tmp_path):
    write_tensors(tmp_path / "0.safetensors", MODEL_FORMAT, {"a": np.zeros(1)}, {"method": "drsl-c"})
    with pytest.raises(DamagedFile, match="does not say its classes, dims, provenance, settings"):
        read_method(tmp_path / "0.safetensors")


def test_a_file_that_cannot_be_taken_leaves_the_method_as_it_was(tmp_path, make_method, toy):
    method = make_method("drsl-c").fit(*toy, seed=0)
    expected = method.score(*(each.feature for each in toy))
    about = {"method": "drsl-c", "settings": {**method.settings, "relation": [7]}, "dims": [32, 20], "classes": 3}
    about["provenance"] = {}
    write_tensors(tmp_path / "0.safetensors", MODEL_FORMAT, method._arrays(), about)
    with pytest.raises(DamagedFile):
        method.load(tmp_path / "0.safetensors")
    assert method.settings["relation"] == [20]
    np.testing.assert_array_equal(method.score(*(each.feature for each in toy)), expected)
