import pytest

from drsl.extract.text_config import Word2vecConfig
from drsl.features.errors import SettingError


@pytest.mark.parametrize(
    ("key", "value"),
    [("windows", ()), ("windows", (3, 0)), ("maps", 0), ("dropout", 1.0), ("dropout", -0.5), ("max_words", 0)],
)
def test_a_value_out_of_range_is_refused_by_its_key(settings, key, value):
    with pytest.raises(SettingError, match=f"^{key}: "):
        settings.text(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("vectors", ""), ("tokens", "letters"), ("ngram", 0), ("ngram", 4), ("captions", "each")],
)
def test_a_later_setting_out_of_range_is_refused_by_its_key(settings, key, value):
    with pytest.raises(SettingError, match=f"^{key}: "):
        settings.text(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("dim", 0), ("window", 0), ("epochs", 0), ("min_count", 0), ("seed", -1), ("seed", 2**32)],
)
def test_training_of_vectors_out_of_range_is_refused_by_its_key(key, value):
    with pytest.raises(SettingError, match=f"^{key}: "):
        Word2vecConfig(**{key: value})
