import pytest

from drsl.extract.parts_config import PartsConfig
from drsl.features.errors import SettingError
from drsl.params import build


def test_what_is_left_out_takes_its_default():
    config = build(PartsConfig, {"sentences": {"max_sentences": 4}}, "datasets.toy.parts")
    assert (config.sentences.max_sentences, config.patches.side, config.patches.share) == (4, 3, 0.5)
    assert build(PartsConfig, {}, "datasets.toy.parts").sentences.max_sentences == 10


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"patches": {"side": 0}}, r"datasets\.toy\.parts\.patches\.side: 0 must be from 1 to 16"),
        ({"patches": {"side": 17}}, "side: 17"),
        ({"patches": {"share": 0.0}}, "share: 0.0 must be above 0"),
        ({"patches": {"share": 1.5}}, "share: 1.5"),
        ({"sentences": {"max_sentences": 0}}, "max_sentences: 0 must be positive"),
        ({"sentences": {"max_sentence": 3}}, "did you mean 'max_sentences'"),
        ({"sentence": {}}, "did you mean 'sentences'"),
    ],
)
def test_wrong_settings(block, message):
    with pytest.raises(SettingError, match=message):
        build(PartsConfig, block, "datasets.toy.parts")
