import pytest

from drsl.extract.config import require
from drsl.features.errors import SettingError


def test_a_condition_that_holds_is_silent():
    require(True, "no")


def test_a_condition_that_fails_gives_its_message():
    with pytest.raises(SettingError, match=r"^epochs: too many$"):
        require(False, "epochs: too many")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", -1),
        ("batch", 1),
        ("optimizer", "rmsprop"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -0.1),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(settings, key, value):
    with pytest.raises(SettingError, match=f"^{key}: .*{value}"):
        settings.finetune(**{key: value})


def test_the_nearest_optimizer_is_offered(settings):
    with pytest.raises(SettingError, match="did you mean 'adamw'"):
        settings.finetune(optimizer="admw")


def test_settings_cannot_be_changed_afterwards(settings):
    with pytest.raises(AttributeError):
        settings.finetune().epochs = 7
