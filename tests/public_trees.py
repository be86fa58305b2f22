"""Small folders in the layouts of the public data sets: five classes, six pairs each, unless a test asks for more."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("aeroplane", "bird", "cow", "dog", "sofa")
COLORS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200))
WORDS = {"aeroplane": "wing", "bird": "feather", "cow": "meadow", "dog": "bone", "sofa": "cushion"}


def draw(path: Path, color: tuple[int, int, int] = (90, 90, 90), side: int = 40, seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 50, (side, side, 3)) + np.array(color)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def _pairs(count: int) -> Iterable[tuple[str, tuple[int, int, int], int]]:
    """Class, colour and number of each pair."""
    return [(name, color, n) for name, color in zip(CLASSES, COLORS, strict=True) for n in range(count)]


def article(words: str) -> str:
    """A file as Wikipedia's: entities that XML does not know, a stray ampersand, tags inside the text."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<article>\n<name>A page</name>\n<text>\n'
        f"{words} caf&eacute; R&D <i>in</i> &quot;1&nbsp;900&quot;\n</text>\n</article>\n"
    )


def wikipedia(root: Path, count: int = 6, test: int = 3) -> None:
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for name, color, n in _pairs(count):
        stem = f"{CLASSES.index(name)}{n:031x}"
        lists["test" if n >= count - test else "train"].append(f"{stem}-1\t{stem}\t{CLASSES.index(name) + 1}")
        draw(root / "images" / name / f"{stem}.jpg", color, seed=n)
        write(root / "texts" / f"{stem}-1.xml", article(f"The {name} and its {WORDS[name]}."))
    for part, lines in lists.items():
        write(root / f"{part}set_txt_img_cat.list", "\n".join(lines) + "\n")
    write(root / "categories.list", "\n".join(CLASSES) + "\n")


def pascal(root: Path, count: int = 6, form: str = "json", folder: str = "dataset") -> None:
    entries = {}
    for name, color, n in _pairs(count):
        stem = f"2008_{CLASSES.index(name)}{n:05}"
        draw(root / folder / name / f"{stem}.jpg", color, seed=n)
        sentences = [f"A {name} with a {WORDS[name]}.", *(f"Photo {k} of a {name}" for k in range(4))]
        entries[f"{stem}.jpg"] = {"category": name, "captions": sentences}
        if form == "text":
            write(root / "sentence" / name / f"{stem}.txt", "\n".join(sentences) + "\n")
    if form == "json":
        write(root / "pascal_sentences.json", json.dumps(entries))


def nuswide10k(root: Path, count: int = 6) -> None:
    names, tags, labels = [], [], {name: [] for name in CLASSES}
    for number, (name, color, n) in enumerate(_pairs(count)):
        flickr = 2_124_494_000 + number
        names.append(f"folder{n % 2}\\{n:04}_{flickr}.jpg")
        tags.append(f"{flickr}      {name} {WORDS[name]} nikon  d50")
        for other, column in labels.items():
            column.append(int(other == name))
        draw(root / "Flickr" / f"folder{n % 2}" / f"{n:04}_{flickr}.jpg", color, seed=n)
    write(root / "ImageList" / "Imagelist.txt", "\r\n".join(names) + "\r\n")
    write(root / "All_Tags.txt", "\n".join(tags) + "\n")
    for name, column in labels.items():
        write(root / "Groundtruth" / "AllLabels" / f"Labels_{name}.txt", "".join(f"{each}\n" for each in column))


def xmedianet(root: Path, count: int = 6, test: int = 2, val: int = 0) -> None:
    lists: dict[str, list[str]] = {}
    for name, color, n in _pairs(count):
        split = "test" if n >= count - test else "val" if n >= count - test - val else "train"
        for kind, ending in (("img", "jpg"), ("txt", "txt")):
            line = f"{name}/{name}_{n}.{ending} {CLASSES.index(name) + 1}"
            lists.setdefault(f"{kind}_{split}_list.txt", []).append(line)
        draw(root / "image" / name / f"{name}_{n}.jpg", color, seed=n)
        write(root / "text" / name / f"{name}_{n}.txt", f"A paragraph of the {name}.\nIt has a {WORDS[name]}.\n")
    for name, lines in lists.items():
        write(root / name, "\n".join(lines) + "\n")


TREES: dict[str, Callable[[Path], None]] = {
    "wikipedia": wikipedia,
    "pascal": pascal,
    "nuswide10k": nuswide10k,
    "xmedianet": xmedianet,
}
