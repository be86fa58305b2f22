"""Parts of all kinds against plain loops over single items, and what holds for every kind."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from drsl.extract.image_encoder import ImageEncoder
from drsl.extract.parts import encode_parts, parts_encoder
from drsl.extract.parts_config import PartsConfig, PatchConfig, SentenceConfig
from drsl.extract.precision import Precision
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.words import Vocabulary
from drsl.features import open_parts
from drsl.features.errors import DamagedFile, SettingError, UserError
from drsl.features.manifest import Item, Manifest
from drsl.features.parts import KINDS

ABOUT = {"architecture": "toy", "vocabulary": ["a"], "classes": ["a"], "fingerprint": "f" * 64}
WORDS = ("blue", "deep", "fox", "hen", "red", "sea")
TEXTS = [
    "Deep blue sea. A red fox! Hen?",
    "红 red。fox 狐狸！hen",
    "unknown words only",
    "!?",
    "Red.\nBlue.\nSea.\nFox.\nHen. Deep deep deep deep deep deep deep deep deep sea.",
]
SMALL = PartsConfig(PatchConfig(side=3, share=0.5), SentenceConfig(max_sentences=4))


@pytest.fixture
def image_encoder(tiny_network, settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ImageEncoder(settings.image(), ("blue", "green", "red"), Precision("float32"))


@pytest.fixture
def text_encoder(settings):
    vectors = np.random.default_rng(0).standard_normal((7, 6)).astype(np.float32)
    vectors[0] = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TextEncoder(settings.text(), ("blue", "green", "red"), Vocabulary(WORDS, vectors), 8)


@pytest.fixture
def encoder(request, kind):
    return request.getfixturevalue(f"{KINDS[kind].modality}_encoder")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def contents(squares, kind):
    if KINDS[kind].modality == "text":
        return TEXTS
    return [squares.manifest.image_path(item) for item in squares.manifest.items]


def parts_of(encoder, kind, contents, size=None, config=SMALL):
    made = parts_encoder(encoder.modality, kind)(encoder, config)
    part, mask = zip(*made.encode(contents, size), strict=True)
    return made, np.concatenate(part), None if mask[0] is None else np.concatenate(mask)


def pixels_of(path, box=None, side=37):
    """A picture resized by Pillow, and a piece of it resized to 32 pixels, normalised as torchvision's weights ask."""
    picture = Image.open(path).convert("RGB").resize((37, 37), Image.Resampling.BILINEAR)
    top, left = box or ((37 - side) // 2,) * 2
    piece = picture.crop((left, top, left + side, top + side)).resize((32, 32), Image.Resampling.BILINEAR)
    scaled = torch.from_numpy(np.asarray(piece).astype(np.float32) / 255)
    return ((scaled - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])).permute(2, 0, 1)[None]


@torch.no_grad()
def test_the_grid_is_the_networks_map_from_left_to_right_and_top_to_bottom(image_encoder, squares):
    paths = [squares.manifest.image_path(item) for item in squares.manifest.items]
    made, part, mask = parts_of(image_encoder, "grid", paths)
    network = image_encoder.network.eval()
    _, wide, rows, columns = network.features(torch.zeros(1, 3, 32, 32)).shape
    assert part.shape == (18, rows * columns, wide) == (18, *made.shape)
    assert made.settings == {"rows": rows, "columns": columns}
    assert mask is None
    for path, found in zip(paths, part, strict=True):
        expected = network.features(pixels_of(path, side=32))[0]
        for row in range(rows):
            for column in range(columns):
                np.testing.assert_allclose(
                    found[row * columns + column], expected[:, row, column], rtol=1e-3, atol=1e-3
                )


@torch.no_grad()
def test_patches_are_the_whole_picture_and_its_pieces(image_encoder, squares):
    paths = [squares.manifest.image_path(item) for item in squares.manifest.items]
    _, part, mask = parts_of(image_encoder, "patches", paths)
    network = image_encoder.network.eval()
    assert part.shape == (18, 10, image_encoder.dim)
    assert mask.dtype == np.bool_
    assert mask.all()
    corners = (0, 10, 19)  # pieces of 18 in a picture of 37
    boxes = [((0, 0), 37), *(((top, left), 18) for top in corners for left in corners)]
    for path, found in zip(paths, part, strict=True):
        for place, (box, side) in enumerate(boxes):
            grid = network.avgpool(network.features(pixels_of(path, box, side)))
            expected = network.classifier[:-1](grid.flatten(1))[0]
            np.testing.assert_allclose(found[place], expected, rtol=0.01, atol=0.01)  # Pillow rounds in between


@pytest.mark.parametrize(("side", "share", "count"), [(1, 1.0, 2), (1, 0.5, 2), (2, 0.3, 5), (4, 0.01, 17)])
def test_any_number_of_patches(image_encoder, squares, side, share, count):
    paths = [squares.manifest.image_path(item) for item in squares.manifest.items[:2]]
    _, part, _ = parts_of(image_encoder, "patches", paths, config=PartsConfig(patches=PatchConfig(side, share)))
    assert part.shape == (2, count, image_encoder.dim)
    if share == 1:
        np.testing.assert_allclose(part[:, 0], part[:, 1], rtol=1e-5, atol=1e-5)  # the piece is the whole
    else:
        assert not np.allclose(part[:, 0], part[:, 1])


def test_words_are_ids_into_the_table_of_vectors(text_encoder):
    made, part, mask = parts_of(text_encoder, "words", TEXTS)
    assert mask is None
    assert made.words == WORDS
    for text, found in zip(TEXTS, part, strict=True):
        ids = [WORDS.index(word) + 1 if word in WORDS else 0 for word in re.findall(r"\w+", text.lower())][:8]
        assert found.tolist() == ids + [0] * (8 - len(ids))
    ((_, inputs),) = text_encoder.open(TEXTS)(range(5), 5)
    assert np.array_equal(made.vectors[part], inputs.numpy())  # what the network reads


def test_sentences_are_features_of_single_sentences(text_encoder):
    expected = [
        ["Deep blue sea.", "A red fox!", "Hen?"],
        ["红 red。", "fox 狐狸！", "hen"],
        ["unknown words only"],
        ["!?"],
        ["Red.", "Blue.", "Sea.", "Fox. Hen. Deep deep deep deep deep deep deep deep deep sea."],
    ]
    _, part, mask = parts_of(text_encoder, "sentences", TEXTS)
    assert part.shape == (5, 4, text_encoder.dim)
    assert mask.sum(axis=1).tolist() == [3, 3, 1, 1, 4]
    for sentences, found, there in zip(expected, part, mask, strict=True):
        assert there.tolist() == [place < len(sentences) for place in range(4)]
        assert not found[~there].any()
        for sentence, row in zip(sentences, found[there], strict=True):
            ((alone, _),) = text_encoder.encode([sentence])
            np.testing.assert_allclose(row, alone[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1, 4])
def test_the_number_of_items_at_a_time_does_not_matter(encoder, kind, contents, size):
    _, part, mask = parts_of(encoder, kind, contents)
    _, other, other_mask = parts_of(encoder, kind, contents, size)
    np.testing.assert_allclose(part, other, rtol=1e-3, atol=1e-3)
    assert np.array_equal(mask, other_mask)


def test_the_file_has_a_row_for_each_item_of_the_modality(encoder, kind, squares, tmp_path):
    items = list(squares.manifest.items)
    items[4] = Item("text-only", "", "red fox", "red", "test")
    items[7] = Item("image-only", items[7].image, "", "blue", "val")
    manifest, told = Manifest(tuple(items), squares.manifest.folder), []
    made = parts_encoder(encoder.modality, kind)(encoder, SMALL)
    rate = encode_parts(made, ABOUT, manifest, tmp_path / "a.h5", lambda *each: told.append(each))
    found, expected = open_parts(tmp_path / "a.h5", verify=True), manifest.of(encoder.modality)
    assert len(expected) == 17
    assert found.id.tolist() == [item.id for item in expected]
    assert [found.classes[each] for each in found.label] == [item.label for item in expected]
    assert [("train", "val", "test")[each] for each in found.split] == [item.split for item in expected]
    contents = [item.text if encoder.modality == "text" else manifest.image_path(item) for item in expected]
    _, part, mask = parts_of(encoder, kind, contents)
    np.testing.assert_allclose(np.asarray(found.part, dtype=np.float64), part, rtol=1e-3, atol=1e-3)
    assert (found.mask is None) == (mask is None)
    assert told[-1] == (17, 17, "")
    assert rate > 0


def test_the_file_says_what_made_it(encoder, kind, squares, tmp_path):
    def attrs(name, about=ABOUT, config=SMALL):
        encode_parts(parts_encoder(encoder.modality, kind)(encoder, config), about, squares.manifest, tmp_path / name)
        return open_parts(tmp_path / name).attrs

    first = attrs("a.h5")
    assert (first["dataset"], first["modality"], first["kind"]) == ("squares", encoder.modality, kind)
    assert first["manifest_digest"] == squares.manifest.digest
    assert json.loads(first["encoder"]) == {"architecture": "toy", "fingerprint": "f" * 64}
    assert attrs("b.h5")["fingerprint"] == first["fingerprint"]
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert attrs("c.h5", ABOUT | {"fingerprint": "0" * 64})["fingerprint"] != first["fingerprint"]
    other = attrs("d.h5", config=PartsConfig(PatchConfig(2, 0.5), SentenceConfig(2)))
    assert (other["settings"] == first["settings"]) == (kind in ("grid", "words"))
    assert (other["fingerprint"] == first["fingerprint"]) == (kind in ("grid", "words"))


def test_a_broken_network_names_the_item_and_leaves_the_old_file(image_encoder, squares, tmp_path):
    out = tmp_path / "out" / "image.grid.h5"
    made = parts_encoder("image", "grid")(image_encoder, SMALL)
    encode_parts(made, ABOUT, squares.manifest, out)
    before = out.read_bytes()
    with torch.no_grad():
        image_encoder.network.features[0].bias.fill_(1e9)
    with pytest.raises(UserError, match="a part of 'item-0' is NaN, infinite or larger than float16 holds"):
        encode_parts(made, ABOUT, squares.manifest, out)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("kind", ["grid", "patches"])
def test_an_image_that_cannot_be_read_leaves_no_file(image_encoder, kind, squares, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"no picture")
    manifest = Manifest((Item("a", "images/a.png", "", "red", "train"),), tmp_path)
    with pytest.raises(DamagedFile, match=r"a\.png is not an image"):
        encode_parts(parts_encoder("image", kind)(image_encoder, SMALL), ABOUT, manifest, tmp_path / "out" / "a.h5")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("modality", "kind", "message"),
    [
        ("image", "grit", "parts of images: 'grit' is not known .did you mean 'grid'"),
        ("image", "sentences", "parts of images: 'sentences' is not known .there are: grid, patches"),
        ("text", "grid", "parts of texts: 'grid' is not known .there are: sentences, words"),
        ("picture", "grid", "modality: 'picture'"),
    ],
)
def test_an_unknown_kind(modality, kind, message):
    with pytest.raises(SettingError, match=message):
        parts_encoder(modality, kind)
