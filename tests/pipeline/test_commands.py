"""All commands in their order on a small project, as a user types them; then each kind of wrong input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

import drsl as package

D = ("-d", "colors")


def test_stages_refuse_to_run_before_their_inputs_are_there(drsl):
    drsl("encode", "image", *D).refused("models/colors/image.safetensors", "drsl finetune image -d colors")
    drsl("fit", *D).refused("features/colors/image.h5")
    drsl("evaluate", *D).refused("scores.h5", "drsl fit -d colors -m drsl-c -s 0")
    drsl("report", *D).refused("results/colors", "dvc repro")
    drsl("search", *D, "red").refused("models/colors/text.safetensors")


def test_check(drsl):
    found = drsl("data", "check", *D)
    assert found.code == 0
    assert "30 images, 30 texts" in found.out
    assert found.out.splitlines()[1].split() == ["blue", "6", "2", "2"]


def test_stage_one(drsl, project):
    for modality in ("image", "text"):
        found = drsl("finetune", modality, *D)
        assert found.code == 0, found.err
        assert f"wrote models/colors/{modality}.safetensors" in found.out
        assert "best epoch" in found.out
        assert found.err == ""  # no progress bar off a terminal
        found = drsl("encode", modality, *D)
        assert found.code == 0, found.err
        accuracy = json.loads((project / "results" / "colors" / "encoders" / f"{modality}.json").read_text())
        assert set(accuracy) == {"train_accuracy", "val_accuracy", "test_accuracy"}
    assert accuracy["test_accuracy"] == 1.0  # a class is one word


def test_feature_files(drsl, project):
    image, text = (project / "features" / "colors" / f"{each}.h5" for each in ("image", "text"))
    assert drsl("features", "verify", image, text).code == 0
    shown = drsl("features", "show", image).out
    assert "30 of width 4096" in shown
    assert "vgg19_bn" in shown
    assert "30 of width 300" in drsl("features", "show", text).out
    told = json.loads(drsl("features", "show", text, "--json").out)
    assert (told["rows"], told["classes"]["red"]) == (30, {"train": 6, "val": 2, "test": 2})
    assert len(told["digest"]) == len(told["encoder"]["fingerprint"]) == 64
    assert drsl("features", "diff", image, image).code == 0
    assert drsl("features", "diff", image, text).code == 1


@pytest.mark.parametrize("modality", ["image", "text"])
def test_the_same_seed_gives_the_same_bytes(drsl, project, modality):
    paths = (
        project / "models" / "colors" / f"{modality}.safetensors",
        project / "features" / "colors" / f"{modality}.h5",
    )
    before = [path.read_bytes() for path in paths]
    assert drsl("finetune", modality, *D).code == 0
    assert drsl("encode", modality, *D).code == 0
    assert [path.read_bytes() == old for path, old in zip(paths, before, strict=True)] == [True, True]


def test_stage_two(drsl, project):
    found = drsl("fit", *D, "-m", "drsl-c", "-s", 0)
    assert found.code == 0, found.err
    assert "fitted in" in found.out
    found = drsl("evaluate", *D, "-m", "drsl-c", "-s", 0)
    assert found.code == 0, found.err
    result = json.loads((project / "results" / "colors" / "drsl-c" / "0.json").read_text())
    assert result["mean_map"] == pytest.approx((result["i2t_map"] + result["t2i_map"]) / 2, abs=1e-6)
    assert result["i2t_queries"] == result["i2t_gallery"] == 6
    assert {"fit_seconds", "score_seconds", "peak_memory_mb"} <= set(result)
    found = drsl("report", *D)
    assert found.code == 0, found.err
    page = (project / "reports" / "colors" / "index.html").read_text()
    assert f"{result['mean_map']:.3f}" in page
    assert "http" not in page.replace("http://www.w3.org/", "")  # no outside resource; SVG has names that look so


def test_scores_that_do_not_separate_are_a_warning(drsl, project):
    path = project / "params.yaml"
    good = path.read_text()
    try:
        path.write_text(good.replace("learning_rate: 0.001", "learning_rate: 0.000000001", 1))
        found = drsl("fit", *D, "-m", "drsl-c", "-s", 7)
    finally:
        path.write_text(good)
    assert found.code == 0
    assert "fitted in" in found.out
    (line,) = (each for each in found.err.splitlines() if each.startswith("warning: "))
    assert "drsl-c hardly separates" in line
    assert "standardise: true, or take drsl-plus" in line


def test_search(drsl, project, tmp_path, monkeypatch):
    found = drsl("search", *D, "red fruit", "-k", 3, "--json", "--save", tmp_path / "sheet.png")
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert answer["expected"] == "red"
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
    assert all(hit["right"] == (hit["label"] == "red") for hit in answer["hits"])
    assert f"wrote {tmp_path / 'sheet.png'}: 3 answers, " in found.err
    assert "framed green" in found.err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    table = drsl("search", *D, "red", "zebra", "-k", 2)
    assert "no word vector for: zebra" in table.err
    assert len(table.out.splitlines()) == 4
    marks = [line.split()[1] for line in table.out.splitlines()[2:]]
    assert table.out.splitlines()[0].endswith(f"; {marks.count('right')} of 2 right")
    assert "\x1b" not in table.out  # colour is for terminals
    assert "\x1b[3" in drsl("--color", "search", *D, "red").out
    monkeypatch.setattr("drsl.commands.tables.screen_width", lambda: 40)
    narrow = drsl("search", *D, "red", "-k", 2).out.splitlines()
    assert all(len(line) <= 40 for line in narrow[1:])
    texts = drsl("search", *D, "--image", project / "data" / "colors" / "images" / "red-9.png", "--json")
    assert len(json.loads(texts.out)["hits"]) == 6


def test_doctor_and_help(drsl):
    found = drsl("doctor")
    assert found.code == 0
    part = found.out.partition("data set colors\n")[2]
    assert "ok  image features" in part.partition("\n\n")[0]
    for command in ("data", "finetune", "encode", "fit", "evaluate", "report", "features", "search", "serve", "doctor"):
        shown = drsl(command, "--help")
        assert shown.code == 0
        assert "drsl " in shown.out.split("Options:")[0].split("\n", 2)[2], f"{command}: no example"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "-d", "colours"), ("data set: 'colours'", "did you mean 'colors'")),
        (("fit", *D, "-m", "drsl-x"), ("method: 'drsl-x'", "did you mean")),
        (("evaluate", *D, "-m", "drsl-x"), ("method: 'drsl-x'", "did you mean")),
        (("finetune", "picture", *D), ("modality: 'picture'",)),
        (("serch", "red"), ("no command 'serch'", "did you mean 'search'")),
        (("search", *D, "zebra"), ("zebra", "no word")),
        (("search", *D, "red", "--split", "tset"), ("split: 'tset'", "did you mean 'test'")),
        (("search", *D, "red", "--class", "rad"), ("class: 'rad'", "did you mean 'red'")),
        (("search", *D, "--image", "none.jpg"), ("none.jpg",)),
        (("search", *D, "red", "--save", "sheet.doc"), ("sheet.doc", ".png")),
        (("features", "show", "none.h5"), ("none.h5",)),
        (("features", "verify", "params.yaml"), ("params.yaml",)),
    ],
)
def test_wrong_words(drsl, arguments, words):
    drsl(*arguments).refused(*words)


@pytest.mark.parametrize(
    ("before", "after", "command", "words"),
    [
        ("learning_rate: 0.001", "learning_rat: 0.001", ("fit", *D), ("'learning_rat'", "'learning_rate'")),
        ("learning_rate: 0.001", 'learning_rate: "1e-3"', ("fit", *D), ("learning_rate", "must be a number")),
        ("crop: 32", "crop: 16", ("finetune", "image", *D), ("datasets.colors.image.crop: 16", "32 or more")),
        (
            "weights: none\n      resize: 37\n      crop: 32\n      pool: 1",
            "weights: gone.pth\n      resize: 37\n      crop: 32\n      pool: 7",
            ("finetune", "image", *D),
            ("gone.pth", "is not there"),
        ),
        ("vectors: words.txt", "vectors: gone.bin", ("finetune", "text", *D), ("gone.bin", "are not there")),
        ("maps: 100", "maps: 99", ("encode", "text", *D), ("settings.maps was 100, now 99", "drsl finetune text")),
        (
            "flip: true",
            "flip: false",
            ("fit", *D),
            ("features/colors/image.h5 is stale", "settings.flip was True, now"),
        ),
    ],
)
def test_wrong_or_changed_settings(drsl, project, before, after, command, words):
    path = project / "params.yaml"
    good = path.read_text()
    try:
        path.write_text(good.replace(before, after, 1))
        drsl(*command).refused(*words)
    finally:
        path.write_text(good)


def test_a_corrupt_feature_file_stops_the_fit(drsl, project):
    path = project / "features" / "colors" / "image.h5"
    good = path.read_bytes()
    model = project / "results" / "colors" / "drsl-c" / "0.safetensors"
    before = model.read_bytes()
    try:
        path.write_bytes(good[: len(good) // 2])
        drsl("fit", *D).refused("image.h5", "drsl encode image -d colors")
    finally:
        path.write_bytes(good)
    assert model.read_bytes() == before


def test_a_manifest_that_changed_stops_the_fit(drsl, project):
    path = project / "data" / "colors" / "manifest.csv"
    good = path.read_text()
    try:
        path.write_text(good.replace("red fruit 0", "red fruit"))
        drsl("fit", *D).refused("stale", "manifest_digest")
    finally:
        path.write_text(good)


def test_an_image_that_cannot_be_read_leaves_no_file(drsl, project):
    path = project / "data" / "colors" / "images" / "blue-0.png"
    features = project / "features" / "colors" / "image.h5"
    kept = features.with_suffix(".kept")
    good = path.read_bytes()
    shutil.move(features, kept)
    try:
        path.write_bytes(good[:40])
        drsl("encode", "image", *D).refused("blue-0.png")
        assert not features.exists()
        path.unlink()
        drsl("encode", "image", *D).refused("blue-0.png", "drsl data check -d colors")
        assert drsl("data", "check", *D).code == 1
    finally:
        path.write_bytes(good)
        shutil.move(kept, features)
    assert not list(features.parent.glob(".*"))


def test_serve_answers_as_search_does(drsl, project):
    pytest.importorskip("fastapi", reason="the extra web is not installed")
    options = ("-C", str(project), "serve", *D, "--port", "0")
    home = str(Path(package.__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-m", "drsl", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    ) as server:
        try:
            address = server.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}api/search?words=red+fruit&count=3&only=red") as response:
                answer = json.load(response)
            port = address.rstrip("/").rpartition(":")[2]
            drsl("serve", *D, "--port", port).refused("--port", port)
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 130
        finally:
            server.kill()
        assert "Traceback" not in server.stderr.read()
    assert json.loads(drsl("search", *D, "red", "fruit", "-k", 3, "--only", "red", "--json").out) == answer


def test_an_item_is_searched_with(drsl):
    found = json.loads(drsl("search", *D, "--item", "red-0", "--find", "image", "--json").out)
    assert (found["query"], found["expected"], found["expected_is_predicted"]) == ("red-0", "red", False)
    assert "expected class: red (its own)" in drsl("search", *D, "--item", "red-0").out
    drsl("search", *D, "--item", "red-99").refused("there is no item 'red-99'")
    assert drsl("search", *D, "red", "--item", "red-0").code == 2
