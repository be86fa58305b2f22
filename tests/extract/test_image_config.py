import pytest

from drsl.features.errors import SettingError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", "vgg16"),
        ("precision", "float16"),
        ("weights", ""),
        ("crop", 31),
        ("resize", 30),
        ("pool", 0),
        ("pool", 8),
        ("dropout", 1.0),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(settings, key, value):
    with pytest.raises(SettingError, match=f"^{key}: "):
        settings.image(**{key: value})


@pytest.mark.parametrize("weights", ["IMAGENET1K_V1", "weights/vgg19.pth"])
def test_pre_trained_weights_need_the_published_pool(settings, weights):
    with pytest.raises(SettingError, match=r"^pool: 1 changes fc6.*use 7"):
        settings.image(weights=weights, pool=1)
    assert settings.image(weights=weights, pool=7).weights == weights
