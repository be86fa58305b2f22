import pytest

from drsl.features.errors import SettingError


@pytest.mark.parametrize(
    ("key", "value"),
    [("windows", ()), ("windows", (3, 0)), ("maps", 0), ("dropout", 1.0), ("dropout", -0.5), ("max_words", 0)],
)
def test_a_value_out_of_range_is_refused_by_its_key(settings, key, value):
    with pytest.raises(SettingError, match=f"^{key}: "):
        settings.text(**{key: value})
