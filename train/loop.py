"""DRSL's training loop (algorithm 1 of the paper), with selection on val and a log."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from drsl.evaluate import average_precision_of_blocks
from drsl.features.errors import UserError
from drsl.features.store import Features
from drsl.train.batches import epoch_batches, steps_per_epoch
from drsl.train.config import DrslConfig
from drsl.train.loss import relation_loss, target_matrix
from drsl.train.model import DrslModel
from drsl.train.score import model_blocks
from drsl.train.side import Side, rows_of

__all__ = ["LOG_COLUMNS", "EpochLog", "train_drsl"]

LOG_COLUMNS = ("epoch", "loss", "positive_mean", "negative_mean", "val_map")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class EpochLog:
    """What one epoch of training gave; the fields are the columns of the training log."""

    epoch: int
    """from 1"""
    loss: float
    """mean over the steps of the loss as set"""
    positive_mean: float
    """mean score of pairs of one class; the target is 1"""
    negative_mean: float
    """mean score of pairs of two classes; the target is 0"""
    val_map: float
    """mean of the two directions' mAP@ALL on val; NaN in epochs without a look at val"""


def train_drsl(
    model: DrslModel,
    image: Features,
    text: Features,
    config: DrslConfig,
    *,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[EpochLog]:
    """Trains a model on the train split, and leaves it with the weights of the epoch that was best on val.

    Args:
        model: on `device`; changed in place.
        image: feature (n, d_i) of all splits; the test split is not looked at.
        text: feature (n', d_t) of all splits.
        config: batch, epochs, loss and optimiser; its precision is settled.
        seed: of the order of the data.
        device: `cpu` or `cuda`.
        progress: called with (steps done, steps in all, a word on the last epoch).

    Returns:
        One entry an epoch.

    Raises:
        UserError: a side has no training items, or the loss is no longer finite (names epoch and learning rate).
    """
    train_image, train_text = (Side(each, rows_of(each, "train"), device) for each in (image, text))
    if not len(train_image) or not len(train_text):
        raise UserError("there is no training image or no training text: see the split column of the manifest")
    for fnn, side in ((model.image_fnn, train_image), (model.text_fnn, train_text)):
        if fnn.inputs is not None:
            fnn.inputs.fit(side.feature())
    val_image, val_text = (Side(each, rows_of(each, "val"), device) for each in (image, text))
    validates = bool(np.isin(val_image.numbers, val_text.numbers).any())  # else no query has a relevant item
    if len(train_image) == len(train_text) == 1 and (config.fnn_batch_norm or config.relation_batch_norm):
        raise UserError(
            "batch norm needs more than one training image or text: set fnn_batch_norm and relation_batch_norm to false"
        )
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, config.learning_rate_decay)
    generator = torch.Generator().manual_seed(seed)
    steps = steps_per_epoch(len(train_image), len(train_text), config.batch)
    log: list[EpochLog] = []
    best = -math.inf, copy.deepcopy(model.state_dict())
    for epoch in range(1, config.epochs + 1):
        model.train()
        sums = torch.zeros(4, device=device)  # loss, positive scores, negative scores, positive pairs
        pairs = 0
        for step, (rows, columns) in enumerate(
            epoch_batches(len(train_image), len(train_text), config.batch, generator, device), start=1
        ):
            scores = model(train_image.feature(rows), train_text.feature(columns), config.precision)
            target = target_matrix(train_image.label[rows], train_text.label[columns])
            loss = relation_loss(scores, target, config.loss_reduction)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            with torch.no_grad():  # summed on the device: nothing waits for it inside an epoch
                positive = (scores * target).sum()
                sums += torch.stack([loss.detach(), positive, scores.sum() - positive, target.sum()])
            pairs += scores.numel()
            if progress:
                progress((epoch - 1) * steps + step, config.epochs * steps, _word(log))
        total, positive_sum, negative_sum, positives = sums.tolist()
        rate = float(schedule.get_last_lr()[0])
        _require_finite("the loss is", total, epoch, rate)
        schedule.step()
        val_map = math.nan
        if validates and (epoch % config.validate_every == 0 or epoch == config.epochs):
            val_map = _val_map(model, val_image, val_text, epoch, rate)
        log.append(
            EpochLog(
                epoch,
                total / steps,
                positive_sum / max(1.0, positives),
                negative_sum / max(1.0, pairs - positives),
                val_map,
            )
        )
        if not validates or val_map > best[0]:
            best = val_map, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    model.eval()
    return log


def _require_finite(what: str, number: float, epoch: int, rate: float) -> None:
    if not math.isfinite(number):
        raise UserError(f"{what} no longer finite in epoch {epoch} at learning rate {rate:.3g}: lower learning_rate")


def _val_map(model: DrslModel, image: Side, text: Side, epoch: int, rate: float) -> float:
    """The mean of both directions' mAP, from blocks of scores."""
    blocks = model_blocks(model, image.feature(), text.feature())

    def finite_blocks() -> Iterator[tuple[int, np.ndarray]]:
        for first, block in blocks():
            _require_finite("scores on val are", float(np.abs(block).max(initial=0)), epoch, rate)
            yield first, block

    both = average_precision_of_blocks(finite_blocks, image.numbers, text.numbers)
    return float(np.mean([np.nanmean(each) for each in both]))


def _word(log: list[EpochLog]) -> str:
    if not log:
        return "first epoch"
    return f"epoch {log[-1].epoch}: loss {log[-1].loss:.4g}, val mAP {log[-1].val_map:.3f}"
