"""A folder of photos with Chinese texts: `drsl data add` chooses characters; the stages run to metrics and search."""

import json

import numpy as np
import pytest
from PIL import Image

from drsl.params import read_params

D = ("-d", "zh")
COLORS = {"狐狸": ("红色的狐狸在雪地里奔跑", 0), "树叶": ("绿色的树叶挂在枝头", 1), "海洋": ("蓝色的海洋一望无际", 2)}


@pytest.fixture(scope="module")
def photos(small_network, tmp_path_factory):
    root = tmp_path_factory.mktemp("mine") / "照片"
    rng = np.random.default_rng(0)
    for label, (text, channel) in COLORS.items():
        (root / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 80, (48, 64, 3))
            pixels[:, :, channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(root / label / f"图{number}.png")
            (root / label / f"图{number}.txt").write_text(f"{text}，第{number}张。\n", "utf-8")
    return root


def test_characters_and_trained_vectors_are_chosen(drsl, project, photos):
    found = drsl("data", "add", "zh", photos, "--like", "colors", "--run")
    assert found.code == 0, found.err
    assert "36 items: 36 with image and text" in found.out
    text = read_params(project).dataset("zh")["text"]
    assert (text["vectors"], text["tokens"]) == ("train", "characters")
    assert read_params(project).content["run"]["datasets"] == ["zh"]


def test_the_stages_run_to_metrics(drsl, project):
    for command in (
        ("data", "prepare"),
        ("finetune", "image"),
        ("finetune", "text"),
        ("encode", "image"),
        ("encode", "text"),
        ("fit",),
        ("evaluate",),
    ):
        found = drsl(*command, *D)
        assert found.code == 0, (command, found.err)
    result = json.loads((project / "results" / "zh" / "drsl-c" / "0.json").read_text())
    assert result["i2t_queries"] == result["t2i_gallery"] > 0
    accuracy = json.loads((project / "results" / "zh" / "encoders" / "text.json").read_text())
    assert accuracy["test_accuracy"] == 1.0  # a class is one sentence


def test_search_understands_words_without_blanks(drsl):
    answer = drsl("search", *D, "红色的狐狸", "-k", 3, "--json")
    assert answer.code == 0, answer.err
    assert len(json.loads(answer.out)["hits"]) == 3
