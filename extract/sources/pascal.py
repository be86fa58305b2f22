"""Pascal Sentence (Rashtchian et al. 2010): 1,000 photos of PASCAL VOC 2008 with about five sentences each, 20 classes.

Its page shows photos and sentences; two forms of them are in use, and both are read: photos in one folder a class with
all sentences in one JSON file, or with a text file of sentences beside each photo's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drsl.extract.sources.captions import CAPTIONS, expand_captions
from drsl.extract.sources.placing import Found, Reject, place_items
from drsl.extract.sources.public_layout import Part, PublicConfig, PublicLayout, read_lines, reason_of, text_of
from drsl.features.errors import DamagedFile, MissingFile, choose
from drsl.features.exact_split import exact_split
from drsl.features.items import first_repeated
from drsl.features.manifest import Item

__all__ = ["ATTRIBUTION", "LAYOUT", "PascalConfig", "read_items", "write_pascal"]

ATTRIBUTION = (
    "Pascal Sentence: C. Rashtchian, P. Young, M. Hodosh, J. Hockenmaier, Collecting Image Annotations Using Amazon's "
    "Mechanical Turk, NAACL-HLT 2010 Workshop. Photos: PASCAL VOC 2008, from Flickr.\n"
)

_JSON = "pascal_sentences.json"

LAYOUT = PublicLayout(
    title="Pascal Sentence (Rashtchian et al. 2010)",
    published=("http://vision.cs.uiuc.edu/pascal-sentences/",),
    terms="No licence is named; the photos are from Flickr, by way of PASCAL VOC 2008, under its terms of use.",
    tree="""\
dataset/                       photos; the class folders may also stand right here, without dataset/
    aeroplane/                 one folder a class, 50 photos each
        2008_000716.jpg
pascal_sentences.json          {"2008_000716.jpg": {"category": "aeroplane", "captions": ["...", ...]}, ...}
    or, instead of the JSON file,
sentence/
    aeroplane/
        2008_000716.txt        the photo's sentences, one a line
""",
    parts=(
        Part(("dataset/", "aeroplane/"), "photos, one folder a class"),
        Part((_JSON, "sentence/"), "sentences, as one JSON file or as a text file a photo"),
    ),
    counts={"train": 800, "val": 100, "test": 100},
)

_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class PascalConfig(PublicConfig):
    """Where the published files are, their random split, and what becomes of an image's sentences."""

    captions: str
    """`together`: an image and all its sentences are one item; `each`: every sentence is an item"""

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("captions", self.captions, CAPTIONS)


@dataclass(frozen=True)
class _Photo:
    label: str
    picture: Path
    sentences: tuple[str, ...]
    at: Path
    """where the sentences are"""
    fault: str = ""
    """why there are none"""


def write_pascal(
    folder: Path, config: PascalConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Lists photos with their sentences and places the photos.

    Args:
        folder: the data set's folder, `data/NAME`; photos go to `images/<class>/` in it.
        config: where the published files are, the seed of the split, and what becomes of sentences.
        on_progress: called with (items done, items in all).

    Returns:
        One item a photo, its name without ending as id; or one a sentence, `#1` and so on behind that id.

    Raises:
        UserError: photos or sentences are missing, the JSON file is wrong, or too many items are unusable.
    """
    found = read_items(config)
    return place_items(folder, found, max_reject_fraction=config.max_reject_fraction, on_progress=on_progress)


def read_items(config: PascalConfig) -> list[Found]:
    """Reads sentences; photos are only named.

    Args:
        config: where the published files are, the seed of the split, and what becomes of sentences.

    Returns:
        Items sorted by class and name; all sentences of a photo are in one split.

    Raises:
        MissingFile: photos or sentences are not there.
        DamagedFile: the JSON file is wrong, or a photo's name occurs in two classes.
    """
    root = Path(config.path)
    source = LAYOUT.require(root, _JSON)
    # Where there is no folder of that name, the class folders lie in the data set's folder itself.
    pictures = LAYOUT.require(root, "dataset/")
    pictures = pictures if pictures.name == "dataset" else root
    photos = _from_json(source, pictures) if source.is_file() else _from_text_files(source, pictures)
    named = sorted(((photo.label, photo.picture.stem, photo) for photo in photos), key=lambda each: each[:2])
    ids = [name for _, name, _ in named]
    if (twice := first_repeated(sorted(ids))) is not None:
        raise DamagedFile(f"{source}: photo {twice!r} occurs twice; each name must stand in one class")
    split = exact_split(ids, [label for label, _, _ in named], LAYOUT.counts, config.seed)
    return [
        each
        for (_, name, photo), part in zip(named, split, strict=True)
        for each in _items(name, photo, part, config.captions)
    ]


def _items(name: str, photo: _Photo, split: str, captions: str) -> Iterator[Found]:
    if not photo.sentences:
        yield Reject(name, str(photo.at), photo.fault or "holds no sentence")
        return
    image = f"images/{photo.label}/{photo.picture.name}"
    item = Item(name, image, "\n".join(photo.sentences), photo.label, split)
    yield from expand_captions(item, photo.picture, captions)


def _from_json(path: Path, pictures: Path) -> Iterator[_Photo]:
    try:
        content = json.loads(text_of(path.read_bytes()))
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise DamagedFile(f"{path} must map names of photos to their category and captions")
    for name, about in content.items():
        label, captions = (about.get("category"), about.get("captions")) if isinstance(about, dict) else (None, None)
        right = isinstance(label, str) and isinstance(captions, list) and all(isinstance(one, str) for one in captions)
        if not right or not _plain(name) or not _plain(str(label)):
            raise DamagedFile(
                f'{path}: the entry of {name!r} must be {{"category": "...", "captions": ["...", ...]}}, '
                "with names of files and folders, not paths"
            )
        picture = pictures / str(label) / (name if Path(name).suffix.lower() in _PICTURES else f"{name}.jpg")
        yield _Photo(str(label), picture, _tidy(captions or ()), path)


def _from_text_files(folder: Path, pictures: Path) -> Iterator[_Photo]:
    """Photos that have a text file of sentences, and those that should have one."""
    texts = {(path.parent.name, path.stem): path for path in folder.glob("*/*.txt")}
    found = (path for path in pictures.glob("*/*") if path.suffix.lower() in _PICTURES)
    files = {(path.parent.name, path.stem): path for path in found}
    if not texts:
        raise MissingFile(f"{folder} holds no file <class>/<photo>.txt with a photo's sentences")
    for label, stem in sorted(texts.keys() | files.keys()):
        picture = files.get((label, stem), pictures / label / f"{stem}.jpg")
        text = texts.get((label, stem), folder / label / f"{stem}.txt")
        try:
            yield _Photo(label, picture, _tidy(read_lines(text)), text)
        except (MissingFile, DamagedFile) as error:
            fault = str(error).removeprefix(f"{text} ") if text.is_file() else "is not there"
            yield _Photo(label, picture, (), text, fault)


def _plain(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not {"/", "\\", "\0"} & set(name)


def _tidy(sentences: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Sentences without the blanks around and the line breaks in them, less the empty ones."""
    return tuple(text for each in sentences if (text := " ".join(each.replace("\0", "").split())))
