"""Trains a classifier of stage one: one loop for pictures and texts. Resumes, and keeps the best epoch on val."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from drsl.extract.config import FinetuneConfig
from drsl.extract.encoder import Batches, Encoder
from drsl.features.atomic import write_bytes
from drsl.features.errors import UserError
from drsl.features.stopping import Stopped, stop_requests

__all__ = ["EpochLog", "finetune"]

_SAVE_EVERY = 60.0
"""Seconds between two checkpoints, so that quick epochs do not spend their time writing."""


@dataclass(frozen=True)
class EpochLog:
    """What one epoch of fine-tuning gave."""

    epoch: int
    """from 1"""
    loss: float
    """mean cross-entropy over the training items"""
    train_accuracy: float
    """share of training items classified right while training"""
    val_accuracy: float
    """share of val items classified right; NaN without a val split"""


def finetune(
    encoder: Encoder,
    batches: Batches,
    label: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    config: FinetuneConfig,
    *,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    on_progress: Callable[[int, int, str], None] | None = None,
) -> list[EpochLog]:
    """Trains an encoder's network on the training items and leaves it with the weights of the best epoch on val.

    Args:
        encoder: the network; changed in place.
        batches: train and val items as network input.
        label: (n,) class numbers of the items.
        train: positions of the training items.
        val: positions of the val items; may be empty, then the last epoch is kept.
        config: epochs, optimiser and seed.
        checkpoint: where to keep the state between epochs, so that a killed run goes on; None keeps none. It stays
            until the caller has saved the network.
        fingerprint: of all settings and data; a checkpoint with another one is not used.
        on_progress: called with (items done, items in all, a word on the last epoch).

    Returns:
        One entry an epoch.

    Raises:
        UserError: there are fewer than two training items, or the loss is no longer finite (names epoch and learning
            rate).
        Stopped: SIGINT or SIGTERM came and the epoch has ended; the checkpoint is kept.
    """
    if len(train) < 2:
        raise UserError(
            f"the train split has {len(train)} {encoder.modality} item(s), but fine-tuning needs two or more: "
            "give more items the split 'train' in the manifest"
        )
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if encoder.device == "cuda" else []):
        torch.manual_seed(config.seed)  # dropout draws from the global generator, restored afterwards
        loop = _Loop(encoder, batches, torch.from_numpy(label), train, val, config)
        if checkpoint is not None and checkpoint.is_file():
            loop.resume(checkpoint, fingerprint)
        with stop_requests() as stop:
            saved = time.monotonic()
            while loop.epoch < config.epochs:
                loop.run_epoch(on_progress, stop)
                if loop.epoch == config.epochs:
                    break
                if checkpoint is not None and (stop() or time.monotonic() - saved > _SAVE_EVERY):
                    loop.save(checkpoint, fingerprint)
                    saved = time.monotonic()
                if stop():
                    kept = "" if checkpoint is None else " and kept; run the same command again to go on"
                    raise Stopped(stop(), f"epoch {loop.epoch} of {config.epochs} is done{kept}")
        loop.take_best()
    return loop.log


class _Loop:
    """The state of a training run between epochs."""

    def __init__(
        self,
        encoder: Encoder,
        batches: Batches,
        label: torch.Tensor,
        train: np.ndarray,
        val: np.ndarray,
        config: FinetuneConfig,
    ) -> None:
        self.encoder, self.batches, self.label = encoder, batches, label
        self.train, self.val, self.config = train, val, config
        self.network = encoder.network
        self.optimizer = _optimizer(self.network, config)
        steps = max(1, math.ceil(len(train) / config.batch) * config.epochs)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, config.learning_rate, total_steps=steps + 1)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        self.epoch = 0
        self.log: list[EpochLog] = []
        self.best: tuple[float, dict[str, torch.Tensor]] | None = None

    def run_epoch(self, on_progress: Callable[[int, int, str], None] | None, stop: Callable[[], int]) -> None:
        """One pass over the training items, then one over the val items."""
        self.network.train()
        order = self.train[torch.randperm(len(self.train), generator=self.generator).numpy()]
        size = self.config.batch
        if len(order) % size == 1:  # batch norm cannot take a single item
            order = order[:-1]
        total, right, done = 0.0, 0, 0
        for positions, inputs in self.batches(order.tolist(), size, self.generator):
            target = self.label[positions].to(self.encoder.device)
            with self.encoder.precision.autocast(self.encoder.device):
                logits = self.encoder.classify(self.encoder.feature(inputs.to(self.encoder.device))).float()
            loss = self.loss(logits, target)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            done += len(positions)
            total += loss.item() * len(positions)
            right += int((logits.argmax(dim=1) == target).sum())
            if not math.isfinite(total):
                raise UserError(
                    f"the loss is no longer finite in epoch {self.epoch + 1} at learning rate "
                    f"{self.schedule.get_last_lr()[0]:.3g}: lower finetune.learning_rate"
                )
            if on_progress:
                past = self.epoch * len(order) + done
                word = "stopping when this epoch ends; once more stops now" if stop() else self._word()
                on_progress(past, self.config.epochs * len(order), word)
        self.epoch += 1
        accuracy = self._accuracy(self.val)
        self.log.append(EpochLog(self.epoch, total / done, right / done, accuracy))
        if self.best is None or accuracy >= self.best[0] or not len(self.val):
            self.best = accuracy, {name: each.detach().clone() for name, each in self.network.state_dict().items()}

    def take_best(self) -> None:
        """Puts the weights of the best epoch back."""
        if self.best is not None:
            self.network.load_state_dict(self.best[1])
        self.network.eval()

    def save(self, path: Path, fingerprint: str) -> None:
        """Writes everything that a later process needs to go on as if nothing had happened."""
        state: dict[str, Any] = {
            "fingerprint": fingerprint,
            "epoch": self.epoch,
            "log": [asdict(entry) for entry in self.log],
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best": self.best,
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.encoder.device == "cuda" else None,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_bytes(path, buffer.getvalue())

    def resume(self, path: Path, fingerprint: str) -> None:
        """Goes on from a checkpoint of the same settings and data; ignores any other."""
        try:
            state = torch.load(path, map_location=self.encoder.device, weights_only=True)
        except Exception:  # cut short or foreign: training anew is always right
            return
        if not isinstance(state, dict) or state.get("fingerprint") != fingerprint:
            return
        self.epoch = state["epoch"]
        self.log = [EpochLog(**entry) for entry in state["log"]]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best = state["best"] and tuple(state["best"])
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"].cpu())

    @torch.no_grad()
    def _accuracy(self, rows: np.ndarray) -> float:
        if not len(rows):
            return math.nan
        self.network.eval()
        right = 0
        for positions, inputs in self.batches(rows.tolist(), 64):
            with self.encoder.precision.autocast(self.encoder.device):
                logits = self.encoder.classify(self.encoder.feature(inputs.to(self.encoder.device)))
            right += int((logits.argmax(dim=1).cpu() == self.label[positions]).sum())
        return right / len(rows)

    def _word(self) -> str:
        if not self.log:
            return "first epoch"
        last = self.log[-1]
        return f"epoch {last.epoch}: loss {last.loss:.3f}, val accuracy {last.val_accuracy:.3f}"


def _optimizer(network: nn.Module, config: FinetuneConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), config.learning_rate, 0.9, weight_decay=config.weight_decay, nesterov=True, fused=True
        )
    return torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True)
