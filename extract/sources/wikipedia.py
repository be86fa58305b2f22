"""The Wikipedia articles of Rasiwasia et al. (2010): a photo and the text of its article section, ten classes.

The public lists name 2,173 training and 693 test pairs; the paper takes 231 of the latter for validation, and so does
the seeded split here, class by class.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from drsl.extract.sources.placing import Found, Reject, place_items
from drsl.extract.sources.public_layout import Part, PublicConfig, PublicLayout, read_lines, reason_of, text_of
from drsl.features.errors import DamagedFile
from drsl.features.exact_split import exact_split
from drsl.features.items import first_repeated
from drsl.features.manifest import Item

__all__ = ["ATTRIBUTION", "LAYOUT", "read_items", "section_text", "write_wikipedia"]

ATTRIBUTION = (
    "Wikipedia featured articles: N. Rasiwasia, J. Costa Pereira, E. Coviello, G. Doyle, G. R. G. Lanckriet, R. Levy, "
    "N. Vasconcelos, A New Approach to Cross-Modal Multimedia Retrieval, ACM Multimedia 2010.\n"
)

_LISTS = {"train": "trainset_txt_img_cat.list", "test": "testset_txt_img_cat.list"}

LAYOUT = PublicLayout(
    title="Wikipedia articles (Rasiwasia et al. 2010)",
    published=("http://www.svcl.ucsd.edu/projects/crossmodal/",),
    terms="No licence is named; texts and photos are from Wikipedia and carry their authors' own terms.",
    tree="""\
trainset_txt_img_cat.list      2,173 lines: text's name, image's name, class number 1..10, parted by tabs
testset_txt_img_cat.list       693 lines of the same kind
categories.list                ten class names, one a line, in the order of their numbers
images/
    art/                       one folder a class
        0ab41...c5.jpg
texts/
    0ab41...c5-2.xml           the section's text between <text> and </text>
""",
    parts=(
        Part((_LISTS["train"],), "names of the training pairs with their classes"),
        Part((_LISTS["test"],), "names of the test pairs with their classes"),
        Part(("categories.list",), "class names"),
        Part(("images/",), "photos, one folder a class"),
        Part(("texts/",), "texts as XML files"),
    ),
    counts={"train": 2173, "val": 231, "test": 462},
)

_SECTION = re.compile(r"<text\b[^>]*>(.*?)</text\s*>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"<!--.*?-->|<!\[CDATA\[|\]\]>|</?[a-z][^<>]*>", re.DOTALL | re.IGNORECASE)


def write_wikipedia(
    folder: Path, config: PublicConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Lists the pairs and places their photos.

    Args:
        folder: the data set's folder, `data/NAME`; photos go to `images/<class>/` in it.
        config: where the published files are, and the seed of val and test.
        on_progress: called with (items done, items in all).

    Returns:
        One item a pair; the text's name is its id.

    Raises:
        UserError: a list is missing or wrong, or too many pairs are unusable.
    """
    found = read_items(config)
    return place_items(folder, found, max_reject_fraction=config.max_reject_fraction, on_progress=on_progress)


def read_items(config: PublicConfig) -> list[Found]:
    """Reads lists and texts; photos are only named.

    Args:
        config: where the published files are, and the seed of val and test.

    Returns:
        The pairs in the lists' order, training pairs first.

    Raises:
        MissingFile: a list or a folder is not there.
        DamagedFile: a list's line is wrong, or a name occurs twice.
    """
    root = Path(config.path)
    classes = [name for name in read_lines(LAYOUT.require(root, "categories.list")) if name]
    images, texts = LAYOUT.require(root, "images/"), LAYOUT.require(root, "texts/")
    pairs = {split: _read_list(LAYOUT.require(root, name), classes) for split, name in _LISTS.items()}
    ids = [text for part in pairs.values() for text, _, _ in part]
    if (twice := first_repeated(ids)) is not None:
        raise DamagedFile(f"{root}: the lists name text {twice!r} twice; get the original lists again")
    sizes = {split: LAYOUT.counts[split] for split in ("test", "val")}
    test = exact_split(
        [text for text, _, _ in pairs["test"]], [name for _, _, name in pairs["test"]], sizes, config.seed
    )
    split = ["train"] * len(pairs["train"]) + test
    return [_item(images, texts, *pair, part) for pair, part in zip(pairs["train"] + pairs["test"], split, strict=True)]


def section_text(content: bytes) -> str:
    """Takes the section's text out of an article's XML file.

    The published files hold stray ampersands and HTML entities, which no XML parser accepts. So none is used: what
    stands between the tags is taken as it is, further tags are dropped, character references are resolved. Entities
    that a file defines itself are not, and nothing outside the file is read.

    Args:
        content: the file's bytes.

    Returns:
        The text, with single blanks between its words; empty when the section is.

    Raises:
        DamagedFile: there is no `<text>`, or it does not end; the message is the reason alone.

    >>> section_text(b"<page><text>Cats &amp; dogs, <i>R&D</i></text></page>")
    'Cats & dogs, R&D'
    """
    text = text_of(content)
    sections = _SECTION.findall(text)
    if not sections:
        cut = re.search(r"<text\b", text, re.IGNORECASE)
        raise DamagedFile("its <text> does not end, it was cut short" if cut else "it holds no <text>")
    return " ".join(html.unescape(_MARKUP.sub(" ", " ".join(sections))).split())


def _item(images: Path, texts: Path, text: str, image: str, name: str, split: str) -> Found:
    path = texts / f"{text}.xml"
    try:
        words = section_text(path.read_bytes())
    except DamagedFile as error:
        return Reject(text, str(path), str(error))
    except OSError as error:
        return Reject(text, str(path), reason_of(error))
    if not words:
        return Reject(text, str(path), "its text is empty")
    return Item(text, f"images/{name}/{image}.jpg", words, name, split), images / name / f"{image}.jpg"


def _read_list(path: Path, classes: list[str]) -> list[tuple[str, str, str]]:
    """Text's name, image's name and class name of each line."""
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line:
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        where = f"{path} line {number}"
        if len(cells) != 3 or not all(cells):
            raise DamagedFile(f"{where}: {line!r} must be text's name, image's name and class number, parted by tabs")
        text, image, kind = (cell.strip() for cell in cells)
        if not kind.isdecimal() or not 1 <= int(kind) <= len(classes):
            raise DamagedFile(f"{where}: class {kind!r} is not one of the {len(classes)} of categories.list")
        if {"/", "\\"} & set(text + image):
            raise DamagedFile(f"{where}: {line!r} names a path, but names of files without folders are expected")
        pairs.append((text, image, classes[int(kind) - 1]))
    return pairs
