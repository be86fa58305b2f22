"""Pascal Sentence: the real captions, both public forms, and each way its files can be wrong."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from drsl.extract.sources.pascal import LAYOUT, PascalConfig, read_items, write_pascal
from drsl.features import read_manifest, write_manifest
from drsl.features.errors import DamagedFile, MissingFile, SettingError, UserError

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "pascal" / "pascal_sentences.json"


def config_of(root, captions="together", seed=0, rejects=0.01):
    return PascalConfig(str(root), seed, rejects, captions)


@pytest.fixture(params=["json", "text"])
def tree(request, public_trees, tmp_path):
    public_trees.pascal(tmp_path / "raw", form=request.param)
    return tmp_path / "raw"


@pytest.fixture
def json_tree(public_trees, tmp_path):
    public_trees.pascal(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def text_tree(public_trees, tmp_path):
    public_trees.pascal(tmp_path / "raw", form="text")
    return tmp_path / "raw"


def rejects_of(folder):
    with (folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Counts


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The real captions; photos are not opened by the reader."""
    if not REAL.is_file():
        pytest.skip("../shared/data/pascal is not there")
    root = tmp_path_factory.mktemp("real")
    (root / "dataset").mkdir()
    (root / "pascal_sentences.json").write_bytes(REAL.read_bytes())
    return root


def test_the_real_captions_give_the_papers_counts(real):
    items = [item for item, _ in read_items(config_of(real))]
    assert Counter(item.split for item in items) == {"train": 800, "val": 100, "test": 100} == LAYOUT.counts
    count = Counter((item.label, item.split) for item in items)
    assert len(count) == 60
    assert all(n == {"train": 40, "val": 5, "test": 5}[split] for (_, split), n in count.items())
    content = json.loads(REAL.read_text())
    item = next(item for item in items if item.id == "2008_000716")
    assert item.text.split("\n") == content["2008_000716.jpg"]["captions"]
    assert (item.image, item.label) == ("images/aeroplane/2008_000716.jpg", "aeroplane")


def test_each_real_caption_can_be_an_item(real):
    items = [item for item, _ in read_items(config_of(real, "each"))]
    assert len(items) == 996 * 5 + 3 * 4 + 6
    assert len({item.id for item in items}) == len(items)
    assert LAYOUT.differences(items) == []  # photos are counted
    split = defaultdict(set)
    for item in items:
        split[item.id.partition("#")[0]].add(item.split)
        assert bool(item.image) == item.id.endswith("#1")
    assert len(split) == 1000
    assert all(len(each) == 1 for each in split.values())
    together = {item.id: item.split for item, _ in read_items(config_of(real))}
    assert together == {name: next(iter(each)) for name, each in split.items()}


def test_the_seed_makes_the_split(real):
    one, same, other = ([item.split for item, _ in read_items(config_of(real, seed=seed))] for seed in (0, 0, 1))
    assert one == same != other


# Small trees


def test_both_forms_become_the_same_manifest(public_trees, tmp_path):
    found = []
    for form in ("json", "text"):
        public_trees.pascal(tmp_path / form, form=form)
        found.append(tuple(write_pascal(tmp_path / f"data-{form}", config_of(tmp_path / form))))
    assert found[0] == found[1]
    assert Counter(item.split for item in found[0]) == {"train": 20, "val": 5, "test": 5}
    assert len(list((tmp_path / "data-json" / "images").rglob("*.jpg"))) == 30


def test_photos_may_lie_without_the_folder_dataset(public_trees, tmp_path):
    public_trees.pascal(tmp_path / "a", folder="dataset")
    public_trees.pascal(tmp_path / "b", folder=".")
    one, other = (tuple(write_pascal(tmp_path / f"data-{each}", config_of(tmp_path / each))) for each in "ab")
    assert one == other


@pytest.mark.parametrize("captions", ["together", "each"])
def test_the_manifest_comes_back(tree, tmp_path, captions):
    items = write_pascal(tmp_path / "data", config_of(tree, captions))
    write_manifest(tmp_path / "data" / "manifest.csv", items)
    manifest = read_manifest(tmp_path / "data" / "manifest.csv")
    assert tuple(manifest.items) == tuple(items)
    assert len(items) == (30 if captions == "together" else 150)
    assert len(manifest.of("image")) == 30
    first = next(item for item in items if item.label == "dog")
    assert first.text.split("\n")[0] == "A dog with a bone."


def test_empty_sentences_and_line_breaks_in_them_are_tidied(json_tree):
    path = json_tree / "pascal_sentences.json"
    content = json.loads(path.read_text())
    name = next(iter(content))
    content[name]["captions"] = ["  A plane\nin two\tlines ", "", "   ", "nul\0 byte"]
    path.write_text(json.dumps(content))
    item = next(item for item, _ in read_items(config_of(json_tree)) if item.id == Path(name).stem)
    assert item.text == "A plane in two lines\nnul byte"


def test_sentences_that_are_not_utf8_are_read(text_tree):
    path = next((text_tree / "sentence" / "dog").iterdir())
    path.write_bytes(b"A caf\xe9\r\nand a dog\r\n")
    item = next(item for item, _ in read_items(config_of(text_tree)) if item.id == path.stem)
    assert item.text == "A café\nand a dog"


# What can be wrong


def test_a_photo_that_is_not_there_is_a_reject(tree, tmp_path):
    path = sorted((tree / "dataset" / "dog").iterdir())[2]
    path.unlink()
    items = write_pascal(tmp_path / "data", config_of(tree, rejects=0.1))
    assert len(items) == 29
    (reject,) = rejects_of(tmp_path / "data")
    assert (reject["id"], reject["path"], reject["reason"]) == (path.stem, str(path), "is not there")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (None, "is not there"), (b"a\0b", "NUL bytes"), (b" \n\n ", "is empty")]
)
def test_a_photo_without_sentences_is_a_reject(text_tree, tmp_path, content, reason):
    path = sorted((text_tree / "sentence" / "dog").iterdir())[0]
    path.unlink() if content is None else path.write_bytes(content)
    write_pascal(tmp_path / "data", config_of(text_tree, rejects=0.1))
    (reject,) = rejects_of(tmp_path / "data")
    assert (reject["id"], reject["path"]) == (path.stem, str(path))
    assert reason in reject["reason"]


def test_more_rejects_than_allowed_stop_the_run(tree, tmp_path):
    for path in (tree / "dataset" / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="6 of 30 items cannot be used"):
        write_pascal(tmp_path / "data", config_of(tree))


def test_missing_parts_are_named(tree):
    (tree / "dataset").rename(tree / "elsewhere")
    with pytest.raises(MissingFile, match=r"dataset.*drsl data check"):
        read_items(config_of(tree))


def test_missing_sentences_are_named(text_tree):
    (text_tree / "sentence").rename(text_tree / "elsewhere")
    with pytest.raises(MissingFile, match=r"pascal_sentences\.json is not there"):
        read_items(config_of(text_tree))
    (text_tree / "sentence").mkdir()
    with pytest.raises(MissingFile, match="holds no file <class>/<photo>"):
        read_items(config_of(text_tree))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "must map names"),
        (b"{}", "must map names"),
        (b'{"a.jpg": {"category": "dog"}}', "the entry of 'a.jpg' must be"),
        (b'{"a.jpg": ["dog"]}', "the entry of 'a.jpg' must be"),
        (b'{"a.jpg": {"category": "dog", "captions": "one"}}', "the entry of 'a.jpg' must be"),
        (b'{"a.jpg": {"category": "dog", "captions": [1]}}', "the entry of 'a.jpg' must be"),
        (b'{"../a.jpg": {"category": "dog", "captions": ["a"]}}', "not paths"),
        (b'{"a.jpg": {"category": "..", "captions": ["a"]}}', "not paths"),
        (
            b'{"a.jpg": {"category": "x", "captions": ["a"]}, "a.png": {"category": "y", "captions": ["a"]}}',
            "'a' occurs twice",
        ),
    ],
)
def test_a_wrong_json_file_is_one_message(json_tree, content, message):
    (json_tree / "pascal_sentences.json").write_bytes(content)
    with pytest.raises(DamagedFile) as info:
        read_items(config_of(json_tree))
    assert message in str(info.value)
    assert str(json_tree / "pascal_sentences.json") in str(info.value)
    assert "\n" not in str(info.value)


def test_captions_has_two_values():
    with pytest.raises(SettingError, match="captions: 'joined' is not known"):
        config_of("raw", "joined")
