"""Every block of the project's own params.yaml builds all settings objects, and holds the paper's numbers."""

from pathlib import Path

import pytest

from drsl.extract.image_config import ImageConfig
from drsl.extract.sources import SOURCES, load_layout, load_source
from drsl.extract.text_config import TextConfig
from drsl.params import EvaluateConfig, read_params
from drsl.train import get_method

ROOT = Path(__file__).resolve().parents[2]
PARAMS = read_params(ROOT)
PUBLIC = ("wikipedia", "pascal", "nuswide10k", "xmedianet")


@pytest.mark.parametrize("name", PARAMS.content["datasets"])
def test_every_block_builds(name):
    block = PARAMS.dataset(name)
    imported = block["source"] == "features"
    if not imported:
        assert block["source"] in SOURCES
        config = load_source(block["source"])[0]
        assert isinstance(PARAMS.part(name, "prepare", config), config)
        assert PARAMS.part(name, "image", ImageConfig).finetune.epochs > 0
        assert PARAMS.part(name, "text", TextConfig).finetune.epochs > 0
    assert PARAMS.part(name, "evaluate", EvaluateConfig).scope
    for method in PARAMS.content["methods"]:
        settings = get_method(method, **PARAMS.method(name, method)).settings
        # The paper's rate; the repair drsl-plus has its own, and on imported features val chose.
        if method in ("drsl-c", "drsl-m", "drsl-a", "drsl-s") and not imported:
            assert settings["learning_rate"] == 1e-4


@pytest.mark.parametrize("name", PUBLIC)
def test_the_papers_data_sets_have_the_papers_settings(name):
    image, text = PARAMS.part(name, "image", ImageConfig), PARAMS.part(name, "text", TextConfig)
    assert (image.architecture, image.weights, image.resize, image.crop) == ("vgg19", "IMAGENET1K_V1", 256, 224)
    assert (text.windows, text.maps, text.dropout) == ((3, 4, 5), 100, 0.5)
    assert text.vectors == "vectors/GoogleNews-vectors-negative300.bin.gz"
    drsl = get_method("drsl-c", **PARAMS.method(name, "drsl-c")).settings
    assert tuple(drsl["image_fnn"]) == ((300,) if name == "pascal" else (1024, 300))
    assert (tuple(drsl["text_fnn"]), tuple(drsl["relation"])) == ((1024, 300), (1024,))
    assert drsl["fnn_batch_norm"] == (name == "xmedianet")
    first, last = {
        "wikipedia": (50, 400),
        "pascal": (10, 80),
        "nuswide10k": (100, 1000),
        "xmedianet": (500, 4000),
    }[name]
    scope = PARAMS.part(name, "evaluate", EvaluateConfig).scope
    assert (scope[0], scope[-1]) == (first, last)


def test_none_of_them_is_needed_by_the_default_run():
    assert PARAMS.content["run"]["datasets"] == ["emoji"]


def test_each_of_the_papers_data_sets_says_where_it_is_published():
    for name in PUBLIC:
        layout, _ = load_layout(name)
        assert all(place.startswith("http") for place in layout.published)
        assert load_source(name)[2].endswith("\n")
    assert load_layout("emoji") is None
