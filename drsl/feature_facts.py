"""What a feature file or a parts file holds and what made it, as lines for people and as one mapping for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from drsl.features import Features, Parts
from drsl.features.freshness import encoder_of
from drsl.features.manifest import SPLITS

__all__ = ["class_counts", "facts_of", "told"]

_SHORT = 12
"""Letters of a digest that are shown; no two files of a project share so many by chance."""


def facts_of(found: Features | Parts) -> list[tuple[str, list[tuple[str, str]]]]:
    """Lines of two columns under headings.

    Args:
        found: what `read_features` or `open_parts` gave.

    Returns:
        Heading to (name, value): what it holds, what made it, its digests in short.
    """
    encoder = encoder_of(found)
    plain = {key: value for key, value in sorted(encoder.items()) if not isinstance(value, dict | list)}
    digests = {key: value for key, value in plain.items() if _is_digest(value)}
    made_by = [(key, "none" if value is None else str(value)) for key, value in plain.items() if key not in digests]
    made_by += [
        ("imported", f"{each['split']} from {each['file']} {each['variable']} (SHA-256 {each['sha256'][:_SHORT]})")
        for each in encoder.get("imported", ())
    ]
    named = {
        "manifest": str(found.attrs.get("manifest_digest", "?")),
        "file": str(found.attrs.get("digest", "?")),
        **{key: str(value) for key, value in digests.items() if value != found.attrs.get("manifest_digest")},
    }
    about = f"{found.attrs.get('dataset', '?')}, {found.attrs.get('modality', '?')}"
    return [
        ("holds", [("data set", about), *_content(found)]),
        ("made by", made_by),
        ("digests", [(key, value[:_SHORT]) for key, value in named.items()]),
    ]


def class_counts(found: Features | Parts) -> list[tuple[str, ...]]:
    """Rows by class and split.

    Args:
        found: what `read_features` or `open_parts` gave.

    Returns:
        (class, train, val, test, all) of each class, then the sums under the name `all`.
    """
    counts = np.zeros((len(found.classes), len(SPLITS)), np.int64)
    np.add.at(counts, (found.label, found.split), 1)
    rows = [*zip(found.classes, counts, strict=True), ("all", counts.sum(axis=0))]
    return [(name, *(f"{each:,}" for each in (*line.tolist(), int(line.sum())))) for name, line in rows]


def told(found: Features | Parts) -> dict[str, Any]:
    """Everything that the file says of itself, unshortened.

    Args:
        found: what `read_features` or `open_parts` gave.

    Returns:
        A mapping that JSON can hold: its attributes, with the encoder's settings read, and rows by class and split.
    """
    attrs = {key: value.item() if isinstance(value, np.generic) else value for key, value in found.attrs.items()}
    counts = {
        name: {split: int(((found.label == place) & (found.split == code)).sum()) for code, split in enumerate(SPLITS)}
        for place, name in enumerate(found.classes)
    }
    return {**attrs, "encoder": encoder_of(found), "rows": len(found), "classes": counts}


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _content(found: Features | Parts) -> list[tuple[str, str]]:
    """What the rows are."""
    if isinstance(found, Features):
        lines = [("rows", f"{len(found)} of width {found.feature.shape[1]}")]
        if len(found):
            norms = np.linalg.norm(found.feature, axis=1)
            low, high, mean = (float(each) for each in (found.feature.min(), found.feature.max(), found.feature.mean()))
            lines += [
                ("values", f"{low:.3g} to {high:.3g}, mean {mean:.3g}, {(found.feature == 0).mean():.1%} zero"),
                ("row norm", f"{norms.min():.3g} to {norms.max():.3g}, mean {norms.mean():.3g}"),
                ("rows of zeros", str(int((norms == 0).sum()))),
            ]
        return lines
    lines = [
        ("parts", f"{found.kind}, settings {found.attrs.get('settings', '?')}"),
        ("rows", f"{len(found)} of {' x '.join(str(each) for each in found.part.shape[1:])} {found.part.dtype}"),
    ]
    if found.mask is not None and len(found):
        counts = np.asarray(found.mask).sum(axis=1)
        lines.append(("parts there", f"{counts.min()} to {counts.max()}, mean {counts.mean():.3g}"))
    if found.vectors is not None:
        lines.append(("words", f"{len(found.words)}, vectors of width {found.vectors.shape[1]}"))
    return lines
