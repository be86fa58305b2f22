"""Pre-trained weights: torchvision's registry with its checksum, a file, or none."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path

import torch
from torch import nn
from torchvision import models

from drsl.features.digest import digest_file
from drsl.features.errors import DamagedFile, MissingFile, SettingError

__all__ = ["find_weights", "load_weights", "registry_file"]

REGISTRY = "IMAGENET1K_V1"


def registry_file(architecture: str) -> tuple[Path, str]:
    """Where torchvision keeps the ImageNet weights of an architecture, and where they come from.

    Args:
        architecture: `vgg19` or `vgg19_bn`.

    Returns:
        The file (which may not be there) and its address; the file's name ends in the first digits of its SHA-256.
    """
    address = models.get_model_weights(architecture)[REGISTRY].url
    return Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2], address


def find_weights(setting: str, architecture: str, root: Path) -> Path | None:
    """Finds the file that a `weights` setting means, downloading it when it is torchvision's and not yet here.

    Args:
        setting: `IMAGENET1K_V1`, `none`, or a path relative to the project's folder.
        architecture: `vgg19` or `vgg19_bn`.
        root: the project's folder.

    Returns:
        The file, or None for `none`.

    Raises:
        MissingFile: the path does not exist, or the download failed; says which file to put where.
    """
    if setting == "none":
        return None
    if setting != REGISTRY:
        path = root / setting
        if not path.is_file():
            raise MissingFile(
                f"image.weights: {path} is not there; put a torchvision {architecture} state dict there, "
                f"or set {REGISTRY} (downloads it) or none (trains from scratch)"
            )
        return path
    path, address = registry_file(architecture)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not load_state_dict_from_url: it would unpickle the file at once.
            torch.hub.download_url_to_file(address, str(path), path.stem.rpartition("-")[2])
        except (OSError, HTTPException, RuntimeError) as error:
            raise MissingFile(
                f"image.weights: {REGISTRY} of {architecture} could not be downloaded ({error}); on a machine with a "
                f"network fetch {address} and put it at {path}, or set image.weights to the file's path or to none"
            ) from None
    return path


def load_weights(network: nn.Module, path: Path) -> str:
    """Loads pre-trained weights into all layers but the last, whose classes are others.

    Args:
        network: the image network, with the published 7 x 7 pool.
        path: a torchvision state dict; only tensors are read, no code is run.

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
    own = network.state_dict()
    kept = {name for name in own if name.startswith("classifier.6.")}
    # The published vgg19_bn is older than batch norm's counters, which only a batch norm without momentum reads.
    kept |= {name for name in own if name.endswith("num_batches_tracked") and name not in state}
    wrong = [
        name for name, each in own.items() if name not in kept and getattr(state.get(name), "shape", None) != each.shape
    ]
    if wrong:
        raise SettingError(
            f"image.weights: {path} does not fit the architecture: {wrong[0]} is missing or of another shape "
            f"({len(wrong)} in all); is it a VGG-19 with batch norm and image.architecture without, or the reverse?"
        )
    network.load_state_dict({name: state[name] for name in own if name not in kept}, strict=False)
    return digest_file(path)
