"""Settings of DRSL: presets, types, ranges, and the nearest word for a wrong one."""

from dataclasses import FrozenInstanceError, fields

import pytest

from drsl.features.errors import SettingError
from drsl.train.config import BACKENDS, FUSIONS, PRESETS, REDUCTIONS, DrslConfig, drsl_config


def refused(*words, fusion="concat", **settings):
    """The one-line message about wrong settings must hold the words."""
    with pytest.raises(SettingError) as info:
        drsl_config(settings, fusion)
    message = str(info.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def test_without_settings_the_preset_is_the_papers():
    assert drsl_config({}, "concat") == drsl_config({"preset": "paper"}, "concat")


def test_the_papers_numbers():
    config = drsl_config({"preset": "paper"}, "concat")
    assert (config.image_fnn, config.text_fnn, config.relation) == ((1024, 300), (1024, 300), (1024,))
    assert (config.fnn_batch_norm, config.relation_batch_norm) == (False, False)
    assert config.learning_rate == 1e-4
    assert config.loss_reduction == "sum"
    assert (config.weight_decay, config.learning_rate_decay) == (0.0, 1.0)


def test_the_published_codes_numbers():
    config = drsl_config({"preset": "released"}, "concat")
    assert (config.image_fnn, config.text_fnn) == ((1024, 1024, 300), (1024, 1024, 300))
    assert config.relation == (1024, 1024)
    assert (config.fnn_batch_norm, config.relation_batch_norm) == (True, True)
    assert (config.learning_rate, config.betas, config.weight_decay) == (1e-4, (0.5, 0.99), 1e-4)
    assert (config.learning_rate_decay, config.batch, config.epochs) == (0.98, 200, 20)
    assert config.loss_reduction == "per_batch"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_preset_says_everything_but_fusion_and_backend(preset, fusion):
    assert set(PRESETS[preset]) == {each.name for each in fields(DrslConfig)} - {"fusion", "backend", "precision"}
    config = drsl_config({"preset": preset}, fusion)
    assert (config.fusion, config.backend, config.precision) == (fusion, "auto", "float32")


def test_settings_go_before_the_preset():
    config = drsl_config({"preset": "released", "epochs": 3, "betas": [0, 0.5], "text_fnn": [300]}, "mul")
    assert (config.epochs, config.betas, config.text_fnn) == (3, (0.0, 0.5), (300,))
    assert config.image_fnn == (1024, 1024, 300)


def test_the_settings_are_not_changed_and_the_config_cannot_be():
    settings = {"preset": "paper", "epochs": 2}
    config = drsl_config(settings, "add")
    assert settings == {"preset": "paper", "epochs": 2}
    with pytest.raises(FrozenInstanceError):
        config.epochs = 3


def test_a_whole_number_is_a_number():
    config = drsl_config({"learning_rate": 1, "weight_decay": 0}, "sub")
    assert (config.learning_rate, config.weight_decay) == (1.0, 0.0)
    assert isinstance(config.learning_rate, float)
    assert isinstance(config.weight_decay, float)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_word_is_accepted(fusion, reduction, backend):
    config = drsl_config({"fusion": fusion, "loss_reduction": reduction, "backend": backend}, "concat")
    assert (config.fusion, config.loss_reduction, config.backend) == (fusion, reduction, backend)


# What is refused.


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("epoch", "epochs"),
        ("learningrate", "learning_rate"),
        ("image_ffn", "image_fnn"),
        ("beta", "betas"),
        ("presets", "preset"),
    ],
)
def test_an_unknown_setting_names_the_nearest(key, nearest):
    refused(repr(key), f"did you mean {nearest!r}", **{key: 1})


@pytest.mark.parametrize(
    ("key", "value", "nearest"),
    [
        ("fusion", "concatenate", "concat"),
        ("fusion", "Mul", "mul"),
        ("loss_reduction", "per-batch", "per_batch"),
        ("loss_reduction", "means", "mean"),
        ("backend", "block", "blocks"),
        ("preset", "papers", "paper"),
        ("preset", "release", "released"),
    ],
)
def test_an_unknown_word_names_the_nearest(key, value, nearest):
    refused(key, repr(value), f"did you mean {nearest!r}", **{key: value})


@pytest.mark.parametrize("key", ["fusion", "loss_reduction", "backend", "preset"])
@pytest.mark.parametrize("value", [None, True, 1, ["mul"], {}])
def test_what_is_no_word_is_not_known(key, value):
    refused(key, repr(value), **{key: value})


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        *((key, value, "whole number") for key in ("batch", "epochs", "validate_every") for value in (True, 2.0, "2")),
        *((key, None, "whole number") for key in ("batch", "epochs", "validate_every")),
        *((key, value, "number") for key in ("learning_rate", "weight_decay") for value in (True, "1e-4", None, [1])),
        *(("learning_rate_decay", value, "number") for value in (False, "0.98", None)),
        *((key, value, "true or false") for key in ("fnn_batch_norm",) for value in (1, 0, "yes", "no", None)),
        *(("relation_batch_norm", value, "true or false") for value in (1, 0.0, "true", None)),
        *((key, value, "list") for key in ("image_fnn", "text_fnn", "relation", "betas") for value in (300, "300")),
        *((key, None, "list") for key in ("image_fnn", "text_fnn", "relation", "betas")),
        *((key, [True, 300], "whole numbers") for key in ("image_fnn", "text_fnn", "relation")),
        *((key, [2.5, 300], "whole numbers") for key in ("image_fnn", "text_fnn", "relation")),
        *((key, ["1024", 300], "whole numbers") for key in ("image_fnn", "text_fnn", "relation")),
        *(("betas", value, "two numbers") for value in ([], [0.9], [0.9, 0.99, 0.999], [0.9, "0.99"], [False, 0.5])),
    ],
)
def test_a_wrong_type_is_named(key, value, wanted):
    shown = value if isinstance(value, list) else repr(value)
    refused(f"{key}: {shown}", wanted, **{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in ("image_fnn", "text_fnn", "relation") for value in ([], [0], [1024, -300], [0, 300])),
        *(("learning_rate", value) for value in (0, -1e-4, float("nan"))),
        *(("weight_decay", value) for value in (-1e-9, float("nan"))),
        *(("learning_rate_decay", value) for value in (0, -1, 1.01, float("nan"))),
        *(("betas", value) for value in ([1, 0.9], [0.9, 1.0], [-0.1, 0.9], [0.9, float("nan")])),
        *((key, value) for key in ("batch", "epochs", "validate_every") for value in (0, -1)),
    ],
)
def test_a_value_out_of_range_is_named(key, value):
    refused(f"{key}: ", **{key: value})


def test_the_two_representations_must_be_equally_wide():
    refused("text_fnn", "image_fnn", "200", "300", image_fnn=[1024, 300], text_fnn=[1024, 200])


@pytest.mark.parametrize("key", ["fnn_batch_norm", "relation_batch_norm"])
def test_batch_norm_needs_two_items_a_step(key):
    refused("batch: 1", "batch norm", batch=1, **{key: True})
    assert drsl_config({"batch": 2, key: True}, "concat").batch == 2
    assert drsl_config({"batch": 1}, "concat").batch == 1
