"""The public features of the Wikipedia set, imported by the command: plain CCA on the files gives the known mAP."""

import sys
from pathlib import Path

import numpy as np
import pytest

from drsl.cli import main
from drsl.evaluate import mean_average_precision
from drsl.features import read_features
from drsl.train import get_method

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "wikipedia"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the public Wikipedia features are not in ../shared/data")

SPLITS = (("train", "tr", "trainset"), ("test", "te", "testset"))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Imports the set into a project of its own, with more options."""
    (tmp_path / "params.yaml").write_text("datasets:\n  none:\n    source: emoji\n", "utf-8")

    def import_it(*options):
        arguments = ["drsl", "-C", str(tmp_path), "data", "import", "-d", "wikipedia-raw"]
        for split, short, name in SPLITS:
            arguments += ["--image", f"{split}={FOLDER}/raw_features.mat:I_{short}"]
            arguments += ["--text", f"{split}={FOLDER}/raw_features.mat:T_{short}"]
            arguments += ["--label", f"{split}={FOLDER}/{name}_txt_img_cat.list:3"]
            arguments += ["--ids", f"{split}={FOLDER}/{name}_txt_img_cat.list:1"]
        monkeypatch.setattr(sys, "argv", [*arguments, "--classes", str(FOLDER / "categories.list"), *options])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        return [read_features(tmp_path / "features" / "wikipedia-raw" / f"{each}.h5") for each in ("image", "text")]

    return import_it


def _cca(image, text, components):
    """Test scores by the cosine of canonical variates; directions without variance are left out."""
    sides = []
    for features in (image, text):
        train = features.select("train").feature.astype(np.float64)
        centre = train.mean(axis=0)
        left, size, right = np.linalg.svd(train - centre, full_matrices=False)
        kept = size > size[0] * 1e-6
        sides.append((left[:, kept], right[kept].T / size[kept], features.select("test").feature - centre))
    first, _, second = np.linalg.svd(sides[0][0].T @ sides[1][0])
    found = []
    for (_, whiten, test), turn in zip(sides, (first, second.T), strict=True):
        variate = test @ whiten @ turn[:, :components]
        found.append(variate / np.linalg.norm(variate, axis=1, keepdims=True))
    return found[0] @ found[1].T


@pytest.mark.parametrize("options", [(), ("--standardize",)])  # CCA does not see the scale
def test_cca_gives_the_known_numbers(run, options):
    image, text = run(*options)
    assert (len(image.select("train")), len(image.select("test"))) == (2173, 693)
    assert (image.feature.shape[1], text.feature.shape[1]) == (128, 10)
    assert image.classes[0] == "art"
    assert image.id[0] == "b3150b0c281960b6a6d33407824fd40a-3"
    score = _cca(image, text, components=5)
    label = image.select("test").label
    assert mean_average_precision(score, label, label) == pytest.approx(0.245, abs=0.005)
    assert mean_average_precision(score.T, label, label) == pytest.approx(0.193, abs=0.005)
    # So does the method: with as many directions to the digit, and as it comes.
    for components, near in ([5], 2e-5), ([300], 0.005):
        method = get_method("cca-paper", components=components).fit(image, text, seed=0)
        found = method.score(image.select("test").feature, text.select("test").feature)
        for each, plain in ((found, score), (found.T, score.T)):
            expected = mean_average_precision(plain, label, label)
            assert mean_average_precision(each, label, label) == pytest.approx(expected, abs=near)


def test_val_of_the_papers_size(run):
    image, _ = run("--val-from", "test", "--val-count", "231")
    assert [len(image.select(split)) for split in ("train", "val", "test")] == [2173, 231, 462]
    assert set(image.select("val").label) == set(range(10))
