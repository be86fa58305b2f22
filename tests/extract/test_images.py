import io
import struct
import threading
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from drsl.extract import images
from drsl.extract.images import PixelStore, center_crop, normalize, random_crop, read_picture, read_pixels
from drsl.features.errors import DamagedFile, MissingFile

RED, GREEN, BLUE, WHITE = (254, 0, 0), (0, 254, 0), (0, 0, 254), (255, 255, 255)


def stored(path, picture, **options):
    picture.save(path, **options)
    return path


def noise(height=40, width=50):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(picture, format):
    buffer = io.BytesIO()
    picture.save(buffer, format)
    return buffer.getvalue()


def only_color(pixels):
    (color,) = np.unique(pixels.reshape(-1, 3), axis=0)
    return tuple(color.tolist())


def refused(path):
    with pytest.raises(DamagedFile) as info:
        read_pixels(path, 8)
    assert str(info.value).startswith(f"{path} ")
    assert "\n" not in str(info.value)
    return str(info.value)


# Good ones are converted rightly


def test_a_picture_is_resized_to_a_square_of_bytes(tmp_path):
    picture = noise()
    pixels = read_pixels(stored(tmp_path / "a.png", picture), 16)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    assert np.array_equal(pixels, np.asarray(picture.resize((16, 16), Image.Resampling.BILINEAR)))


def test_a_picture_of_the_right_size_is_not_changed(tmp_path):
    picture = noise(12, 12)
    assert np.array_equal(read_pixels(stored(tmp_path / "a.png", picture), 12), np.asarray(picture))


def test_the_ending_does_not_matter(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(noise(), "PNG"))
    stored(tmp_path / "a.png", noise())
    assert np.array_equal(read_pixels(tmp_path / "a.jpg", 16), read_pixels(tmp_path / "a.png", 16))


def test_of_a_moving_picture_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (20, 10), color) for color in (RED, GREEN, BLUE)]
    path = stored(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert only_color(read_pixels(path, 8)) == pytest.approx(RED, abs=2)


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_printers_colors_become_red_green_and_blue(tmp_path, ending):
    path = stored(tmp_path / f"a.{ending}", Image.new("CMYK", (20, 10), (0, 255, 255, 0)))
    assert only_color(read_pixels(path, 8)) == pytest.approx((255, 0, 0), abs=3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((10, 20), 32768, np.uint16), 127),  # 16 bits, which Pillow alone would clip to white
        (np.full((10, 20), 0.5, np.float32), 127),
        (np.full((10, 20), 100.0, np.float32), 100),
        (np.full((10, 20), 40000, np.int32), 155),
        (np.full((10, 20), 77, np.uint8), 77),
    ],
)
def test_grey_of_any_depth_is_brought_to_bytes(tmp_path, values, expected):
    path = stored(tmp_path / "a.tif", Image.fromarray(values))
    assert only_color(read_pixels(path, 8)) == (expected,) * 3


def test_a_16_bit_png_keeps_its_shades(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    pixels = read_pixels(stored(tmp_path / "a.png", Image.fromarray(ramp)), 16)
    assert np.array_equal(pixels[..., 0].ravel(), (np.arange(256) * 257 // 257).astype(np.uint8))


def palette(transparency):
    picture = Image.new("P", (20, 10), 0)
    picture.putpalette([*RED, *GREEN])
    return picture, {"transparency": transparency}


@pytest.mark.parametrize(
    ("picture", "options", "expected"),
    [
        (*palette(0), WHITE),
        (*palette(bytes([127, 255])), (255, 128, 128)),
        (*palette(1), RED),
        (Image.new("RGBA", (20, 10), (0, 0, 0, 0)), {}, WHITE),
        (Image.new("RGBA", (20, 10), (*BLUE, 255)), {}, BLUE),
        (Image.new("LA", (20, 10), (0, 0)), {}, WHITE),
        (Image.new("RGB", (20, 10), RED), {"transparency": RED}, WHITE),
        (Image.new("L", (20, 10), 7), {"transparency": 7}, WHITE),
    ],
)
def test_transparent_parts_are_white(tmp_path, picture, options, expected):
    pixels = read_pixels(stored(tmp_path / "a.png", picture, **options), 8)
    assert only_color(pixels) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_whatever_its_camera_did(tmp_path, orientation):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8, :8], upright[:8, 8:], upright[8:, :8] = RED, GREEN, BLUE
    back = {
        1: lambda each: each,
        2: np.fliplr,
        3: lambda each: np.rot90(each, 2),
        4: np.flipud,
        5: lambda each: each.transpose(1, 0, 2),
        6: lambda each: np.rot90(each, 1),
        7: lambda each: np.rot90(each, 2).transpose(1, 0, 2),
        8: lambda each: np.rot90(each, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = stored(tmp_path / "a.png", Image.fromarray(np.ascontiguousarray(back[orientation](upright))), exif=exif)
    assert np.array_equal(read_pixels(path, 16), upright)


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (1, 20000)])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_extreme_shapes(tmp_path, size, ending):
    pixels = read_pixels(stored(tmp_path / f"a.{ending}", Image.new("RGB", size, (90, 80, 70))), 37)
    assert pixels.shape == (37, 37, 3)
    assert only_color(pixels) == pytest.approx((90, 80, 70), abs=2)


def test_a_large_jpeg_is_decoded_at_no_more_than_needed(tmp_path):
    path = stored(tmp_path / "a.jpg", Image.new("RGB", (640, 480), RED))
    assert read_picture(path, 50).size == (80, 60)
    assert read_picture(path, 481).size == (640, 480)


def test_a_jpeg_with_zeros_after_its_end_is_whole(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(noise(), "JPEG"))
    (tmp_path / "b.jpg").write_bytes(encoded(noise(), "JPEG") + bytes(500))
    assert np.array_equal(read_pixels(tmp_path / "a.jpg", 16), read_pixels(tmp_path / "b.jpg", 16))


# Bad ones are refused


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFile, match=r"gone\.png is not there; `drsl data check` lists"):
        read_pixels(tmp_path / "gone.png", 8)


@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"hello", b"<svg/>", "größe".encode()])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert "not an image that Pillow can read" in refused(tmp_path / "a.png")


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path)


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    refused(tmp_path / "a.png")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, format, part):
    content = encoded(noise(), format)
    (tmp_path / "a").write_bytes(content[: int(part * len(content))])
    refused(tmp_path / "a")


def test_a_jpeg_with_a_tail_of_zeros_is_refused(tmp_path):
    content = encoded(noise(), "JPEG")
    half = len(content) // 2
    (tmp_path / "a.jpg").write_bytes(content[:half] + bytes(len(content) - half))
    assert "its end is all zeros" in refused(tmp_path / "a.jpg")


def png_of(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**5))) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_undecoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(60000, 60000))
    assert "decompression bomb" in refused(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore")  # of Pillow about damaged metadata
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM", "AVIF"])
def test_a_damaged_file_never_ends_in_another_error(tmp_path, format):
    try:
        content = encoded(noise(), format)
    except (KeyError, OSError):
        pytest.skip(f"Pillow here cannot write {format}")
    draw = np.random.default_rng(0)
    for number in range(80):
        damaged = bytearray(content)
        for place in draw.integers(0, len(content) if number % 2 else 60, 3):
            damaged[place] = draw.integers(256)
        (tmp_path / "a").write_bytes(damaged)
        try:
            assert read_pixels(tmp_path / "a", 4).shape == (4, 4, 3)
        except DamagedFile as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)


# Crops


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
    found = normalize(pixels)
    assert (found.shape, found.dtype) == ((2, 3, 4, 4), torch.float32)
    assert found.is_contiguous(memory_format=torch.channels_last)
    for channel, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (pixels[..., channel].double() / 255 - mean) / deviation
        torch.testing.assert_close(found[:, channel].double(), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_is_given_when_asked_for():
    assert normalize(batch(1, 2), torch.bfloat16).dtype == torch.bfloat16


# The store


@pytest.fixture
def files(tmp_path):
    return [stored(tmp_path / f"{number}.png", Image.new("RGB", (5, 4), (number, 0, 0))) for number in range(11)]


def walk(store, order, size):
    return [(positions, pixels[:, 0, 0, 0].tolist()) for positions, pixels in store.batches(order, size)]


@pytest.mark.parametrize("keep", [1024, 0])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 11, 50])
def test_batches_come_in_the_order_asked_for(files, keep, size):
    order = [7, 0, 10, 3, 3, 5, 9, 1]
    found = walk(PixelStore(files, 6, keep_megabytes=keep), order, size)
    assert [len(positions) for positions, _ in found[:-1]] == [size] * (len(found) - 1)
    assert [each for positions, _ in found for each in positions] == order
    assert [each for _, colors in found for each in colors] == order


@pytest.mark.parametrize("keep", [1024, 0])
def test_a_second_walk_gives_the_same(files, keep):
    store = PixelStore(files, 6, keep_megabytes=keep)
    assert walk(store, range(11), 4) == walk(store, range(11), 4)


@pytest.mark.parametrize(("keep", "reads"), [(1024, 11), (0, 22)])
def test_pictures_are_kept_when_all_fit(files, monkeypatch, keep, reads):
    read = []
    monkeypatch.setattr(images, "read_pixels", lambda path, side: read.append(path) or read_pixels(path, side))
    store = PixelStore(files, 6, keep_megabytes=keep)
    for _ in range(2):
        walk(store, range(11), 4)
    assert len(read) == reads


def test_what_is_kept_cannot_be_changed_through_a_batch(files):
    store = PixelStore(files, 6)
    for _, pixels in store.batches(range(11), 4):
        pixels.zero_()
    assert walk(store, [10], 1) == [([10], [10])]


def test_an_empty_order_gives_nothing(files):
    assert walk(PixelStore(files, 6), [], 4) == []
    assert walk(PixelStore([], 6), [], 4) == []


def test_the_store_has_as_many_as_it_was_given(files):
    assert len(PixelStore(files, 6)) == 11


@pytest.mark.parametrize("keep", [1024, 0])
def test_only_two_batches_are_decoded_ahead(files, monkeypatch, keep):
    read = []
    monkeypatch.setattr(images, "read_pixels", lambda path, side: read.append(path) or read_pixels(path, side))
    walking = PixelStore(files, 6, keep_megabytes=keep).batches(range(11), 2)
    next(walking)
    walking.close()
    assert len(read) <= 4


@pytest.mark.parametrize("position", [0, 5, 10])
def test_an_unreadable_picture_stops_the_walk_with_its_name(files, position):
    files[position].write_bytes(b"broken")
    with pytest.raises(DamagedFile, match=rf"{position}\.png"):
        walk(PixelStore(files, 6), range(11), 3)


def test_a_missing_picture_stops_the_walk_with_its_name(files):
    files[9].unlink()
    with pytest.raises(MissingFile, match=r"9\.png"):
        walk(PixelStore(files, 6), range(11), 3)


def test_threads_end_with_the_walk(files):
    before = threading.active_count()
    walk(PixelStore(files, 6), range(11), 3)
    assert threading.active_count() == before
