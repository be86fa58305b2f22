"""PKU XMediaNet (Peng et al. 2018), images and texts only: 40,000 pairs in 200 classes.

The data set is handed out on request, so its layout is taken from the code of its authors: `img_train_list.txt` and
`txt_train_list.txt` name a file and a class number from 1 in each line, line k of the one belongs with line k of the
other, and there are 32,000 lines; the lists of the test part are alike and have 8,000 lines. Images and texts lie in
one folder a class. The paper's 4,000 for validation are taken from `img_val_list.txt` and `txt_val_list.txt` where
there are such lists, else half of the test part is, class by class, by a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from drsl.extract.sources.placing import Found, Reject, place_items
from drsl.extract.sources.public_layout import Part, PublicConfig, PublicLayout, read_lines, reason_of, text_of
from drsl.features.errors import DamagedFile
from drsl.features.exact_split import exact_split
from drsl.features.items import first_repeated
from drsl.features.manifest import Item

__all__ = ["ATTRIBUTION", "LAYOUT", "read_items", "write_xmedianet"]

ATTRIBUTION = (
    "PKU XMediaNet: Y. Peng, X. Huang, Y. Zhao, An Overview of Cross-media Retrieval: Concepts, Methodologies, "
    "Benchmarks and Challenges, IEEE TCSVT 2018. Texts from Wikipedia, images from Flickr.\n"
)

LAYOUT = PublicLayout(
    title="PKU XMediaNet, images and texts (Peng et al. 2018)",
    published=("http://59.108.48.34/tiki/XMediaNet/", "https://www.icst.pku.edu.cn/mipl/lwsjjxz/dataset"),
    terms="For research; it is handed out on request.",
    tree="""\
img_train_list.txt             32,000 lines: accordion/accordion_1.jpg 1   (image, class number from 1)
txt_train_list.txt             32,000 lines: accordion/accordion_1.txt 1   (that image's text)
img_val_list.txt               4,000 lines; without the two val lists, half of the test part is taken for validation
txt_val_list.txt
img_test_list.txt              4,000 lines, or 8,000 without val lists
txt_test_list.txt
image/
    accordion/                 one folder a class, 200 in all
        accordion_1.jpg
text/
    accordion/
        accordion_1.txt        a paragraph
""",
    parts=(
        Part(("img_train_list.txt", "list/img_train_list.txt"), "names of the training images with their classes"),
        Part(("txt_train_list.txt", "list/txt_train_list.txt"), "names of the training texts with their classes"),
        Part(("img_val_list.txt", "list/img_val_list.txt"), "the same for validation", needed=False),
        Part(("txt_val_list.txt", "list/txt_val_list.txt"), "the same for validation", needed=False),
        Part(("img_test_list.txt", "list/img_test_list.txt"), "the same for the test"),
        Part(("txt_test_list.txt", "list/txt_test_list.txt"), "the same for the test"),
        Part(("image/", "img/", "images/"), "images, one folder a class"),
        Part(("text/", "txt/", "texts/"), "texts, one folder a class"),
    ),
    counts={"train": 32000, "val": 4000, "test": 4000},
)


@dataclass(frozen=True)
class _Pair:
    id: str
    label: str
    image: str
    """path in the folder of images"""
    text: str
    """path in the folder of texts"""


def write_xmedianet(
    folder: Path, config: PublicConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Lists the pairs and places their images.

    Args:
        folder: the data set's folder, `data/NAME`; images go to `images/<class>/` in it.
        config: where the published files are, and the seed of val where there is no list of it.
        on_progress: called with (items done, items in all).

    Returns:
        One item a pair; class and name of its image are its id.

    Raises:
        UserError: a list is missing or wrong, or too many pairs are unusable.
    """
    found = read_items(config)
    return place_items(folder, found, max_reject_fraction=config.max_reject_fraction, on_progress=on_progress)


def read_items(config: PublicConfig) -> list[Found]:
    """Reads lists and texts; images are only named.

    Args:
        config: where the published files are, and the seed of val where there is no list of it.

    Returns:
        The pairs in the lists' order: train, val where there is a list of it, test.

    Raises:
        MissingFile: a list or a folder is not there.
        DamagedFile: a list's line is wrong, or the two lists of a split do not match.
    """
    root = Path(config.path)
    images, texts = LAYOUT.require(root, "image/"), LAYOUT.require(root, "text/")
    number_of: dict[str, str] = {}
    has_val = any(LAYOUT.part(f"{kind}_val_list.txt").find(root) for kind in ("img", "txt"))
    splits = ("train", "val", "test") if has_val else ("train", "test")
    pairs = {split: _read_pairs(root, split, images.name, texts.name, number_of) for split in splits}
    if (twice := first_repeated(pair.id for part in pairs.values() for pair in part)) is not None:
        raise DamagedFile(f"{root}: the lists name image {twice!r} twice; get the original lists again")
    split = {pair.id: name for name, part in pairs.items() for pair in part}
    if not has_val:
        sizes = {name: LAYOUT.counts[name] for name in ("test", "val")}
        ids, label = [pair.id for pair in pairs["test"]], [pair.label for pair in pairs["test"]]
        split |= dict(zip(ids, exact_split(ids, label, sizes, config.seed), strict=True))
    return [_item(images, texts, pair, split[pair.id]) for part in pairs.values() for pair in part]


def _item(images: Path, texts: Path, pair: _Pair, split: str) -> Found:
    path = texts / pair.text
    try:
        words = " ".join(text_of(path.read_bytes()).split())
    except OSError as error:
        return Reject(pair.id, str(path), reason_of(error))
    if not words:
        return Reject(pair.id, str(path), "is empty")
    return Item(pair.id, f"images/{pair.image}", words, pair.label, split), images / pair.image


def _read_pairs(root: Path, split: str, images: str, texts: str, number_of: dict[str, str]) -> list[_Pair]:
    paths = [LAYOUT.require(root, f"{kind}_{split}_list.txt") for kind in ("img", "txt")]
    image, text = (_read_list(path, folder, number_of) for path, folder in zip(paths, (images, texts), strict=True))
    if len(image) != len(text):
        raise DamagedFile(f"{paths[0]} has {len(image)} lines, but {paths[1]} has {len(text)}; they go together")
    pairs = []
    for number, (one, other) in enumerate(zip(image, text, strict=True), start=1):
        if one.parts[0] != other.parts[0]:
            raise DamagedFile(
                f"line {number}: {paths[0]} names class {one.parts[0]!r}, {paths[1]} class {other.parts[0]!r}; line k "
                "of the one belongs with line k of the other"
            )
        pairs.append(_Pair(str(one.with_suffix("")), one.parts[0], str(one), str(other)))
    return pairs


def _read_list(path: Path, folder: str, number_of: dict[str, str]) -> list[PurePosixPath]:
    """Files below the folder of images or texts, the first part of each is its class."""
    files = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line:
            continue
        name, _, kind = line.replace("\t", " ").rpartition(" ")
        file = PurePosixPath(name.strip().replace("\\", "/"))
        if file.parts[:1] == (folder,):
            file = file.relative_to(folder)
        where = f"{path} line {number}"
        if not kind.isdecimal() or len(file.parts) != 2 or ".." in file.parts or file.is_absolute():
            raise DamagedFile(f"{where}: {line!r} must be a class folder, a file in it, and the class number")
        label = file.parts[0]
        if number_of.setdefault(label, kind) != kind:
            raise DamagedFile(f"{where}: class {label!r} has number {kind}, but {number_of[label]} before")
        files.append(file)
    names = {kind: label for label, kind in number_of.items()}
    if len(names) < len(number_of):
        twice = next(label for label, kind in number_of.items() if names[kind] != label)
        raise DamagedFile(
            f"{path}: classes {twice!r} and {names[number_of[twice]]!r} have the same number {number_of[twice]}"
        )
    return files
