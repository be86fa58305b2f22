"""From words or a picture to ranked answers: encoders, fitted method and gallery of one data set together."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drsl.extract.encode import features_fingerprint
from drsl.extract.encoder import Encoder
from drsl.extract.text_encoder import TextEncoder
from drsl.extract.vectors import TRAIN
from drsl.features.errors import SettingError, StaleFile, UserError, choose
from drsl.features.freshness import require_fresh
from drsl.features.layout import Layout
from drsl.features.manifest import MODALITIES, SPLITS
from drsl.features.store import Features
from drsl.search.gallery import Gallery, Hit
from drsl.search.shelf import Shelf
from drsl.train.methods import Method

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
        shelf: files read before, which other searchers of the same data set may share; None reads afresh.
    """

    def __init__(
        self,
        layout: Layout,
        method: str,
        seed: int,
        split: str = "test",
        say: Callable[[str], None] = lambda line: None,
        shelf: Shelf | None = None,
    ) -> None:
        self._layout = layout
        self._say = say
        self._shelf = shelf or Shelf(layout)
        self._run = layout.run(method, seed)
        self._split = choose("split", split, (*SPLITS, "all"))

    def find_images(self, words: str, count: int = 10, expected: str | None = None, only: str | None = None) -> Answer:
        """Ranks images for words.

        Args:
            words: any text.
            count: how many answers.
            expected: the class that counts as right; None takes the text classifier's guess.
            only: answers of this class only; None for all.

        Returns:
            The answers.

        Raises:
            UserError: a stage has not been run or its outcome is stale, or no word of the query has a vector.
        """
        encoder = self._encoder("text")
        assert isinstance(encoder, TextEncoder)
        encoder, unknown = self._taught(encoder, words)
        if len(unknown) == len(set(encoder.vocabulary.tokenizer(words))):
            shown = repr(words[:200])
            raise UserError(f"no word of {shown} has a word vector, so nothing can be found with it: use other words")
        return self._encode("image", encoder, words, count, expected, only, unknown)

    def find_texts(self, image: Path, count: int = 10, expected: str | None = None, only: str | None = None) -> Answer:
        """Ranks texts for a picture.

        Args:
            image: any picture file.
            count: how many answers.
            expected: the class that counts as right; None takes the image classifier's guess.
            only: answers of this class only; None for all.

        Returns:
            The answers.

        Raises:
            UserError: a stage has not been run or its outcome is stale, or the picture cannot be read.
        """
        return self._encode("text", self._encoder("image"), image, count, expected, only, ())

    def find_for_item(
        self, item: str, find: str = "text", count: int = 10, expected: str | None = None, only: str | None = None
    ) -> Answer:
        """Ranks texts for the picture of an item, or images for its text; its stored feature is the query.

        Args:
            item: the id of an item of any split.
            find: what is ranked: `image` for its text, `text` for its picture.
            count: how many answers.
            expected: the class that counts as right; None takes the item's own.
            only: answers of this class only; None for all.

        Returns:
            The answers.

        Raises:
            UserError: a stage has not been run or its outcome is stale, or the item is not there or has no such side.
        """
        asked = "image" if choose("find", find, MODALITIES) == "text" else "text"
        with self._shelf.turn:
            gallery = self._gallery(find)
            features = self._features(asked)
            row = self._shelf.rows(asked).get(item)
            if row is None:
                raise SettingError(f"item: there is no item {item[:200]!r} with a stored feature of its {asked}")
            label = features.classes[int(features.label[row])]
            return self._answer(gallery, features.feature[row : row + 1], label, count, expected, only)

    def _encode(
        self,
        find: str,
        encoder: Encoder,
        content: str | Path,
        count: int,
        expected: str | None,
        only: str | None,
        unknown: tuple[str, ...],
    ) -> Answer:
        with self._shelf.turn:
            gallery = self._gallery(find)
            feature, label = next(encoder.encode([content]))
            answer = self._answer(gallery, feature, encoder.classes[int(label[0])], count, expected, only)
        return replace(answer, predicted=expected is None, unknown_words=unknown)

    @staticmethod
    def _answer(
        gallery: Gallery, feature: np.ndarray, label: str, count: int, expected: str | None, only: str | None
    ) -> Answer:
        right = label if expected is None else gallery.known(expected)
        return Answer(gallery.rank(feature, count, right, only), right, False, ())

    def _encoder(self, modality: str) -> Encoder:
        """The network for queries; it must be the one that made the features the method was fitted on."""
        encoder, about = self._shelf.encoder(modality)
        made = self._method.provenance.get(f"{modality}_fingerprint")
        if made != features_fingerprint(about["fingerprint"], self._shelf.manifest().digest):
            raise StaleFile(
                f"{self._layout.show(self._run.model)} was fitted on {modality} features of another network than "
                f"{self._layout.show(self._layout.network(modality))}: run `dvc repro`, or "
                f"`drsl encode {modality} -d {self._layout.dataset}` and then {self._refit}"
            )
        return encoder

    def _features(self, modality: str) -> Features:
        """The stored features; they must be those that the method was fitted on."""
        path = self._layout.features(modality)
        features = self._shelf.features(modality)
        asked = {"manifest_digest": self._shelf.manifest().digest}
        repair = f"drsl encode {modality} -d {self._layout.dataset}"
        require_fresh(self._layout.show(path), features.attrs, asked, repair)
        made = self._method.provenance.get(f"{modality}_digest")
        if made != features.attrs.get("digest"):
            raise StaleFile(
                f"{self._layout.show(self._run.model)} was fitted on other {modality} features than "
                f"{self._layout.show(path)}: run {self._refit}"
            )
        return features

    def _gallery(self, modality: str) -> Gallery:
        self._features(modality)
        return self._shelf.gallery(self._run, modality, self._split)

    def _taught(self, encoder: TextEncoder, words: str) -> tuple[TextEncoder, tuple[str, ...]]:
        """The network with words that the data set's texts do not have, and the words without a vector.

        The vectors' file may take a minute to read, so it is read for words that were not asked for before only.
        """
        vocabulary, source = encoder.vocabulary, encoder.config.vectors
        unknown = vocabulary.unknown(words)
        with self._shelf.looking:
            looked_up = self._shelf.looked_up
            if len(looked_up) + len(unknown) > _REMEMBERED:
                looked_up.clear()
            new = [word for word in unknown if (source, word) not in looked_up]
            if new and source != TRAIN:  # words that training has not seen have no vector anywhere
                self._say(f"the data set's texts do not have {_quoted(new)}: looking in {source}")
                try:
                    vectors = self._shelf.vectors(source)
                    if vectors.dim != vocabulary.vectors.shape[1]:
                        raise StaleFile(
                            f"{source} now has vectors of another width than the text network was trained with"
                        )
                    found = vectors.find(new, whole=False).vectors
                    looked_up.update({(source, word): found.get(word) for word in new})
                except UserError as error:  # searching goes on with the words that the network file holds
                    self._say(str(error))
            rows = {word: row for word in unknown if (row := looked_up.get((source, word))) is not None}
        taught = copy(encoder)  # the network is shared, the words are of this query only
        taught.vocabulary = vocabulary.extended(rows)
        return taught, taught.vocabulary.unknown(words)

    @property
    def _refit(self) -> str:
        return f"`drsl fit -d {self._layout.dataset} -m {self._method.name} -s {self._run.seed}`"

    @property
    def _method(self) -> Method:
        method = self._shelf.method(self._run)
        if method.parts:
            kinds = " and ".join(f"the {kind} of {modality}s" for modality, kind in method.parts.items())
            raise UserError(
                f"{method.name} looks at {kinds}, which a query does not have: search with another method, such as "
                "drsl-c (-m drsl-c)"
            )
        return method


def _quoted(words: list[str]) -> str:
    """Some words for a message, which must stay short for a long query."""
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(repr(word[:40]) for word in words[:3]) + more
