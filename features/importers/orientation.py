"""Whether items are the rows or the columns of matrices: settled by counts, never by habit."""

from __future__ import annotations

from collections.abc import Mapping

from drsl.features.errors import SettingError, choose

__all__ = ["ORIENTATIONS", "fitting", "settle"]

ORIENTATIONS = ("rows", "columns")
"""`rows`: one item a row; `columns`: one item a column."""

Shape = tuple[int, ...]


def fitting(shapes: Mapping[str, Shape], counts: Mapping[str, int]) -> list[str]:
    """The ways in which the matrices of all splits can lie.

    Args:
        shapes: split to shape.
        counts: split to number of items.

    Returns:
        Those of `ORIENTATIONS` in which each split has its number of items and all splits one width.
    """
    return [
        each
        for axis, each in enumerate(ORIENTATIONS)
        if all(shape[axis] == counts[split] for split, shape in shapes.items())
        and len({shape[1 - axis] for shape in shapes.values()}) == 1
    ]


def settle(what: str, shapes: Mapping[str, Shape], counts: Mapping[str, int], asked: str | None) -> str:
    """Settles which way matrices lie.

    Args:
        what: `image` or `text`, for messages.
        shapes: split to shape.
        counts: split to number of items, from the labels.
        asked: what the user said; it decides where both ways fit.

    Returns:
        One of `ORIENTATIONS`.

    Raises:
        SettingError: neither way fits (names counts and widths), or both do and the user did not say.
    """
    if asked is not None:
        choose("--orientation", asked, ORIENTATIONS)
    found = fitting(shapes, counts)
    if len(found) == 1:
        return found[0]
    if found:
        if asked is None:
            listing = ", ".join(f"{split} {_times(shape)}" for split, shape in shapes.items())
            raise SettingError(
                f"{what} features ({listing}) fit the labels both ways: say `--orientation rows` for one item a row, "
                "or `--orientation columns`"
            )
        return asked
    for split, shape in shapes.items():
        if counts[split] not in shape:
            raise SettingError(
                f"{what} {split} has {_times(shape)} features but {counts[split]} labels: name the array and the "
                "labels of one split (images and texts of different numbers need --image-label and --text-label)"
            )
    axis = next((axis for axis in (0, 1) if all(counts[each] == shape[axis] for each, shape in shapes.items())), None)
    if axis is None:
        raise SettingError(
            f"{what}: one item is a row in one split and a column in another: transpose one of the files"
        )
    widths = ", ".join(f"{split} {shape[1 - axis]}" for split, shape in shapes.items())
    raise SettingError(f"{what} features have different widths ({widths}): they must come from one extractor")


def _times(shape: Shape) -> str:
    return " x ".join(map(str, shape))
