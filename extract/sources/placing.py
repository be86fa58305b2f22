"""Puts the pictures of a source that reads files into the data set's folder, each checked, and lists the rejects."""

from __future__ import annotations

import os
import shutil
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from drsl.extract.pictures import read_picture
from drsl.extract.sources.item_spool import ItemSpool
from drsl.features.atomic import publish_folder, write_text
from drsl.features.csv_text import csv_text
from drsl.features.errors import UserError, require
from drsl.features.manifest import Item
from drsl.features.threads import core_count

__all__ = [
    "IMAGES",
    "REJECTS",
    "Found",
    "Reject",
    "check_items",
    "check_reject_fraction",
    "fault_of_picture",
    "place_items",
    "refuse_too_many",
]

IMAGES = "images"
"""Name of the folder of pictures in the data set's folder."""
REJECTS = "rejects.csv"
"""Name of the list of rejects in the data set's folder."""
_AHEAD = 8
"""Pictures a thread that wait to be decoded; what waits are paths, so this bounds nothing but a queue."""


@dataclass(frozen=True)
class Reject:
    """An item that is left out, and why. Or a file that belongs to no item: listed, but not counted as an item."""

    id: str
    """the item's id; empty for a file that belongs to no item"""
    path: str
    """the file at fault; empty when it is no file's fault"""
    reason: str
    """what is wrong with it, one line"""


Found = tuple[Item, Path | None] | Reject
"""What a source finds: an item with its picture's original, an item of text alone, or what it has to reject itself."""


def check_reject_fraction(value: float) -> None:
    """Checks the setting `max_reject_fraction`; for a source's settings.

    Args:
        value: the share of items that may be rejected.

    Raises:
        SettingError: it is not in 0..1.
    """
    require(0 <= value <= 1, f"max_reject_fraction: {value} must be from 0 to 1")


def place_items(
    folder: Path,
    found: Iterable[Found],
    *,
    max_reject_fraction: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> ItemSpool:
    """Copies the pictures of items into the data set's folder; items that cannot be used are listed and left out.

    A picture is decoded whole before it is taken. The folder `images` is replaced as a whole, at the end. Originals
    are copied, never linked: DVC may move a data set's files to its cache and make them read-only.

    Args:
        folder: the data set's folder, `data/NAME`.
        found: the items in order. The image of an item is the name it shall have, `images/...`, and its path is the
            original file; several items may share a name if they share the file. None stands beside items without
            image. A `Reject` is listed among the others.
        max_reject_fraction: the share of items that may be rejected.
        on_progress: called with (items done, items in all); in all 0 when `found` does not know its length.

    Returns:
        The items that are kept, in order; their texts are not held in memory. `rejects.csv` in the folder has a line
        for each of the others.

    Raises:
        SettingError: the fraction is not in 0..1.
        UserError: more than the allowed share is rejected (the folder `images` is then as it was), none is left, two
            files would get one name, a name leads out of the folder, or a file cannot be written.
    """
    check_reject_fraction(max_reject_fraction)
    total = len(found) if isinstance(found, Sized) else 0
    rejects: list[Reject] = []
    present = (folder / IMAGES).resolve()
    with publish_folder(folder / IMAGES) as images:
        kept = ItemSpool(folder)

        def take(path: Path, name: str) -> str | None:
            fault = fault_of_picture(path)
            if fault is None:
                if path.resolve().is_relative_to(present):
                    raise UserError(f"{path} lies in {folder / IMAGES}, which is made anew: keep originals elsewhere")
                target = images / PurePosixPath(name).relative_to(IMAGES)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            return fault

        for done, each in enumerate(_settled(found, take), start=1):
            if isinstance(each, Reject):
                rejects.append(each)
            else:
                kept.append(each)
            if on_progress:
                on_progress(done, total)
        _write_rejects(folder / REJECTS, rejects)
        refuse_too_many(rejects, len(kept), max_reject_fraction, f"all are listed in {folder / REJECTS}")
    return kept


def check_items(
    found: Iterable[Found], on_progress: Callable[[int, int], None] | None = None
) -> Iterator[Item | Reject]:
    """Decides as `place_items` does which items are kept, and writes nothing.

    Args:
        found: as `place_items` takes it.
        on_progress: called with (items done, 0).

    Yields:
        Each item that would be kept, or its reject, in order.

    Raises:
        UserError: two files would get one name, or a name leads out of the folder.
    """
    for done, each in enumerate(_settled(found, lambda path, _: fault_of_picture(path)), start=1):
        if on_progress:
            on_progress(done, 0)
        yield each


def refuse_too_many(rejects: Iterable[Reject], kept: int, allowed: float, where: str) -> None:
    """Stops when too large a share of the items was rejected, or all of them.

    Args:
        rejects: what was rejected; files that belong to no item do not count.
        kept: number of items that were not.
        allowed: the share that may be.
        where: where the rejects can be seen, for the message.

    Raises:
        UserError: more were rejected; says how many, what is allowed, and the first three with their reasons.
    """
    counted = [each for each in rejects if each.id]
    count = kept + len(counted)
    if not count:
        raise UserError("there is no item: no picture and no text was found")
    if len(counted) > allowed * count or not kept:
        first = "; ".join(f"{each.path or each.id}: {each.reason}" for each in counted[:3])
        raise UserError(
            f"{len(counted)} of {count} items cannot be used, max_reject_fraction allows {allowed:g}: {first}"
            f"{'; ...' if len(counted) > 3 else ''} ({where})"
        )


def fault_of_picture(path: Path) -> str | None:
    """Decodes a picture and says what is wrong with it.

    Args:
        path: the picture's file.

    Returns:
        One line without the path; None for a good picture.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            return "is a folder"
        if not stat.S_ISREG(kind):
            return "is not a regular file"
        if not os.access(path, os.R_OK):
            return "may not be read"
        read_picture(path, 1)  # the smallest of the sizes that a JPEG decoder offers still reads every byte
    except UserError as error:
        return str(error).removeprefix(f"{path} ")
    except FileNotFoundError:
        return "is not there"
    except (OSError, ValueError) as error:  # a circle of links; a name that no file can have
        return " ".join(str(getattr(error, "strerror", None) or error).split())
    return None


def _settled(found: Iterable[Found], take: Callable[[Path, str], str | None]) -> Iterator[Item | Reject]:
    """Items or rejects in order; threads take pictures, a few ahead. `take(path, name)` says what is wrong."""
    claimed: dict[str, str] = {}
    bad: dict[str, str] = {}
    waiting: deque[tuple[Item | Reject, Path | None, Future[str | None] | None]] = deque()
    threads = max(2, core_count())

    def settle() -> Item | Reject:
        item, path, work = waiting.popleft()
        fault = work.result() if work else None
        if isinstance(item, Reject) or path is None:
            return item
        if fault:
            bad[item.image] = fault
        reason = bad.get(item.image)
        return Reject(item.id, str(path), reason) if reason else item

    with ThreadPoolExecutor(threads, thread_name_prefix="place") as pool:
        try:
            for each in found:
                item, path = (each, None) if isinstance(each, Reject) else _readable(*each)
                work = None
                if isinstance(item, Item) and path is not None:
                    _refuse_way_out(item)
                    if _claim(claimed, item, path):
                        work = pool.submit(take, path, item.image)
                waiting.append((item, path, work))
                if len(waiting) > _AHEAD * threads:
                    yield settle()
            while waiting:
                yield settle()
        finally:
            pool.shutdown(cancel_futures=True)


def _readable(item: Item, path: Path | None) -> tuple[Item | Reject, Path | None]:
    """The item, or its reject when a manifest cannot hold it."""
    if bool(item.image) != (path is not None):
        raise ValueError(f"{item.id!r}: an image's name and its file come together")
    for name, cell in zip(("id", "image", "text", "label"), item.row(), strict=False):
        fault = "holds a NUL byte" if "\0" in cell else "" if _encodes(cell) else "is not UTF-8"
        if fault:
            return Reject(item.id, str(path or ""), f"{name} {fault}"), None
    return item, path


def _encodes(cell: str) -> bool:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, or a byte that was no UTF-8
        return False
    return True


def _refuse_way_out(item: Item) -> None:
    name = PurePosixPath(item.image)
    if name.is_absolute() or len(name.parts) < 2 or name.parts[0] != IMAGES or ".." in name.parts:
        raise UserError(f"item {item.id!r}: its image name {item.image!r} leads out of the folder {IMAGES}")


def _claim(claimed: dict[str, str], item: Item, path: Path) -> bool:
    """Whether the item is the first of its image's name."""
    owner = claimed.get(item.image)
    if owner is None:
        claimed[item.image] = str(path)
    elif owner != str(path):
        raise UserError(f"{owner} and {path} would both become {item.image}: rename one of them")
    return owner is None


def _write_rejects(path: Path, rejects: list[Reject]) -> None:
    # Names of files may be no valid UTF-8; the list shows them as well as it can.
    rows = (
        [cell.encode("utf-8", "backslashreplace").decode("utf-8") for cell in (each.id, each.path, each.reason)]
        for each in rejects
    )
    write_text(path, csv_text(("id", "path", "reason"), rows).replace("\0", "\\0"))
