import numpy as np
import pytest

from drsl.extract.id_store import IdStore
from drsl.extract.words import Vocabulary

VOCABULARY = Vocabulary(("fox", "hen", "red"), np.zeros((4, 2), np.float32))


class Texts:
    """Texts that are made when they are asked for, and counted."""

    def __init__(self, texts):
        self.texts, self.asked = texts, []

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, place):
        self.asked.append(place)
        return self.texts[place]


TEXTS = ["red fox", "hen\nfox hen", "ox", ""]


@pytest.mark.parametrize("megabytes", [0, 256])
def test_texts_are_rows_of_ids(megabytes):
    store = IdStore(TEXTS, VOCABULARY, 3, "mean", megabytes)
    for _ in range(2):
        assert store.lines(0).tolist() == [[3, 1, 0]]
        assert store.lines(1).tolist() == [[2, 0, 0], [1, 2, 0]]
        assert store.lines(2).tolist() == store.lines(3).tolist() == [[0, 0, 0]]
    assert store.lines(1).dtype == np.int32
    assert IdStore(TEXTS, VOCABULARY, 3, "join").lines(1).tolist() == [[2, 1, 2]]


def test_no_text_is_read_before_it_is_asked_for_nor_twice_while_there_is_room():
    texts = Texts(["red fox"] * 10)
    store = IdStore(texts, VOCABULARY, 4, "join", keep_megabytes=3 * (16 + 200) / 2**20)
    assert texts.asked == []
    for _ in range(2):
        for place in range(5):
            store.lines(place)
    assert texts.asked == [0, 1, 2, 3, 4, 3, 4]
