"""From words or a picture to ranked answers: encoders, fitted method and gallery of one data set together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from drsl.extract.encode import features_fingerprint
from drsl.extract.encoder import Encoder
from drsl.extract.stage import load_encoder
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.vectors import TRAIN, open_vectors
from drsl.features.errors import StaleFile, UserError, choose
from drsl.features.freshness import require_fresh
from drsl.features.layout import Layout
from drsl.features.manifest import SPLITS, Manifest, read_manifest
from drsl.features.store import Features, read_features
from drsl.search.gallery import Gallery, Hit
from drsl.train.methods import Method, read_method

__all__ = ["Answer", "Searcher"]

_REMEMBERED = 100_000
"""New words of queries that are kept, so that a server's memory has a limit."""


@dataclass(frozen=True)
class Answer:
    """The answers to one query."""

    hits: list[Hit]
    """best first"""
    expected: str
    """the class that counts as right"""
    predicted: bool
    """whether the expected class is the query classifier's guess, not the user's word"""
    unknown_words: tuple[str, ...]
    """words of the query that have no vector; they had no say"""


class Searcher:
    """Searches one data set with one fitted method.

    Args:
        layout: where the data set's files are.
        method: the method's name.
        seed: the seed it was fitted with.
        split: `train`, `val`, `test`, or `all`: which items are searched.
        say: takes lines for people, before what takes long.
    """

    def __init__(
        self,
        layout: Layout,
        method: str,
        seed: int,
        split: str = "test",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._layout = layout
        self._say = say
        self._looked_up: dict[str, np.ndarray | None] = {}  # words of queries: their vector, None when they have none
        self._run = layout.run(method, seed)
        self._split = choose("split", split, (*SPLITS, "all"))

    def find_images(self, words: str, count: int = 10, expected: str | None = None) -> Answer:
        """Ranks images for words.

        Args:
            words: any text.
            count: how many answers.
            expected: the class that counts as right; None takes the text classifier's guess.

        Returns:
            The answers.

        Raises:
            UserError: a stage has not been run or its outcome is stale, or no word of the query has a vector.
        """
        encoder = self._encoder("text")
        assert isinstance(encoder, TextEncoder)
        unknown = self._learn_words(encoder, words)
        if len(unknown) == len(set(encoder.vocabulary.tokenizer(words))):
            raise UserError(f"no word of {words!r} has a word vector, so nothing can be found with it: use other words")
        feature, label = next(encoder.encode([words]))
        return self._answer("image", feature, encoder.classes[int(label[0])], count, expected, unknown)

    def find_texts(self, image: Path, count: int = 10, expected: str | None = None) -> Answer:
        """Ranks texts for a picture.

        Args:
            image: any picture file.
            count: how many answers.
            expected: the class that counts as right; None takes the image classifier's guess.

        Returns:
            The answers.

        Raises:
            UserError: a stage has not been run or its outcome is stale, or the picture cannot be read.
        """
        encoder = self._encoder("image")
        feature, label = next(encoder.encode([image]))
        return self._answer("text", feature, encoder.classes[int(label[0])], count, expected, ())

    def _answer(
        self,
        modality: str,
        feature: np.ndarray,
        guess: str,
        count: int,
        expected: str | None,
        unknown: tuple[str, ...],
    ) -> Answer:
        gallery = self._gallery(modality)
        if expected is not None:
            choose("class", expected, gallery.features.classes)
        hits = gallery.rank(feature, count, expected or guess)
        return Answer(hits, expected or guess, expected is None, unknown)

    def _encoder(self, modality: str) -> Encoder:
        """The network for queries; it must be the one that made the features the method was fitted on."""
        encoder, about = load_encoder(modality, self._layout, manifest=self._manifest)
        made = self._method.provenance.get(f"{modality}_fingerprint")
        if made != features_fingerprint(about["fingerprint"], self._manifest.digest):
            raise StaleFile(
                f"{self._layout.show(self._run.model)} was fitted on {modality} features of another network than "
                f"{self._layout.show(self._layout.network(modality))}: run `dvc repro`, or "
                f"`drsl encode {modality} -d {self._layout.dataset}` and then {self._refit}"
            )
        return encoder

    def _gallery(self, modality: str) -> Gallery:
        path = self._layout.features(modality)
        features = read_features(path)
        asked = {"manifest_digest": self._manifest.digest}
        repair = f"drsl encode {modality} -d {self._layout.dataset}"
        require_fresh(self._layout.show(path), features.attrs, asked, repair)
        made = self._method.provenance.get(f"{modality}_digest")
        if made != features.attrs.get("digest"):
            raise StaleFile(
                f"{self._layout.show(self._run.model)} was fitted on other {modality} features than "
                f"{self._layout.show(path)}: run {self._refit}"
            )
        chosen: Features = features if self._split == "all" else features.select(self._split)
        return Gallery(self._method, chosen, self._manifest.by_id)

    def _learn_words(self, encoder: TextEncoder, words: str) -> tuple[str, ...]:
        """Looks words up that the data set's texts do not have; returns those without a vector.

        The vectors' file may take a minute to read, so it is read for words that were not asked for before only.
        """
        vocabulary, source = encoder.vocabulary, encoder.config.vectors
        unknown = vocabulary.unknown(words)
        if len(self._looked_up) + len(unknown) > _REMEMBERED:
            self._looked_up.clear()
        new = [word for word in unknown if word not in self._looked_up]
        if new and source != TRAIN:  # words that training has not seen have no vector anywhere
            self._say(f"the data set's texts do not have {_quoted(new)}: looking in {source}")
            try:
                vectors = open_vectors(source, self._layout.root)
                if vectors.dim != vocabulary.vectors.shape[1]:
                    raise StaleFile(f"{source} now has vectors of another width than the text network was trained with")
                found = vectors.find(new, whole=False).vectors
                self._looked_up |= {word: found.get(word) for word in new}
            except UserError as error:  # searching goes on with the words that the network file holds
                self._say(str(error))
        rows = {word: row for word in unknown if (row := self._looked_up.get(word)) is not None}
        encoder.vocabulary = vocabulary.extended(rows)
        return encoder.vocabulary.unknown(words)

    @property
    def _refit(self) -> str:
        return f"`drsl fit -d {self._layout.dataset} -m {self._method.name} -s {self._run.seed}`"

    @cached_property
    def _method(self) -> Method:
        return read_method(self._run.model)

    @cached_property
    def _manifest(self) -> Manifest:
        return read_manifest(self._layout.manifest)


def _quoted(words: list[str]) -> str:
    """Some words for a message, which must stay short for a long query."""
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(repr(word[:40]) for word in words[:3]) + more
