import pytest

from drsl.extract.architectures import ARCHITECTURES
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_a_setting_that_is_taken(settings, architecture):
    found = settings.image(architecture=architecture, pool=7, resize=256, crop=224, weights="IMAGENET1K_V1")
    assert found.architecture == architecture


@pytest.mark.parametrize("architecture", [name for name, each in ARCHITECTURES.items() if each.family != "vgg"])
def test_a_pool_is_for_vgg_alone(settings, architecture):
    with pytest.raises(SettingError, match=rf"^pool: 3 is for VGG-19 alone; write 7, which {architecture} does not"):
        settings.image(architecture=architecture, pool=3, resize=256, crop=224)


def test_the_vision_transformer_takes_one_size(settings):
    with pytest.raises(SettingError, match=r"^crop: 128 must be 224, vit_b_16 takes no other size"):
        settings.image(architecture="vit_b_16", pool=7, resize=160, crop=128)


def test_a_name_nearly_right_is_suggested(settings):
    with pytest.raises(SettingError, match="did you mean 'resnet50'"):
        settings.image(architecture="resnet-50")


@pytest.mark.parametrize("weights", ["IMAGENET1K_V1", "weights/vgg19.pth"])
def test_pre_trained_weights_need_the_published_pool(settings, weights):
    with pytest.raises(SettingError, match=r"^pool: 1 changes fc6.*use 7"):
        settings.image(weights=weights, pool=1)
    assert settings.image(weights=weights, pool=7).weights == weights
