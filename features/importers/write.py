"""Writes an import: the manifest and both feature files, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import numpy as np

from drsl.features.atomic import write_bytes
from drsl.features.digest import fingerprint
from drsl.features.importers.front import block_rows
from drsl.features.importers.plan import ImportPlan, Side
from drsl.features.layout import Layout
from drsl.features.manifest import MODALITIES, SPLITS, Manifest, write_manifest
from drsl.features.store import FeatureWriter, open_feature_writer

__all__ = ["write_import"]


def write_import(plan: ImportPlan, layout: Layout, finish: Callable[[], None] = lambda: None) -> None:
    """Writes `data/NAME/manifest.csv` and `features/NAME/{image,text}.h5`; the same plan gives the same bytes.

    Args:
        plan: what to write.
        layout: where files go.
        finish: called when all is written and before the feature files get their names; its error undoes all.

    Raises:
        UserError: a file cannot be written; what was there before is there again.
    """
    manifest = Manifest(items=plan.items, folder=layout.manifest.parent)
    kept = layout.manifest.read_bytes() if layout.manifest.is_file() else None
    folders = [
        each
        for path in (layout.manifest, *(layout.features(each) for each in MODALITIES))
        for each in (path.parent, path.parent.parent)
        if not each.exists()
    ]
    try:
        with ExitStack() as open_files:  # both claim their room on the disk before the first row
            writers = [
                open_files.enter_context(_writer(plan.sides[each], manifest, layout, each)) for each in MODALITIES
            ]
            for writer, each in zip(writers, MODALITIES, strict=True):
                for matrix in plan.sides[each].matrices:
                    rows = block_rows(matrix)
                    for start in range(0, len(matrix), rows):
                        writer.append(plan.sides[each].scaling.apply(matrix[start : start + rows]))
            write_manifest(layout.manifest, plan.items)
            finish()
    except BaseException:
        _put_back(layout.manifest, kept)
        for folder in folders:
            with suppress(OSError):  # somebody else put a file there
                folder.rmdir()
        raise


def _writer(side: Side, manifest: Manifest, layout: Layout, modality: str) -> AbstractContextManager[FeatureWriter]:
    place = {name: number for number, name in enumerate(manifest.classes)}
    return open_feature_writer(
        layout.features(modality),
        id=[item.id for item in side.items],
        label=np.array([place[item.label] for item in side.items], dtype=np.int64),
        split=np.array([SPLITS.index(item.split) for item in side.items], dtype=np.uint8),
        classes=manifest.classes,
        dim=side.matrices[0].shape[1],
        attrs={
            "dataset": layout.dataset,
            "modality": modality,
            "encoder": json.dumps(side.encoder, sort_keys=True, ensure_ascii=False),
            "manifest_digest": manifest.digest,
            "fingerprint": fingerprint({"encoder": side.encoder, "manifest": manifest.digest}),
        },
    )


def _put_back(path: Path, content: bytes | None) -> None:
    with suppress(OSError):
        if content is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != content:
            write_bytes(path, content)
