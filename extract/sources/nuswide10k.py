"""NUS-WIDE-10K (Feng et al. 2014), drawn from NUS-WIDE (Chua et al. 2009): Flickr photos with their tags, ten classes.

The ten classes are NUS-WIDE's ten largest concepts, or ten that the settings name; 1,000 photos are drawn for each
among those that carry just this one of the ten, have a tag, and are there. Lists and tags of all 269,648 photos are
read line by line, label files one at a time; what is held is a bit a photo and concept, and the candidates' names.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import numpy as np

from drsl.extract.sources.placing import Found, place_items
from drsl.extract.sources.public_layout import Part, PublicConfig, PublicLayout, text_of
from drsl.features.errors import DamagedFile, MissingFile, SettingError, did_you_mean, require
from drsl.features.exact_split import exact_split, seeded_order
from drsl.features.manifest import Item

__all__ = ["ATTRIBUTION", "LAYOUT", "NusWideConfig", "draw", "read_items", "write_nuswide10k"]

ATTRIBUTION = (
    "NUS-WIDE: T.-S. Chua, J. Tang, R. Hong, H. Li, Z. Luo, Y.-T. Zheng, NUS-WIDE: A Real-World Web Image Database "
    "from National University of Singapore, CIVR 2009. Its subset of 10,000: F. Feng, X. Wang, R. Li, Cross-modal "
    "Retrieval with Correspondence Autoencoder, ACM Multimedia 2014.\n"
)

LAYOUT = PublicLayout(
    title="NUS-WIDE-10K (Chua et al. 2009, Feng et al. 2014)",
    published=(
        "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
        "https://github.com/NExTplusplus/NUS-WIDE",
    ),
    terms="For research; photos are sent on request against a signed agreement, and belong to their Flickr authors.",
    tree="""\
Flickr/
    actor/                     photos in folders; a folder is where a photo was found, not its class
        0001_2124494179.jpg
ImageList/
    Imagelist.txt              269,648 lines: actor\\0001_2124494179.jpg
All_Tags.txt                   a line a photo: 2124494179, then its tags
Groundtruth/
    AllLabels/
        Labels_airport.txt     81 files, one a concept; 269,648 lines: 1 where the photo carries it, else 0
""",
    parts=(
        Part(("Flickr/",), "photos"),
        Part(("ImageList/Imagelist.txt", "Imagelist.txt"), "names of all photos"),
        Part(("All_Tags.txt", "NUS_WID_Tags/All_Tags.txt"), "tags of all photos"),
        Part(("Groundtruth/AllLabels/", "AllLabels/"), "concepts of all photos, a file a concept"),
    ),
    counts={"train": 8000, "val": 1000, "test": 1000},
)

CLASSES = 10
PER_CLASS = 1000

_LOG = logging.getLogger(__name__)
_LABELS = re.compile(r"Labels_(.+)\.txt")


@dataclass(frozen=True)
class NusWideConfig(PublicConfig):
    """Where the published files are, the seed of what is drawn, and the classes."""

    concepts: tuple[str, ...]
    """ten concepts of NUS-WIDE, or none: then the ten with the most photos"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            len(self.concepts) in (0, CLASSES) and len(set(self.concepts)) == len(self.concepts),
            f"concepts: {list(self.concepts)} must be {CLASSES} different concepts, or none for the largest",
        )


@dataclass(frozen=True)
class _Photo:
    name: str
    """path in the folder of photos"""
    id: str
    """its number on Flickr"""
    concept: str


def write_nuswide10k(
    folder: Path, config: NusWideConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Draws the photos and places them.

    Args:
        folder: the data set's folder, `data/NAME`; photos go to `images/<folder>/` in it.
        config: where the published files are, the seed of what is drawn, and the classes.
        on_progress: called with (items done, items in all).

    Returns:
        One item a photo, its number on Flickr as id, its tags as text.

    Raises:
        UserError: a file is missing or wrong, or too many photos are unusable.
    """
    found = read_items(config)
    return place_items(folder, found, max_reject_fraction=config.max_reject_fraction, on_progress=on_progress)


def read_items(config: NusWideConfig) -> list[Found]:
    """Reads concepts, names and tags, and draws the photos; they are not opened, but those not there are left out.

    What was left out, and concepts with fewer photos than wanted, are logged as warnings.

    Args:
        config: where the published files are, the seed of what is drawn, and the classes.

    Returns:
        The drawn photos in the order of the published list, with their split.

    Raises:
        MissingFile: a file is not there.
        DamagedFile: a file is wrong, or the files' numbers of lines differ.
        SettingError: a concept of the settings is unknown.
    """
    root = Path(config.path)
    pictures = LAYOUT.require(root, "Flickr/")
    names = LAYOUT.require(root, "ImageList/Imagelist.txt")
    tags = LAYOUT.require(root, "All_Tags.txt")
    carried = _read_concepts(LAYOUT.require(root, "Groundtruth/AllLabels/"), config.concepts)
    single = _single(carried)
    photos = list(_candidates(names, single, list(carried)))
    there = [photo for photo in photos if (pictures / photo.name).is_file()]
    wanted = {photo.id for photo in there}
    tagged = {number for number, _ in _tag_lines(tags, wanted)}
    usable = [photo for photo in there if photo.id in tagged]
    _LOG.warning(
        "%d of %d photos carry just one of %s; left out: %d that are not there, %d without a tag",
        *(len(photos), single.size, ", ".join(carried), len(photos) - len(there), len(there) - len(usable)),
    )
    split = draw({photo.id: photo.concept for photo in usable}, config.seed)
    _warn_of_few(Counter(photo.concept for photo in usable), carried)
    text = dict(_tag_lines(tags, set(split)))
    return [
        (Item(photo.id, f"images/{photo.name}", text[photo.id], photo.concept, split[photo.id]), pictures / photo.name)
        for photo in usable
        if photo.id in split
    ]


def draw(concept: Mapping[str, str], seed: int) -> dict[str, str]:
    """Draws 1,000 photos a concept and splits them.

    Args:
        concept: the concept of each usable photo, by id.
        seed: equal seeds draw equal photos.

    Returns:
        The split of each photo that was drawn: 800, 100 and 100 a concept, or in these proportions where there are
        fewer photos.
    """
    left: Counter[str] = Counter()
    drawn = []
    for number in seeded_order(concept, seed):
        left[concept[number]] += 1
        if left[concept[number]] <= PER_CLASS:
            drawn.append(number)
    split = exact_split(drawn, [concept[number] for number in drawn], LAYOUT.counts, seed)
    return dict(zip(drawn, split, strict=True))


def _read_concepts(folder: Path, named: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Which photos carry each of the ten concepts; the largest concept first unless they are named."""
    files = {found[1]: path for path in sorted(folder.iterdir()) if (found := _LABELS.fullmatch(path.name))}
    if not files:
        raise MissingFile(f"{folder} holds no file Labels_<concept>.txt; it comes with NUS-WIDE's ground truth")
    for name in named:
        if name not in files:
            raise SettingError(f"concepts: {folder} has no Labels_{name}.txt{did_you_mean(name, files)}")
    packed: dict[str, np.ndarray] = {}
    size: Counter[str] = Counter()
    lines = 0
    for name in named or files:
        carries = _read_bits(files[name])
        if packed and carries.size != lines:
            raise DamagedFile(f"{files[name]} has {carries.size} lines, but {next(iter(packed))} has {lines}")
        lines, size[name], packed[name] = carries.size, int(carries.sum()), np.packbits(carries)
    ten = named or sorted(size, key=lambda name: (-size[name], name))[:CLASSES]
    return {name: np.unpackbits(packed[name], count=lines) for name in ten}


def _read_bits(path: Path) -> np.ndarray:
    """A label file: one 0 or 1 a line."""
    try:
        digits = np.frombuffer(path.read_bytes().translate(None, b"\r\n \t"), np.uint8) - ord("0")
    except OSError as error:
        raise MissingFile(f"{path} cannot be read: {error.strerror}") from error
    if not digits.size or digits.max() > 1:
        raise DamagedFile(f"{path} must hold a 0 or a 1 in each line")
    return digits


def _single(carried: Mapping[str, np.ndarray]) -> np.ndarray:
    """Position of the concept of each photo that carries just one of them; -1 of the others."""
    stack = np.stack(list(carried.values()))
    return np.where(stack.sum(axis=0, dtype=np.uint8) == 1, stack.argmax(axis=0), -1)


def _candidates(path: Path, single: np.ndarray, concepts: list[str]) -> Iterator[_Photo]:
    """Photos that carry just one of the concepts, in the list's order."""
    seen: set[str] = set()
    with path.open("rb") as file:
        for line, (content, concept) in enumerate(zip_longest(file, single), start=1):
            if content is None or concept is None:
                if concept is None and not content.strip():
                    continue  # blank lines at the end
                count = line - 1 if content is None else f"more than {single.size}"
                raise DamagedFile(f"{path} has {count} lines, but the files of labels have {single.size}")
            if concept < 0:
                continue
            name = PurePosixPath(text_of(content).strip().replace("\\", "/"))
            number = name.stem.rpartition("_")[2]
            if len(name.parts) != 2 or ".." in name.parts or name.is_absolute() or not number.isdecimal():
                raise DamagedFile(f"{path} line {line}: {str(name)!r} must be like actor\\0001_2124494179.jpg")
            if number not in seen:  # a photo that was found twice is one photo
                seen.add(number)
                yield _Photo(str(name), number, concepts[concept])


def _tag_lines(path: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Number and tags of the wanted photos that have tags."""
    with path.open("rb") as file:
        for line in file:
            number, _, words = text_of(line).strip().replace("\t", " ").partition(" ")
            if words and number in wanted:
                yield number, " ".join(words.split())


def _warn_of_few(count: Mapping[str, int], carried: Mapping[str, np.ndarray]) -> None:
    few = [f"{name} {count.get(name, 0)}" for name in carried if count.get(name, 0) < PER_CLASS]
    if few:
        _LOG.warning(
            "fewer than %d photos remain for: %s; all of them are taken. The setting prepare.concepts may name others",
            *(PER_CLASS, ", ".join(few)),
        )
    if len(carried) < CLASSES:
        _LOG.warning("there are files of labels for %d concepts only; the paper has %d", len(carried), CLASSES)
