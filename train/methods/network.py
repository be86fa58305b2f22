"""Methods that train two networks by gradient steps; the epoch that is best on val is kept."""

from __future__ import annotations

import copy
import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from drsl.features.errors import UserError, choose, require
from drsl.features.store import Features
from drsl.train.batches import epoch_batches, steps_per_epoch
from drsl.train.inputs import INPUTS, Standardize, make_inputs
from drsl.train.methods.base import Progress
from drsl.train.methods.common_space import CommonSpace
from drsl.train.side import Side, couples, rows_of

__all__ = ["Batch", "LayersConfig", "NetworkConfig", "NetworkMethod", "TwoNetworks", "layers"]


@dataclass(frozen=True)
class NetworkConfig:
    """What all of them have."""

    inputs: str = "raw"
    """`raw` features, `standard` (mean 0, deviation 1 on train) or `unit` (rows of length 1)"""
    learning_rate: float = 1e-4
    """of Adam"""
    betas: tuple[float, float] = (0.5, 0.999)
    """of Adam"""
    weight_decay: float = 0.0
    """of Adam (added to the gradient)"""
    batch: int = 100
    """items of each side a step"""
    epochs: int = 200
    """passes over the larger side, at most"""
    patience: int = 20
    """epochs without a better val mAP after which training ends"""
    clip: float = 5.0
    """largest norm of the gradient; 0 leaves it as it is"""
    learning_rate_decay: float = 1.0
    """the learning rate is multiplied by this after each epoch"""
    validate_every: int = 1
    """epochs between two looks at the val split; the best is kept"""
    average: float = 0.0
    """after each step the weights that are judged and kept are this share of themselves and the rest the step's; 0: the
    step's own"""

    def __post_init__(self) -> None:
        choose("inputs", self.inputs, INPUTS)
        require(0 < self.learning_rate < math.inf, f"learning_rate: {self.learning_rate} must be positive")
        require(all(0 <= beta < 1 for beta in self.betas), f"betas: {list(self.betas)} must be in [0, 1)")
        for key in ("weight_decay", "clip"):
            require(0 <= getattr(self, key) < math.inf, f"{key}: {getattr(self, key)} must be 0 or more")
        require(0 < self.learning_rate_decay <= 1, f"learning_rate_decay: {self.learning_rate_decay} must be in (0, 1]")
        require(0 <= self.average < 1, f"average: {self.average} must be in [0, 1)")
        require(self.batch >= 2, f"batch: {self.batch} must be 2 or more")
        for key in ("epochs", "patience", "validate_every"):
            require(getattr(self, key) >= 1, f"{key}: {getattr(self, key)} must be positive")


@dataclass(frozen=True)
class LayersConfig(NetworkConfig):
    """Of methods whose networks are plain fully connected layers."""

    hidden: tuple[int, ...] = (1024, 1024)
    """widths of the hidden layers of each network"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.hidden), "hidden: at least one width is needed")
        require(min(self.hidden) >= 1, f"hidden: {list(self.hidden)} must be positive")


class Batch(NamedTuple):
    """Items of a step. With couples, place p of both sides is one item, and the two labels are the same."""

    image: torch.Tensor
    """(b_i, d_i) features as they are cached"""
    text: torch.Tensor
    """(b_t, d_t) features as they are cached"""
    image_label: torch.Tensor
    """(b_i,) int64"""
    text_label: torch.Tensor
    """(b_t,) int64"""
    done: float
    """share of the training that is done, from 0 to 1"""


class TwoNetworks(nn.Module):
    """A network a modality, each behind its inputs' preparation. A method adds what else it trains.

    Args:
        inputs: `raw`, `standard` or `unit`.
        dims: widths of the image and the text feature.
        image: features (n, d_i) to the space.
        text: features (n, d_t) to the space.
    """

    def __init__(self, inputs: str, dims: tuple[int, int], image: nn.Module, text: nn.Module) -> None:
        super().__init__()
        self.dims = dims
        self.inputs = nn.ModuleDict(
            {side: make_inputs(inputs, dim) for side, dim in zip(("image", "text"), dims, strict=True)}
        )
        self.image, self.text = image, text

    def embed(self, modality: str, feature: torch.Tensor) -> torch.Tensor:
        """Vectors of the space that pairs are scored in.

        Args:
            modality: `image` or `text`.
            feature: (n, d) as cached.

        Returns:
            (n, L).
        """
        network = self.image if modality == "image" else self.text
        return network(self.inputs[modality](feature))


class NetworkMethod(CommonSpace):
    """A subclass builds the networks and states its loss; batches, selection, early stop and files are here."""

    config_type: ClassVar[type] = NetworkConfig
    needs_couples: ClassVar[bool] = True
    """whether a batch has couples; otherwise the two sides are shuffled apart"""
    terms: ClassVar[tuple[str, ...]] = ("loss",)
    """names of the parts of the loss, in the log"""
    watched: ClassVar[tuple[str, ...]] = ()
    """names of what the log has beside them: given with the loss, and not minimised"""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.model: TwoNetworks | None = None
        self.device = "cpu"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Names the columns of the log: a row an epoch."""
        super().__init_subclass__(**kwargs)
        cls.log_columns = ("epoch", *cls.terms, *cls.watched, "val_map")

    @abstractmethod
    def _build(self, dims: tuple[int, int], classes: int) -> TwoNetworks:
        """The networks with their first weights, for features of these widths."""

    @abstractmethod
    def _losses(self, model: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """The weighted parts of the loss by the names in `terms`, whose sum is minimised; and what is `watched`."""

    def _optimizers(self, model: Any) -> dict[str, torch.optim.Optimizer]:
        """Who moves the weights; one Adam for all unless a method needs several."""
        return {"all": self._adam(model.parameters())}

    def _step(self, model: Any, optimizers: dict[str, torch.optim.Optimizer], batch: Batch) -> dict[str, torch.Tensor]:
        """One step; gives what the log has of it. Adversarial methods take several steps here."""
        found = self._losses(model, batch)
        parts = [each for name, each in found.items() if name not in self.watched]
        self._descend(torch.stack(parts).sum(), optimizers["all"])
        return {name: each.detach() for name, each in found.items()}

    def _settle(self, model: Any, train: tuple[Side, Side]) -> None:
        """What is worked out from training items before the networks are judged; nothing, unless a method says."""

    def _prepare(self, model: Any, train: tuple[Side, Side], progress: Progress | None) -> tuple[Side, Side]:
        """What goes before the epochs, such as training by stages; nothing, unless a method says.

        Gives what the epochs learn from: the same items, where stages are frozen with their codes as features.
        """
        return train

    def _warnings(self) -> list[str]:
        """What a reader of the log should know, a line each; nothing, unless a method says."""
        return []

    def _adam(self, parameters: Iterator[nn.Parameter] | list[nn.Parameter], rate: float | None = None) -> Any:
        config = self.config
        return torch.optim.Adam(
            list(parameters), rate or config.learning_rate, config.betas, weight_decay=config.weight_decay, fused=True
        )

    def _descend(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
        """One step down the gradient, of clipped length."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.clip:
            moved = [each for group in optimizer.param_groups for each in group["params"]]
            nn.utils.clip_grad_norm_(moved, self.config.clip)
        optimizer.step()

    def fit(
        self, image: Features, text: Features, *, seed: int, device: str = "cpu", progress: Progress | None = None
    ) -> Self:
        """Trains on the train split; keeps the epoch that is best on val, and ends when it has not been bettered.

        Args:
            image: `feature` (n, d_i).
            text: `feature` (n', d_t).
            seed: of initial weights, order and dropout.
            device: `cpu` or `cuda`.
            progress: called with (steps done, steps in all, a word on the last epoch).

        Returns:
            The method itself; `log` has a row an epoch, and `warnings` what a method has to say of it.

        Raises:
            UserError: there is nothing to train on, or the loss is no longer finite.
        """
        rows = couples(image, text, "train", self.name if self.needs_couples else "")
        if not self.needs_couples:
            rows = rows_of(image, "train"), rows_of(text, "train")
        train = Side(image, rows[0], device), Side(text, rows[1], device)
        if min(map(len, train)) < 2:
            raise UserError(f"{self.name} needs two or more training images and texts: see the manifest's split column")
        with self._undone_on_failure(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs too
            self.classes = len(image.classes)
            model = self._build((image.feature.shape[1], text.feature.shape[1]), self.classes)
            for side, each in zip(("image", "text"), train, strict=True):
                for inputs in model.inputs[side].modules():
                    if isinstance(inputs, Standardize):
                        inputs.fit(each.whole())
            self.model, self.device = model.to(device), device
            self._train(image, text, train, seed, progress)
        self._fitted().eval()
        self.warnings = self._warnings()
        return self

    def _train(
        self, image: Features, text: Features, train: tuple[Side, Side], seed: int, progress: Progress | None
    ) -> None:
        model, config = self._fitted(), self.config
        train = self._prepare(model, train, progress)
        generator = torch.Generator().manual_seed(seed)
        optimizers = self._optimizers(model)
        averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average)) if config.average else None
        judged: TwoNetworks = averaged.module if averaged else model  # type: ignore[assignment]
        self.model = judged
        steps = self._steps(train)
        logged = (*self.terms, *self.watched)
        self.log = []
        best, best_epoch, kept = -math.inf, 0, None
        for epoch in range(1, config.epochs + 1):
            model.train()
            sums = torch.zeros(len(logged), device=self.device)
            for step, (left, right) in enumerate(self._places(train, generator)):
                done = ((epoch - 1) * steps + step) / (config.epochs * steps)
                batch = Batch(
                    train[0].feature(left), train[1].feature(right), train[0].label[left], train[1].label[right], done
                )
                found = self._step(model, optimizers, batch)
                if averaged:
                    averaged.update_parameters(model)
                sums += torch.stack([found[name] for name in logged])
                if progress:
                    progress((epoch - 1) * steps + step + 1, config.epochs * steps, self._word())
            means = (sums / steps).tolist()
            if not all(math.isfinite(each) for each in means):
                raise UserError(
                    f"the loss of {self.name} is no longer finite in epoch {epoch} at learning rate "
                    f"{config.learning_rate:.3g}: lower learning_rate"
                )
            for group in itertools.chain(*(each.param_groups for each in optimizers.values())):
                group["lr"] *= config.learning_rate_decay
            if epoch % config.validate_every and epoch < config.epochs:
                self.log.append((epoch, *means, math.nan))
                continue
            judged.eval()
            with torch.no_grad():
                self._settle(judged, train)
            value = self._val_map(image, text)
            self.log.append((epoch, *means, value))
            if kept is None or math.isnan(value) or value > best:
                best, best_epoch, kept = value, epoch, copy.deepcopy(judged.state_dict())
            if epoch - best_epoch >= config.patience:
                break
        assert kept is not None
        judged.load_state_dict(kept)
        if progress:
            progress(config.epochs * steps, config.epochs * steps, self._word())

    def _steps(self, train: tuple[Side, Side]) -> int:
        return steps_per_epoch(len(train[0]), len(train[1]), self.config.batch)

    def _places(
        self, train: tuple[Side, Side], generator: torch.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Positions of each step's images and texts; equally large parts, so no step is left with a single item."""
        if not self.needs_couples:
            yield from epoch_batches(len(train[0]), len(train[1]), self.config.batch, generator, self.device)
            return
        for places in (
            torch.randperm(len(train[0]), generator=generator).to(self.device).tensor_split(self._steps(train))
        ):
            yield places, places

    def _word(self) -> str:
        return f"epoch {self.log[-1][0]}: val mAP {self.log[-1][-1]:.3f}" if self.log else "first epoch"

    @torch.no_grad()
    def _embed(self, modality: str, feature: np.ndarray) -> np.ndarray:
        model = self._fitted().eval()
        rows = torch.from_numpy(np.array(feature, np.float32, order="C")).to(self.device)
        found: np.ndarray = model.embed(modality, rows).cpu().numpy()
        return found

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of the image and the text feature it was fitted on."""
        return self._fitted().dims

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: each.detach().cpu().numpy() for name, each in self._fitted().state_dict().items()}

    def _restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        self.config = self._configure(self.settings)
        with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and thrown away
            model = self._build(tuple(about["dims"]), int(about["classes"]))
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        self.model, self.device = model.eval(), "cpu"

    def _fitted(self) -> TwoNetworks:
        if self.model is None:
            raise UserError(f"{self.name} is not fitted yet: call fit or load first")
        return self.model


def layers(
    widths: list[int], last: nn.Module | None = None, between: Callable[[], nn.Module] = nn.ReLU
) -> nn.Sequential:
    """Fully connected layers with an activation between them.

    Args:
        widths: of the input and of each layer's output.
        last: what follows the last layer; None: nothing.
        between: makes the activation.

    Returns:
        (n, widths[0]) to (n, widths[-1]).
    """
    parts: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        parts += [nn.Linear(before, after), between()]
    return nn.Sequential(*parts[:-1], *([last] if last else []))
