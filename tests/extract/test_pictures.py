import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from drsl.extract.pictures import read_picture, read_pixels
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


def test_16_bits_stay_16_bits_in_a_dark_picture(tmp_path):
    dark = Image.fromarray(np.full((10, 20), 255, np.uint16))  # all but black, not white
    for ending in ("png", "tif", "pgm"):
        assert only_color(read_pixels(stored(tmp_path / f"a.{ending}", dark), 8)) == (0,) * 3


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


@pytest.mark.parametrize("size", [(60000, 60000), (9460, 9459), (89_478_486, 1)])
def test_a_decompression_bomb_is_refused_undecoded(tmp_path, size):
    (tmp_path / "a.png").write_bytes(png_of(*size))
    assert "has more than 89,478,485 pixels, like a decompression bomb" in refused(tmp_path / "a.png")


def test_pillow_warns_of_nothing_on_the_screen(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(9460, 9459))
    exif = Image.Exif()
    exif[0x0112] = 1
    content = encoded(noise(), "JPEG")
    block = exif.tobytes()[:-6]  # cut short: odd, but not the picture's fault
    (tmp_path / "b.jpg").write_bytes(
        content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]
    )
    code = (
        "import sys\nfrom pathlib import Path\nfrom drsl.extract.pictures import read_pixels\n"
        "print(read_pixels(Path(sys.argv[2]), 8).shape)\n"
        "try:\n    read_pixels(Path(sys.argv[1]), 8)\nexcept Exception as error:\n    print(type(error).__name__)"
    )
    paths = tmp_path / "a.png", tmp_path / "b.jpg"
    found = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("(8, 8, 3)\nDamagedFile\n", "")


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
