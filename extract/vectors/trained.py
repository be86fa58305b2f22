"""Word vectors trained on a data set's own training texts, by gensim's word2vec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from drsl.extract.text_config import Word2vecConfig
from drsl.extract.vectors.base import TableVectors
from drsl.features.errors import UserError

__all__ = ["train_vectors"]

_LONGEST = 10_000
"""gensim passes over what is behind this many words of a sentence."""


class _Sentences:
    """Texts as lists of tokens, made anew at each pass; a long text is several."""

    def __init__(self, texts: Callable[[], Iterable[str]], tokenize: Callable[[str], Iterator[str]]) -> None:
        self._texts = texts
        self._tokenize = tokenize

    def __iter__(self) -> Iterator[list[str]]:
        for text in self._texts():
            tokens = self._tokenize(text)
            while part := list(islice(tokens, _LONGEST)):
                yield part


def train_vectors(
    texts: Callable[[], Iterable[str]], tokenize: Callable[[str], Iterator[str]], config: Word2vecConfig
) -> TableVectors:
    """Trains skip-gram word vectors; the same texts and settings give the same bits.

    Args:
        texts: gives the training texts anew at each call; they stream by, once an epoch. Val and test texts have no
            place here.
        tokenize: splits a text.
        config: width, window, epochs, seed.

    Returns:
        The vectors of all tokens that are frequent enough.

    Raises:
        UserError: no token is.
    """
    from gensim.models import Word2Vec

    sentences = _Sentences(texts, tokenize)
    model = Word2Vec(
        vector_size=config.dim,
        window=config.window,
        min_count=config.min_count,
        epochs=config.epochs,
        seed=config.seed,
        sg=1,
        sample=0,  # passing over frequent words is for billions of words; a data set's texts are few
        workers=1,  # more would race for the weights, and no two runs would be alike
    )
    model.build_vocab(sentences)
    if not len(model.wv):
        raise UserError(
            f"no word occurs {config.min_count} or more times in the training texts, so no word vectors can be trained "
            "on them: lower text.word2vec.min_count, or give text.vectors a file"
        )
    model.train(sentences, total_examples=model.corpus_count, epochs=config.epochs)
    return TableVectors("the training texts", model.wv.index_to_key, model.wv.vectors)
