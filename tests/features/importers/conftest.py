"""Files as other programs write them: MATLAB's v7.3 layout, and lists of texts."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest


def write_v73(path: Path, variables: dict[str, object]) -> Path:
    """What `save -v7.3` writes: a head of 512 bytes, then HDF5 with every matrix transposed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, list):  # a column of cells, each a row of letters
                cells = []
                for number, text in enumerate(value):
                    codes = np.frombuffer(text.encode("utf-16-le"), np.uint16).reshape(-1, 1)
                    cell = file.require_group("#refs#").create_dataset(f"{name}{number}", data=codes)
                    cell.attrs["MATLAB_class"] = np.bytes_("char")
                    cells.append(cell.ref)
                data = file.create_dataset(name, (1, len(cells)), h5py.ref_dtype)
                data[0] = cells
                data.attrs["MATLAB_class"] = np.bytes_("cell")
            elif isinstance(value, str):
                data = file.create_dataset(name, data=np.frombuffer(value.encode("utf-16-le"), np.uint16)[:, None])
                data.attrs["MATLAB_class"] = np.bytes_("char")
            else:
                matrix = np.atleast_2d(np.asarray(value))
                data = file.create_dataset(name, data=matrix.T)
                data.attrs["MATLAB_class"] = np.bytes_({"f": "double", "b": "logical"}.get(matrix.dtype.kind, "int32"))
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(head.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


@pytest.fixture(scope="session")
def v73() -> Callable[..., Path]:
    return write_v73
