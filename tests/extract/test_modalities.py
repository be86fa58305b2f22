import pytest

from drsl.extract.modalities import load_modality
from drsl.features.errors import SettingError


@pytest.mark.parametrize("name", ["image", "text"])
def test_the_parts_are_those_of_the_modality(name):
    parts = load_modality(name)
    assert parts.config.__name__ == f"{name.capitalize()}Config"
    assert parts.build.__name__ == f"build_{name}_encoder"
    assert parts.load.__self__.modality == name


def test_an_unknown_modality_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match=r"modality: 'imge' is not known.*'image'"):
        load_modality("imge")


def test_text_needs_no_picture_code(start_python):
    code = """
import sys
from drsl.extract.modalities import load_modality
load_modality("text")
print(any(name.startswith(("torchvision", "drsl.extract.image")) for name in sys.modules))
"""
    told, complaint = start_python(code).communicate(timeout=60)
    assert told == "False\n", complaint
