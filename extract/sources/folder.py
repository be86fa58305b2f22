"""One's own data as a folder tree: one folder a class, image files beside `.txt` files of the same stem."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drsl.extract.sources.captions import expand_captions
from drsl.extract.sources.own_data import ATTRIBUTION, OwnDataConfig, write_own_data
from drsl.extract.sources.placing import IMAGES, Found, Reject
from drsl.features.errors import DamagedFile, MissingFile
from drsl.features.manifest import Item

__all__ = ["ATTRIBUTION", "IMAGE_ENDINGS", "read_folder", "write_folder"]

IMAGE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .bmp .webp .tif .tiff .avif .jp2 .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
"""Endings of image files, in any case; what a file is in truth its content says."""
_TEXT_ENDING = ".txt"


def write_folder(
    folder: Path, config: OwnDataConfig, on_progress: Callable[[int, int], None] | None = None
) -> Sequence[Item]:
    """Lists the items of a folder tree and places their pictures.

    Args:
        folder: the data set's folder.
        config: where the tree is, and how its files become items.
        on_progress: called with (items done, 0).

    Returns:
        The items by class and name.

    Raises:
        UserError: the tree cannot be read, too many files are unusable, or classes or splits lack what they need.
    """
    return write_own_data(read_folder, folder, config, on_progress)


def read_folder(config: OwnDataConfig, family: dict[str, str]) -> Iterator[Found]:
    """Walks a folder tree in the order of names. The folders in it are the classes, whatever lies deeper.

    Args:
        config: where the tree is.
        family: is given the item that captions come from, so that those of one item get the same split.

    Yields:
        An item for each image, text, or couple of the same stem in one folder; id is its path without ending, and its
        split is empty. Hidden files are passed over; other kinds of files come as rejects without an id.

    Raises:
        MissingFile: there is no such folder, or it cannot be read.
        DamagedFile: it holds no folder.
    """
    root = Path(config.path)
    try:
        entries = _entries(root)
    except OSError as error:
        raise MissingFile(f"{root} cannot be read as a folder: {error.strerror or error}") from None
    if not any(_is_folder(entry) for entry in entries):
        raise DamagedFile(f"{root} holds no folder: make one folder a class, with its images and texts in it")
    nothing = True
    for entry in entries:
        if not _is_folder(entry):
            yield Reject("", entry.path, "lies outside the class folders")
            continue
        empty = True
        for each in _walk(Path(entry.path), (_identity(root),)):
            found = [each] if isinstance(each, Reject) else _found(root, entry.name, each, config, family)
            for one in found:
                empty = nothing = False
                yield one
        if empty:
            yield Reject("", entry.path, "holds no image and no text")
    if nothing:
        raise DamagedFile(f"{root}: its folders hold no image and no text")


@dataclass(frozen=True)
class _Files:
    """The files of one stem in one folder."""

    folder: Path
    stem: str
    names: list[str]


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[_Files | Reject]:
    try:
        here = _identity(folder)
        entries = _entries(folder)
    except OSError as error:
        yield Reject("", str(folder), f"cannot be read: {error.strerror or error}")
        return
    if here in above:  # by a symbolic link
        yield Reject("", str(folder), "leads back to a folder above it")
        return
    stems: dict[str, list[str]] = {}
    for entry in entries:
        if not _is_folder(entry):
            # A Mac parts accents from letters in some names and not in others.
            stem = unicodedata.normalize("NFC", Path(entry.name).stem)
            stems.setdefault(stem, []).append(entry.name)
    for stem in sorted(stems):
        yield _Files(folder, stem, stems[stem])
    for entry in entries:
        if _is_folder(entry):
            yield from _walk(Path(entry.path), (*above, here))


def _found(root: Path, label: str, files: _Files, config: OwnDataConfig, family: dict[str, str]) -> Iterator[Found]:
    name = (files.folder / files.stem).relative_to(root).as_posix()
    images: list[Path] = []
    texts: list[Path] = []
    for each in files.names:
        path = files.folder / each
        ending = path.suffix.lower()
        if ending not in IMAGE_ENDINGS and ending != _TEXT_ENDING:
            yield Reject("", str(path), f"is of another kind ({ending or 'no ending'})")
            continue
        kin = texts if ending == _TEXT_ENDING else images
        kin.append(path)
        if len(kin) > 1:
            yield Reject(f"{name}{path.suffix}", str(path), f"has the same name as {kin[0].name}, which was taken")
    if not images and not texts:
        return
    text = _read_text(texts[0]) if texts else ""
    if isinstance(text, _Fault):
        yield Reject(name, str(texts[0]), text.reason)
    elif not images and not text.strip():
        yield Reject(name, str(texts[0]), "text is empty")
    else:
        original = images[0] if images else None
        wanted = f"{IMAGES}/{original.relative_to(root).as_posix()}" if original else ""
        for item, picture in expand_captions(Item(name, wanted, text, label, ""), original, config.captions):
            if item.id != name:
                family[item.id] = name
            yield item, picture


@dataclass(frozen=True)
class _Fault:
    reason: str


def _read_text(path: Path) -> str | _Fault:
    if path.exists() and not path.is_file():
        return _Fault("is not a regular file")
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else f"not UTF-8 (byte {error.start})"
        return _Fault(f"text is {kind}; save it as UTF-8")
    except OSError as error:
        return _Fault(f"text cannot be read: {error.strerror or error}")
    return _Fault("text holds a NUL byte") if "\0" in text else text


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without hidden files."""
    with os.scandir(folder) as found:
        return sorted((each for each in found if not each.name.startswith(".")), key=lambda each: each.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
