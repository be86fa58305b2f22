"""Crops, mirrors and normalisation."""

import numpy as np
import pytest
import torch

from drsl.extract.architectures import ARCHITECTURES
from drsl.extract.images import center_crop, normalize, random_crop


def batch(count=3, side=9):
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize(("side", "size", "start"), [(9, 9, 0), (9, 5, 2), (9, 4, 2), (8, 5, 1), (256, 224, 16)])
def test_the_middle_is_cut_out(side, size, start):
    pixels = batch(2, side)
    cut = center_crop(pixels, size)
    assert cut.shape == (2, size, size, 3)
    for row in (0, size - 1):
        for column in (0, size // 2):
            assert torch.equal(cut[:, row, column], pixels[:, start + row, start + column])


def places_of(cut, pixels):
    """Every (top, left, mirrored) at which a naive search finds the cut."""
    size = len(cut)
    room = range(len(pixels) - size + 1)
    return {
        (top, left, mirrored)
        for top in room
        for left in room
        for mirrored in (False, True)
        if torch.equal(
            pixels[top : top + size, left : left + size].flip(1)
            if mirrored
            else pixels[top : top + size, left : left + size],
            cut,
        )
    }


def test_random_cuts_are_parts_of_the_picture_and_all_of_them_occur():
    pixels = batch(1, 7)
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(150):
        (place,) = places_of(random_crop(pixels, 5, True, generator)[0], pixels[0])
        seen.add(place)
    assert seen == {(top, left, mirrored) for top in range(3) for left in range(3) for mirrored in (False, True)}


def test_without_flip_nothing_is_mirrored():
    pixels = batch(8, 7)
    cut = random_crop(pixels, 6, False, torch.Generator().manual_seed(0))
    for each, whole in zip(cut, pixels, strict=True):
        assert {mirrored for *_, mirrored in places_of(each, whole)} == {False}


def test_pictures_of_a_batch_are_cut_differently():
    pixels = batch(1, 12).expand(16, -1, -1, -1)
    cut = random_crop(pixels, 6, True, torch.Generator().manual_seed(0))
    assert len({each.numpy().tobytes() for each in cut}) > 8


def test_equal_seeds_cut_equally_and_flip_does_not_move_the_cuts():
    pixels = batch(6, 12)
    cuts = [random_crop(pixels, 6, flip, torch.Generator().manual_seed(3)) for flip in (True, True, False)]
    assert torch.equal(cuts[0], cuts[1])
    for mirrored, plain in zip(cuts[0], cuts[2], strict=True):
        assert torch.equal(mirrored, plain) or torch.equal(mirrored.flip(1), plain)


def test_a_random_cut_is_a_copy():
    pixels = batch(1, 5)
    random_crop(pixels, 5, False, torch.Generator()).zero_()
    assert pixels.any()


def test_bytes_are_normalised_as_torchvision_does():
    pixels = batch(2, 4)
    known = ARCHITECTURES["vgg19"]
    found = normalize(pixels, known.mean, known.deviation)
    assert (found.shape, found.dtype) == ((2, 3, 4, 4), torch.float32)
    assert found.is_contiguous(memory_format=torch.channels_last)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (pixels[..., channel].double() / 255 - mean) / deviation
        torch.testing.assert_close(found[:, channel].double(), expected, rtol=1e-5, atol=1e-6)
