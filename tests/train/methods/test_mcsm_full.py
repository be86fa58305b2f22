"""MCSM with parts: attention, and order that matters to what is recurrent alone."""

import pytest
import torch

from drsl.features.errors import SettingError
from drsl.train import get_method
from drsl.train.methods.joined import Taken
from drsl.train.methods.mcsm_full import Attention, McsmFullConfig, ReadCells, ReadWords

CONFIG = McsmFullConfig(dim=6, cell_states=5, word_states=5, maps=(7, 4), windows=(3, 2), pools=(2, 3))


def taken(part):
    return Taken(torch.zeros(len(part), 1), part, torch.ones(part.shape[:2], dtype=torch.bool))


@pytest.mark.parametrize("mixed", [True, False])
def test_attention_sums_to_1_and_gives_a_constant_sequence_back(mixed):
    torch.manual_seed(0)
    attention = Attention(6, 0.5, mixed).eval()
    states = torch.randn(3, 9, 6)
    torch.testing.assert_close(attention.weights(states).sum(dim=1), torch.ones(3))
    constant = torch.randn(3, 1, 6).expand(3, 9, 6)
    torch.testing.assert_close(attention(constant), constant[:, 0])
    looped = torch.stack(
        [sum(w * s for w, s in zip(*row, strict=True)) for row in zip(attention.weights(states), states, strict=True)]
    )
    torch.testing.assert_close(attention(states), looped)


def test_the_order_of_the_cells_matters_and_only_to_what_is_recurrent():
    torch.manual_seed(0)
    read, cells = ReadCells(CONFIG, 8).eval(), torch.randn(2, 49, 8)
    order = torch.randperm(49)
    assert not torch.allclose(read(taken(cells)), read(taken(cells[:, order])), atol=1e-5)
    states = read.out(torch.randn(2, 49, 5))  # as if there were no recurrent layers
    torch.testing.assert_close(read.attention(states), read.attention(states[:, order]))


@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_texts_of_any_length_are_read(length):
    torch.manual_seed(0)
    read = ReadWords(CONFIG, (11, 3), torch.randn(11, 3).numpy()).eval()
    ids = torch.randint(0, 11, (4, length))
    assert read(taken(ids)).shape == (4, 6)
    assert torch.isfinite(read(taken(ids))).all()


def test_word_vectors_are_not_trained():
    vectors = torch.randn(11, 3).numpy()
    read = ReadWords(CONFIG, (11, 3), vectors)
    assert "vectors" not in dict(read.named_parameters())
    torch.testing.assert_close(read.state_dict()["vectors"], torch.from_numpy(vectors))


def test_the_original_reads_eighteen_steps_of_2904_words():
    config = McsmFullConfig(dim=4, word_states=3)
    read, seen = ReadWords(config, (5, 3), None).eval(), []
    read.states.register_forward_hook(lambda layer, given, found: seen.append(given[0].shape))
    read(taken(torch.zeros(1, 2904, dtype=torch.int64)))
    assert seen[0][1] in (18, 19, 20)  # 18 where the convolutions do not keep the length
    assert seen[0][2] == 256


def test_wrong_settings_are_named():
    for settings, words in (
        ({"maps": [3]}, "equally many"),
        ({"pools": [5, 0, 6]}, "pools"),
        ({"dropout": 1.0}, "dropout"),
        ({"cell_states": 0}, "cell_states"),
    ):
        with pytest.raises(SettingError, match=words):
            get_method("mcsm-full", **settings)
