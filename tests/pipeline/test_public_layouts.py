"""Each public layout from raw files to metrics by the commands; what `drsl data check` says before and afterwards."""

import json
import shutil

import numpy as np
import pytest

from drsl.features import read_manifest

BLOCK = """
  {name}:
    source: {name}
    prepare: {{path: raw/{name}, seed: 0, max_reject_fraction: 0.05{more}}}
    image:
      architecture: resnet18
      weights: none
      resize: 32
      crop: 32
      pool: 7
      dropout: 0.0
      flip: false
      precision: float32
      finetune: {{epochs: 1, batch: 20, optimizer: sgd, learning_rate: 0.01, weight_decay: 0.0, label_smoothing: 0.0,
        seed: 0}}
    text:
      vectors: words.txt
      windows: [3, 4, 5]
      maps: 100
      dropout: 0.5
      max_words: 16
      finetune: {{epochs: 20, batch: 10, optimizer: adamw, learning_rate: 0.01, weight_decay: 0.0, label_smoothing: 0.0,
        seed: 0}}
    drsl: {{preset: paper, image_fnn: [32], text_fnn: [32], relation: [32], batch: 10, epochs: 3}}
    evaluate: {{at: [5], scope: [2, 4]}}"""
MORE = {"pascal": ", captions: together", "nuswide10k": ", concepts: []"}
NAMES = ("wikipedia", "pascal", "nuswide10k", "xmedianet")
COUNTS = {"wikipedia": (15, 5, 10), "pascal": (20, 5, 5), "nuswide10k": (20, 5, 5), "xmedianet": (20, 5, 5)}


@pytest.fixture(scope="module")
def project(tmp_path_factory, public_trees):
    """A project with the four data sets; their raw files are five classes of six pairs."""
    root = tmp_path_factory.mktemp("public")
    blocks = "".join(BLOCK.format(name=name, more=MORE.get(name, "")) for name in NAMES)
    (root / "params.yaml").write_text(f"device: cpu\ndatasets:{blocks}\nmethods:\n  drsl-c: {{learning_rate: 0.001}}\n")
    for name, tree in public_trees.TREES.items():
        tree(root / "raw" / name)
    words = [*public_trees.CLASSES, *public_trees.WORDS.values(), "a", "the", "photo", "of"]
    vectors = np.random.default_rng(0).standard_normal((len(words), 20))
    lines = [f"{word} {' '.join(f'{each:.4f}' for each in row)}" for word, row in zip(words, vectors, strict=True)]
    (root / "words.txt").write_text(f"{len(words)} 20\n" + "\n".join(lines) + "\n")
    return root


def from_files_to_metrics(drsl, project, name):
    d = ("-d", name)
    shutil.rmtree(project / "data" / name, ignore_errors=True)
    train, val, test = COUNTS[name]
    sizes = f"30 items: train {train}, val {val}, test {test}"
    found = drsl("data", "check", *d)
    assert found.code == 0, found.err
    assert f"everything is there; next: drsl data prepare -d {name}" in found.out
    assert sizes in found.out
    digest = found.out.split("split digest ")[1].split()[0]
    found = drsl("data", "prepare", *d)
    assert found.code == 0, found.err
    assert f"wrote data/{name}/manifest.csv" in found.out
    assert sizes in found.out
    assert "the counts are NOT the paper's: train" in found.out
    assert f"split digest {digest}" in found.out
    found = drsl("data", "check", *d)
    assert found.code == 0, found.err
    assert f"split digest {digest}" in found.out
    for modality in ("image", "text"):
        assert drsl("finetune", modality, *d).code == 0
        assert drsl("encode", modality, *d).code == 0
    assert drsl("fit", *d).code == 0
    assert drsl("evaluate", *d).code == 0
    result = json.loads((project / "results" / name / "drsl-c" / "0.json").read_text())
    assert result["i2t_queries"] == result["t2i_gallery"] == test
    assert 0 < result["mean_map"] <= 1
    accuracy = json.loads((project / "results" / name / "encoders" / "text.json").read_text())
    assert accuracy["test_accuracy"] == 1.0  # a class is one word
    for part in ("models", "features"):  # of many megabytes, and the next layout makes its own
        shutil.rmtree(project / part / name)


def test_wikipedia_from_files_to_metrics(drsl, project):
    from_files_to_metrics(drsl, project, "wikipedia")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[1:])
def test_other_layouts_from_files_to_metrics(drsl, project, name):
    from_files_to_metrics(drsl, project, name)


def test_the_same_files_give_the_same_bytes(drsl, project):
    paths = [project / "data" / "pascal" / each for each in ("manifest.csv", "split.csv", "rejects.csv")]
    before = []
    for _ in range(2):
        assert drsl("data", "prepare", "-d", "pascal").code == 0
        before.append([path.read_bytes() for path in paths])
    assert before[0] == before[1]


# What `drsl data check` says of files


@pytest.fixture
def unprepared(project):
    """A data set whose files a test may damage; there is no manifest."""
    raw, data = project / "raw" / "xmedianet", project / "data" / "xmedianet"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(raw, raw.with_name("kept"))
    yield raw
    shutil.rmtree(raw, ignore_errors=True)
    raw.with_name("kept").rename(raw)
    shutil.rmtree(data, ignore_errors=True)


D = ("-d", "xmedianet")


def test_parts_that_are_missing_are_listed_with_where_to_get_them(drsl, unprepared):
    shutil.rmtree(unprepared / "image")
    (unprepared / "txt_train_list.txt").unlink()
    found = drsl("data", "check", *D)
    found.refused(
        "2 parts of xmedianet are missing in raw/xmedianet: ",
        "txt_train_list.txt or list/txt_train_list.txt",
        "image/ or img/",
    )
    assert [line.split()[1] for line in found.out.splitlines() if line.startswith("image/")] == ["MISSING"]
    assert [line.split()[1] for line in found.out.splitlines() if line.startswith("text/")] == ["there"]
    assert "published at http://59.108.48.34/tiki/XMediaNet/" in found.out
    assert "  image/\n      accordion/" in found.out  # the tree


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_not_there_is_all_missing(drsl, project, name):
    raw = project / "raw" / name
    shutil.rmtree(project / "data" / name, ignore_errors=True)
    raw.rename(raw.with_name("elsewhere"))
    try:
        found = drsl("data", "check", "-d", name)
        found.refused(f"parts of {name} are missing in raw/{name}")
        assert "MISSING" in found.out
        assert "published at http" in found.out
        drsl("data", "prepare", "-d", name).refused(f"{raw}")
    finally:
        raw.with_name("elsewhere").rename(raw)


def test_files_within_the_parts_that_are_missing_are_listed(drsl, unprepared):
    (unprepared / "image" / "dog" / "dog_1.jpg").unlink()
    (unprepared / "text" / "cow" / "cow_2.txt").write_bytes(b"")
    found = drsl("data", "check", *D)
    found.refused("2 of 30 items lack a usable file", "at most 1 of them", problems=2)
    assert f"problem: {unprepared / 'image' / 'dog' / 'dog_1.jpg'}: is not there" in found.err
    assert f"problem: {unprepared / 'text' / 'cow' / 'cow_2.txt'}: is empty" in found.err
    drsl("data", "prepare", *D).refused("2 of 30 items cannot be used")


def test_items_that_are_left_out_are_counted(drsl, unprepared, project):
    (unprepared / "image" / "dog" / "dog_1.jpg").write_bytes(b"no picture")
    found = drsl("data", "prepare", *D)
    assert found.code == 0, found.err
    assert "29 items: " in found.out
    assert "1 items are left out, see data/xmedianet/rejects.csv" in found.out
    assert len(read_manifest(project / "data" / "xmedianet" / "manifest.csv").items) == 29
    assert drsl("data", "check", *D).code == 0


def test_a_wrong_list_is_one_line(drsl, unprepared):
    (unprepared / "img_test_list.txt").write_text("dog/dog_1.jpg\n")
    for command in ("check", "prepare"):
        drsl("data", command, *D).refused("img_test_list.txt line 1")


def test_a_split_file_of_another_split_is_a_problem(drsl, unprepared, project):
    assert drsl("data", "prepare", *D).code == 0
    path = project / "data" / "xmedianet" / "split.csv"
    path.write_text(path.read_text().replace("test", "val"))
    found = drsl("data", "check", *D)
    found.refused("1 problems", problems=1)
    assert "data/xmedianet/split.csv does not name the splits of the manifest" in found.err
