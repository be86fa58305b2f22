"""Makes the image encoder that fine-tuning starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from drsl.extract.image_config import ImageConfig
from drsl.extract.image_encoder import ImageEncoder
from drsl.extract.precision import Precision, choose_precision
from drsl.extract.weights import find_weights, load_weights
from drsl.features.manifest import Manifest

__all__ = ["build_image_encoder"]


_TRIAL_PIXELS = 2 * 224 * 224
"""Pixels of the batch that arithmetics are compared with."""


def build_image_encoder(
    config: ImageConfig,
    manifest: Manifest,
    root: Path,
    work: Path,
    say: Callable[[str], None],
    device: str = "cpu",
    on_bytes: Callable[[int, int, str], None] | None = None,
) -> ImageEncoder:
    """The image network before fine-tuning: seeded, with pre-trained weights when asked for, precision settled.

    Args:
        config: settings.
        manifest: names the classes.
        root: the project's folder, for weights given by path.
        work: where the speed measurement is remembered.
        say: takes lines for people.
        device: `cpu` or `cuda`.
        on_bytes: called with (bytes here, bytes in all, a word) while weights are downloaded.

    Returns:
        The encoder.

    Raises:
        UserError: weights are missing or do not fit.
    """
    path = find_weights(config.weights, config.architecture, root, on_bytes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.finetune.seed)  # initial weights
        encoder = ImageEncoder(config, manifest.classes, Precision("float32"), device=device)
    if path is not None:
        encoder.weights_digest = load_weights(encoder.network, path)
        say(f"weights: {path}")
    what = f"train {config.architecture} {config.crop} {config.pool} {config.finetune.batch}"
    precision, why = choose_precision(
        config.precision, what, lambda precision: _trial_step(encoder, precision), work / "precision.json", device
    )
    encoder.set_precision(precision)
    say(f"precision: {why}")
    return encoder


def _trial_step(encoder: ImageEncoder, precision: Precision) -> None:
    """One forward and backward pass on noise; leaves weights and batch-norm statistics as they were."""
    crop = encoder.config.crop
    # A few large pictures tell as much as many: a measurement of seconds, not of minutes.
    size = (max(2, min(encoder.config.finetune.batch, _TRIAL_PIXELS // crop**2)), 3, crop, crop)
    pixels = torch.zeros(size, device=encoder.device).contiguous(memory_format=precision.layout)
    encoder.network.to(memory_format=precision.layout)
    kept = {name: each.clone() for name, each in encoder.network.named_buffers()}
    encoder.network.train()
    with torch.random.fork_rng(devices=[]), precision.autocast(encoder.device):
        loss = nn.functional.cross_entropy(
            encoder.network(pixels).float(), torch.zeros(len(pixels), dtype=torch.long, device=encoder.device)
        )
    loss.backward()
    if encoder.device == "cuda":
        torch.cuda.synchronize()
    encoder.network.zero_grad(set_to_none=True)
    for name, each in encoder.network.named_buffers():
        each.copy_(kept[name])
