"""Chooses the settings of a data set of one's own: from another data set's block, the data's size and their script."""

from __future__ import annotations

import importlib.util
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from drsl.extract.architectures import LITE_PACKAGE
from drsl.features.manifest import MODALITIES, Item

__all__ = ["Chosen", "dataset_block"]

_STEPS_OF = 1339
"""Training items that the copied block's epochs are meant for, those of the emoji; smaller data sets need more."""
_SAMPLE = 2000, 500
"""Texts looked at, and characters of each, to see their script."""
# First words of the Unicode names of letters whose scripts put no blanks between words.
_WITHOUT_BLANKS = frozenset(("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"))


@dataclass(frozen=True)
class Chosen:
    """A data set's block, and what was chosen for these data."""

    block: dict[str, Any]
    """for params.yaml"""
    reasons: tuple[str, ...]
    """one line each"""


def dataset_block(
    head: Mapping[str, Any], items: Sequence[Item], like: Mapping[str, Any], keep_image: bool = False
) -> Chosen:
    """Chooses the settings of all stages.

    Args:
        head: the keys `source` and `prepare`.
        items: the data set's items with their splits.
        like: the block of a data set whose `image`, `text` and `drsl` settings are copied.
        keep_image: keep its image settings as they are; else they are chosen for photos: pre-trained weights that are
            on this machine, or pictures of 64 pixels.

    Returns:
        The block, with epochs for the number of training items, and cut-offs for the number of test images
        or test texts, whichever is smaller.
    """
    block = {**deepcopy(dict(head)), **{key: deepcopy(like[key]) for key in ("image", "text", "drsl") if key in like}}
    reasons = []
    if not keep_image and "image" in block:
        reasons.append(_fit_to_photos(block["image"]))
    if "text" in block:
        reasons += _fit_to_texts(block["text"], lambda: (item.text for item in items if item.text))
    train = sum(item.split == "train" for item in items)
    _fit_to_size(block, max(2, train), keep_image)
    tested = Counter(each for item in items if item.split == "test" for each in MODALITIES if getattr(item, each))
    test = max(1, min(tested[each] for each in MODALITIES))
    block["evaluate"] = {"at": [min(50, test)], "scope": _points(test)}
    return Chosen(block, tuple(reasons))


def _fit_to_photos(image: dict[str, Any]) -> str:
    """Input size, weights and learning rate of the image network; returns what was chosen."""
    tuning = image.setdefault("finetune", {})
    if importlib.util.find_spec(LITE_PACKAGE.replace("-", "_")):
        image.update(architecture="efficientnet_lite0", weights=f"package:{LITE_PACKAGE}", resize=256, crop=224, pool=7)
        tuning.update(epochs=5, batch=32, optimizer="adamw", learning_rate=0.0005, weight_decay=0.01)
        return f"images: EfficientNet-Lite0 with ImageNet weights of the package {LITE_PACKAGE}"
    if (architecture := _cached_vgg()) is not None:
        resize, crop = (256, 224) if _has_gpu() else (146, 128)
        image.update(architecture=architecture, weights="IMAGENET1K_V1", resize=resize, crop=crop, pool=7)
        tuning.update(epochs=5, batch=32, optimizer="adamw", learning_rate=0.00005, weight_decay=0.01)
        return f"images: {architecture} with torchvision's ImageNet weights, which are on this machine"
    image.update(resize=73, crop=64)
    return "images: trained from scratch at 64 pixels; pre-trained weights would rank far better (see docs/howto)"


def _cached_vgg() -> str | None:
    from drsl.extract.weights import locate_weights

    for name in ("vgg19_bn", "vgg19"):
        file = locate_weights("IMAGENET1K_V1", name, Path())
        if file is not None and file.path.is_file():
            return name
    return None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _fit_to_texts(text: dict[str, Any], texts: Callable[[], Iterable[str]]) -> list[str]:
    """Tokens, word vectors and length of the text network; returns what was chosen."""
    reasons = []
    scripts = _scripts(texts(), sum(1 for _ in texts()))
    blanks_missing = sum(count for name, count in scripts.items() if name in _WITHOUT_BLANKS)
    vectors = str(text.get("vectors", ""))
    if 2 * blanks_missing > scripts.total():
        text.update(vectors="train", tokens="characters")
        reasons.append(
            "texts: mostly letters of a script without blanks, so tokens are characters, vectors trained here"
        )
    elif vectors.startswith("package:") and 2 * scripts["LATIN"] < scripts.total():
        text["vectors"] = "train"
        reasons.append("texts: mostly not in Latin letters, so word vectors are trained on the training texts")
    elif vectors.startswith("package:") and not importlib.util.find_spec(vectors[8:].replace("-", "_")):
        text["vectors"] = "train"
        reasons.append(f"texts: {vectors[8:]} is not installed, so word vectors are trained on the training texts")
    # With characters each letter begins a token of its own and one together with the next.
    token = re.compile(r"\w" if text.get("tokens") == "characters" else r"\w+")
    lengths = sorted(sum(1 for _ in token.finditer(each)) for each in texts()) or [1]
    usual = lengths[min(len(lengths) - 1, math.ceil(0.95 * len(lengths)))] * (
        2 if text.get("tokens") == "characters" else 1
    )
    text["max_words"] = min(512, max(16, 16 * math.ceil(usual / 16)))
    return reasons


def _scripts(texts: Iterable[str], count: int) -> Counter[str]:
    """How many letters of each script a sample of the texts has, by the first word of the letters' names."""
    most, length = _SAMPLE
    chosen = islice(texts, 0, None, max(1, count // most))
    return Counter(_script(letter) for text in chosen for letter in text[:length] if letter.isalpha())


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _fit_to_size(block: dict[str, Any], train: int, keep_image: bool) -> None:
    """Epochs and batches for the number of training items: about the same number of steps, within limits."""
    parts = [block[key]["finetune"] for key in ("image", "text") if "finetune" in block.get(key, {})]
    if keep_image and "image" in block:
        parts = parts[1:]
    for part in (*parts, block.get("drsl", {})):
        if "epochs" in part and part["epochs"] > 0:
            epochs = part["epochs"]
            part["epochs"] = min(5 * epochs, max(math.ceil(epochs / 2), round(epochs * _STEPS_OF / train)))
        if "batch" in part:
            part["batch"] = max(2, min(part["batch"], train))


def _points(test: int) -> list[int]:
    """About six points R of the precision-scope curve, each twice the one before, up to the number of test items."""
    found = {test}
    for halving in range(1, 6):
        point = test / 2**halving
        digits = max(0, math.floor(math.log10(point)) - 1) if point >= 1 else 0
        found.add(max(1, int(round(point, -digits))))
    return sorted(found)
