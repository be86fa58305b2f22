"""Imported features as a user has them: the command, all of stage two, and one clear line where pictures are needed."""

import json

import h5py
import numpy as np
import pytest
import scipy.io

from drsl.features import read_features
from drsl.params import read_params

D = ("-d", "shared")
SIZES = {"train": 24, "test": 12}


@pytest.fixture(scope="module")
def published(project):
    """Features of 3 classes, 17 and 6 wide: images in a MATLAB file, texts in HDF5, labels from 1 in a list."""
    rng = np.random.default_rng(0)
    centers = {"image": rng.standard_normal((3, 17)) * 2, "text": rng.standard_normal((3, 6)) * 2}
    label = {split: np.arange(n) % 3 for split, n in SIZES.items()}
    made = {
        each: {split: center[label[split]] + rng.standard_normal((n, center.shape[1])) for split, n in SIZES.items()}
        for each, center in centers.items()
    }
    scipy.io.savemat(project / "image.mat", {f"I_{split}": array for split, array in made["image"].items()})
    with h5py.File(project / "text.h5", "w") as file:
        for split, array in made["text"].items():
            file[split] = array
    for split, numbers in label.items():
        lines = [f"{split}{place} {number + 1}\n" for place, number in enumerate(numbers)]
        (project / f"{split}.list").write_text("".join(lines), "utf-8")
    return project


@pytest.fixture
def arguments(published):
    found = ["data", "import", *D]
    for split in SIZES:
        found += [
            "--image",
            f"{split}={published}/image.mat:I_{split}",
            "--text",
            f"{split}={published}/text.h5:{split}",
        ]
        found += ["--label", f"{split}={published}/{split}.list:2", "--ids", f"{split}={published}/{split}.list:1"]
    return [*found, "--classes", "cat,dog,fox"]


def written(project):
    """Everything that an import may write."""
    places = [project / "data" / "shared", project / "features" / "shared", project / "params.yaml"]
    return {path: path.read_bytes() for place in places for path in [place, *place.rglob("*")] if path.is_file()}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("image.mat:I_train", "image.mat:I_tr", ("image.mat", "no 'I_tr'", "I_train")),
        ("image.mat:I_train", "image.mat", ("several arrays", "I_train 24 x 17")),
        ("image.mat:I_train", "image.mat:I_test", ("12 x 17", "24 labels")),
        ("text.h5:test", "gone.h5:test", ("gone.h5", "not there")),
        ("train.list:2", "train.list:1", ("class names",)),
        ("cat,dog,fox", "cat,dog", ("2 names",)),
        ("cat,dog,fox", "names.txt", ("names.txt", "not there")),
        ("shared", "../shared", ("a name is made of letters",)),
        ("shared", "colors", ("'colors'", "another source")),
        ("--label", "--image-label", ("--image-label and --text-label",)),
    ],
)
def test_a_failed_import_leaves_nothing(drsl, published, arguments, before, after, words):
    was = written(published)
    wrong = [
        each if each.startswith("--") != before.startswith("--") else each.replace(before, after) for each in arguments
    ]
    drsl(*wrong).refused(*words)
    assert written(published) == was
    assert not (published / "features" / "shared").exists()


def test_import_then_stage_two(drsl, published, arguments):
    found = drsl(*arguments)
    assert found.code == 0, found.err
    assert "image: train 24, test 12; 17 wide, items in rows" in found.out
    assert "labels are whole numbers from 1: 3 classes occur" in found.out
    assert "no val split" in found.err
    assert drsl("fit", *D, "-s", 3).code == 0  # without val, the last epoch is kept
    found = drsl(*arguments, "--val-from", "test", "--val-count", 6, "--standardize")
    assert found.code == 0, found.err
    assert found.err == ""
    assert "val: 6 drawn from test with seed 0" in found.out
    was = written(published)
    assert drsl(*arguments, "--val-from", "test", "--val-count", 6, "--standardize").code == 0
    assert written(published) == was  # the same bytes each time
    params = read_params(published)
    assert params.dataset("shared")["source"] == "features"
    image = read_features(published / "features" / "shared" / "image.h5")
    assert image.feature.shape == (36, 17)
    assert image.classes == ("cat", "dog", "fox")
    origin = json.loads(image.attrs["encoder"])["imported"]
    assert [(each["split"], each["file"], each["variable"]) for each in origin] == [
        ("train", "image.mat", "I_train"),
        ("test", "image.mat", "I_test"),
    ]

    text = (published / "params.yaml").read_text().replace("epochs: 100", "epochs: 10")
    (published / "params.yaml").write_text(text)
    for command in ("fit", "evaluate"):
        found = drsl(command, *D)
        assert found.code == 0, found.err
    result = json.loads((published / "results" / "shared" / "drsl-c" / "0.json").read_text())
    assert result["mean_map"] > 0.6
    assert result["i2t_queries"] == result["t2i_gallery"] == 6
    found = drsl("report", *D)
    assert found.code == 0, found.err
    assert f"{result['mean_map']:.3f}" in (published / "reports" / "shared" / "index.html").read_text()


def test_looking_at_imported_features(drsl, published):
    shown = drsl("features", "show", published / "features" / "shared" / "image.h5").out
    assert "36 of width 17" in shown
    assert "train from image.mat I_train (SHA-256 " in shown
    files = [published / "features" / "shared" / f"{each}.h5" for each in ("image", "text")]
    assert drsl("features", "verify", *files).code == 0
    assert "width: 17 and 6" in drsl("features", "diff", *files).out
    found = drsl("doctor")
    assert found.code == 0
    part = found.out.partition("data set shared\n")[2].partition("\n\n")[0]
    assert "ok  image features" in part
    assert "image network" not in part


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("encode", "image"), "nothing to encode"),
        (("finetune", "text"), "nothing to fine-tune"),
        (("data", "prepare"), "nothing to prepare"),
        (("data", "check"), "no files to check"),
        (("search", "fox"), "a query has no encoder"),
    ],
)
def test_what_needs_pictures_says_so(drsl, published, command, words):
    drsl(*command, *D).refused("'shared' holds imported features", words, "drsl fit -d shared")


def test_features_of_another_import_are_stale(drsl, published, arguments):
    manifest = published / "data" / "shared" / "manifest.csv"
    good = manifest.read_text()
    try:
        manifest.write_text(good.replace("train0,", "train-0,"))
        drsl("fit", *D).refused("stale", "drsl data import -d shared")
    finally:
        manifest.write_text(good)


def test_a_missing_file_names_the_import(drsl, published):
    path = published / "features" / "shared" / "text.h5"
    kept = path.with_suffix(".kept")
    path.rename(kept)
    try:
        drsl("fit", *D).refused("features/shared/text.h5 is not there", "drsl data import -d shared")
        assert "not made yet: drsl data import -d shared" in drsl("doctor").out
    finally:
        kept.rename(path)
