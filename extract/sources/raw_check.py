"""A look at the published files of a data set before they are read into a manifest: what is there, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from drsl.extract.sources.placing import Found, Reject
from drsl.extract.sources.public_layout import PublicConfig, PublicLayout
from drsl.features.manifest import Item

__all__ = ["RawCheck", "check_raw"]


@dataclass(frozen=True)
class RawCheck:
    """What the folder of a data set's published files holds."""

    parts: tuple[tuple[str, str, str], ...]
    """a row a part: where it is or should be, whether it is there, what it holds"""
    missing: tuple[str, ...]
    """places of the parts that are needed and not there"""
    items: tuple[Item, ...]
    """what would be prepared; empty while a part is missing"""
    problems: tuple[str, ...]
    """one line for each file within the parts that is missing or unusable"""


def check_raw(
    layout: PublicLayout, read_items: Callable[[PublicConfig], Iterable[Found]], config: PublicConfig
) -> RawCheck:
    """Looks for each part; when all are there, reads lists and texts and looks for each picture, which is not opened.

    Args:
        layout: what the folder must hold.
        read_items: the source's reader.
        config: the source's settings; its path names the folder.

    Returns:
        What is there and what is not.

    Raises:
        UserError: all parts are there, but one is wrong, so that the items cannot be told.
    """
    root = Path(config.path)
    rows, missing = [], []
    for part in layout.parts:
        path = part.find(root)
        place = part.name if path is None else path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")
        rows.append((place, "there" if path else "MISSING" if part.needed else "not there", part.holds))
        if path is None and part.needed:
            missing.append(" or ".join(part.places))
    items, problems = [], []
    for each in () if missing else read_items(config):
        if isinstance(each, Reject):
            problems.append(f"{each.path or each.id}: {each.reason}")
            continue
        item, picture = each
        if picture is None or picture.is_file():
            items.append(item)
        else:
            problems.append(f"{picture}: is not there")
    return RawCheck(tuple(rows), tuple(missing), tuple(items), tuple(problems))
