import numpy as np
import pytest

from drsl.extract.text_config import Word2vecConfig
from drsl.extract.tokens import Tokenizer
from drsl.extract.vectors.trained import train_vectors
from drsl.features.errors import UserError

ANIMALS, TOOLS = ("fox", "hen", "cat", "dog"), ("saw", "axe", "nail", "drill")
_DRAW = np.random.default_rng(0)
TEXTS = [" ".join(_DRAW.choice(each, 6)) for each in (ANIMALS, TOOLS) * 60]
SMALL = Word2vecConfig(dim=20, epochs=10)


def train(texts=TEXTS, config=SMALL, tokenizer=Tokenizer()):  # noqa: B008
    return train_vectors(lambda: iter(texts), tokenizer, config)


def table(vectors, words=(*ANIMALS, *TOOLS)):
    found = vectors.find(words).vectors
    return np.stack([found[word] for word in words])


def test_words_of_like_texts_have_like_vectors():
    vectors = train()
    rows = table(vectors)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    near = rows @ rows.T
    assert vectors.dim == 20
    assert near[:4, :4].min() > near[:4, 4:].max()
    assert near[4:, 4:].min() > near[4:, :4].max()


def test_the_seed_alone_makes_the_numbers(start_python):
    code = (
        "import hashlib\nfrom drsl.extract.text_config import Word2vecConfig\n"
        "from drsl.extract.tokens import Tokenizer\nfrom drsl.extract.vectors.trained import train_vectors\n"
        f"found = train_vectors(lambda: {TEXTS!r}, Tokenizer(), {SMALL!r})\n"
        f"rows = found.find({[*ANIMALS, *TOOLS]!r}).vectors\n"
        "print(hashlib.sha256(b''.join(rows[word].tobytes() for word in sorted(rows))).hexdigest())"
    )
    told = {start_python(code).communicate()[0] for _ in range(2)}  # strings hash otherwise in each process
    assert len(told) == 1
    assert len(told.pop()) == 65
    assert np.array_equal(table(train()), table(train()))
    assert not np.array_equal(table(train()), table(train(config=Word2vecConfig(dim=20, epochs=10, seed=1))))


def test_the_global_random_state_stays(keeps_randomness):
    before = keeps_randomness()
    train()
    assert keeps_randomness() == before


def test_words_of_a_long_text_are_all_learned():
    text = "fox " * 12_000 + "late " * 2
    assert set(train([text]).find(["fox", "late"]).vectors) == {"fox", "late"}


def test_characters_are_learned():
    vectors = train(["红狐狸跑", "红狐跑"] * 5, tokenizer=Tokenizer("characters", 2))
    assert set(vectors.find(["红", "红狐", "狐狸", "狸红"]).vectors) == {"红", "红狐", "狐狸"}


def test_rare_words_get_no_vector():
    vectors = train(["fox fox hen", "fox hen ox"], Word2vecConfig(dim=4, epochs=1, min_count=2))
    assert set(vectors.find(["fox", "hen", "ox"]).vectors) == {"fox", "hen"}


@pytest.mark.parametrize("texts", [[], [""], ["!!!", " "]])
def test_texts_without_words_are_one_message(texts):
    with pytest.raises(UserError, match=r"no word occurs 1 or more times .*: lower text\.word2vec\.min_count"):
        train(texts)
