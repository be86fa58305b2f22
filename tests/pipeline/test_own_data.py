"""From a folder of photos to metrics and search: `drsl data add`, then the stages as `dvc repro` runs them."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from drsl.features import read_manifest
from drsl.params import read_params

D = ("-d", "shapes")
SHAPES = {"disc": "red fruit", "bar": "green leaf", "frame": "blue sea", "cross": "red sea"}


def photo(shape, number):
    """A picture of a shape on a gradient, as large as a small photo."""
    rng = np.random.default_rng([number, list(SHAPES).index(shape)])
    ramp = np.linspace(0, 90, 160)[None, :, None] + rng.integers(0, 40, 3)
    picture = Image.fromarray(np.broadcast_to(ramp, (120, 160, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    left, top = (int(each) for each in rng.integers(10, 40, 2))
    box = (left, top, left + 70, top + 60)
    if shape == "disc":
        draw.ellipse(box, fill=(220, 40, 40))
    elif shape == "bar":
        draw.rectangle((left, top + 20, left + 90, top + 40), fill=(40, 200, 40))
    elif shape == "frame":
        draw.rectangle(box, outline=(40, 40, 230), width=9)
    else:
        draw.line((left, top, left + 70, top + 60), fill=(230, 200, 40), width=12)
        draw.line((left + 70, top, left, top + 60), fill=(230, 200, 40), width=12)
    return picture


@pytest.fixture(scope="module")
def photos(small_network, tmp_path_factory):
    root = tmp_path_factory.mktemp("mine") / "photos"
    for shape, words in SHAPES.items():
        (root / shape).mkdir(parents=True)
        for number in range(12):
            photo(shape, number).save(root / shape / f"{number:02}.jpg")
            (root / shape / f"{number:02}.txt").write_text(f"{words} {number}\nthe {words}\n", "utf-8")
    (root / "notes.md").write_text("about the photos")
    return root


def test_add_checks_the_data_and_writes_the_block(drsl, project, photos):
    before = (project / "params.yaml").read_text("utf-8")
    shown = drsl("data", "add", "shapes", photos, "--like", "colors", "--seed", 3, "--dry-run")
    assert shown.code == 0, shown.err
    assert (project / "params.yaml").read_text("utf-8") == before
    assert "  source: folder" in shown.out
    found = drsl("data", "add", "shapes", photos, "--like", "colors", "--seed", 3, "--run")
    assert found.code == 0, found.err
    assert [line.split() for line in found.out.splitlines()[1:6]] == [
        ["bar", "8", "1", "3"],
        ["cross", "8", "1", "3"],
        ["disc", "8", "1", "3"],
        ["frame", "8", "1", "3"],
        ["all", "32", "4", "12"],
    ]
    assert "48 items: 48 with image and text, 0 without text, 0 without image" in found.out
    assert "notes.md: lies outside the class folders" in found.err
    assert "dvc repro" in found.out
    params = read_params(project)
    assert params.content["run"]["datasets"] == ["shapes"]
    block = params.dataset("shapes")
    assert block["prepare"] == {
        "path": str(photos),
        "train": 0.7,
        "val": 0.1,
        "test": 0.2,
        "seed": 3,
        "captions": "together",
        "max_reject_fraction": 0.01,
    }
    assert block["image"] == params.dataset("colors")["image"]
    assert block["evaluate"] == {"at": [12], "scope": [1, 2, 3, 6, 12]}
    again = drsl("data", "add", "shapes", photos)
    assert again.code == 1
    assert again.err.strip() == (
        "drsl: data set 'shapes' is already in params.yaml: take another name, or edit its block there"
    )


def test_the_stages_run_to_metrics(drsl, project):
    for command in (
        ("data", "prepare"),
        ("data", "check"),
        ("finetune", "image"),
        ("finetune", "text"),
        ("encode", "image"),
        ("encode", "text"),
        ("fit",),
        ("evaluate",),
        ("report",),
    ):
        found = drsl(*command, *D)
        assert found.code == 0, (command, found.err)
        if command == ("data", "prepare"):
            assert "1 files belong to no item, see data/shapes/rejects.csv" in found.out
            assert "left out" not in found.out
    manifest = read_manifest(project / "data" / "shapes" / "manifest.csv")
    assert len(manifest.items) == 48
    assert manifest.items[0].text == "green leaf 0\nthe green leaf"
    result = json.loads((project / "results" / "shapes" / "drsl-c" / "0.json").read_text())
    assert result["i2t_queries"] == result["t2i_gallery"] == 12
    assert 0 < result["mean_map"] <= 1
    assert json.loads((project / "results" / "shapes" / "encoders" / "text.json").read_text())["train_accuracy"] == 1


def test_search_finds_photos_for_words_and_words_for_a_photo(drsl, project, photos):
    answer = drsl("search", *D, "green leaf", "-k", 3, "--json")
    assert answer.code == 0, answer.err
    assert [hit["rank"] for hit in json.loads(answer.out)["hits"]] == [1, 2, 3]
    table = drsl("search", *D, "green leaf", "-k", 3)
    assert table.code == 0, table.err
    assert len(table.out.splitlines()) == 5  # texts of several lines stand on one
    answer = drsl("search", *D, "--image", photos / "disc" / "00.jpg", "-k", 12, "--json")
    assert answer.code == 0, answer.err
    assert len(json.loads(answer.out)["hits"]) == 12


def test_photos_that_do_not_decode_stop_add_and_prepare_and_are_listed(drsl, project, photos, tmp_path):
    path = photos / "disc" / "00.jpg"
    good = path.read_bytes()
    before = (project / "params.yaml").read_bytes()
    placed = project / "data" / "shapes" / "images" / "disc" / "00.jpg"
    try:
        path.write_bytes(good[: len(good) // 2])
        found = drsl("data", "add", "more", photos)
        assert found.code == 1
        assert f"rejected: {path}: cannot be decoded" in found.err
        assert "1 of 48 items cannot be used, max_reject_fraction allows 0.01" in found.err.splitlines()[-1]
        assert (project / "params.yaml").read_bytes() == before
        found = drsl("data", "prepare", *D)
        assert found.code == 1
        assert "1 of 48 items cannot be used" in found.err
        assert len(found.err.strip().splitlines()) == 1
        assert placed.read_bytes() == good  # what was prepared before is whole
        assert "disc/00," in (project / "data" / "shapes" / "rejects.csv").read_text("utf-8")
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone", "nowhere"), ("nowhere", "is not there")),
        (("a/b", "."), ("a name is made of letters",)),
        (("more", ".", "--like", "colours"), ("data set: 'colours'", "did you mean 'colors'")),
    ],
)
def test_wrong_words_are_one_line(drsl, arguments, words):
    found = drsl("data", "add", *arguments)
    assert found.code == 1
    assert len(found.err.strip().splitlines()) == 1
    assert all(word in found.err for word in words)


def test_files_inside_the_project_are_named_from_it(drsl, project):
    rows = [f"{label} {n}" for label in ("red", "blue") for n in range(6)]
    (project / "rows.csv").write_text(
        "text;label;image\n"
        + "".join(f"{row};{row.split()[0]};data/colors/images/{row.replace(' ', '-')}.png\n" for row in rows)
    )
    found = drsl("data", "add", "rows", project / "rows.csv", "--like", "colors")
    assert found.code == 0, found.err
    block = read_params(project).dataset("rows")
    assert (block["source"], block["prepare"]["path"]) == ("manifest", "rows.csv")
    assert "put `datasets: [rows]` under `run:`" in found.out
    assert drsl("data", "prepare", "-d", "rows").code == 0
