"""From image files to pixels: decode, set upright, resize. Without torch, so that decoding processes start at once."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from drsl.features.errors import DamagedFile, MissingFile

__all__ = ["MOST_PIXELS", "read_picture", "read_pixels"]

MOST_PIXELS = 89_478_485
"""Pictures with more pixels are refused undecoded: a quarter of a gigabyte each, Pillow's own mark of a bomb."""

# Pillow warns of large pictures and of odd metadata, from any thread; here exceptions and the pixels decide.
warnings.filterwarnings("ignore", module="PIL")


def read_pixels(path: Path, side: int) -> np.ndarray:
    """Decodes an image file and resizes it to a square, as the paper does (section 3.2.1).

    Args:
        path: any format Pillow reads, as `read_picture` takes it.
        side: side of the square, pixels; the aspect ratio is not kept.

    Returns:
        (side, side, 3) uint8.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: the file is not an image, cut short, or so large that it looks like a decompression bomb.
    """
    return np.asarray(read_picture(path, side).resize((side, side), Image.Resampling.BILINEAR))


def read_picture(path: Path, side: int) -> Image.Image:
    """Decodes an image file: rotated as its EXIF says, transparent parts on white, converted to RGB.

    Args:
        path: any format Pillow reads; of moving pictures the first frame.
        side: no side need be longer; a JPEG file is decoded at the least of its sizes that is not smaller.

    Returns:
        A picture of mode RGB.

    Raises:
        MissingFile: there is no such file.
        DamagedFile: the file is not an image, cut short, or so large that it looks like a decompression bomb.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _bomb(path)
            if image.format in ("JPEG", "MPO") and _ends_in_zeros(path):
                raise DamagedFile(f"{path} cannot be decoded: its end is all zeros, it was cut short")
            image.draft("RGB", (side, side))  # JPEG: decode no more pixels than the resize needs
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("I;16", "I;16B", "I", "F"):
                upright = _to_eight_bits(upright, image.format)
            if upright.has_transparency_data:
                opaque = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(opaque, upright.convert("RGBA"))
            return upright.convert("RGB")
    except FileNotFoundError:
        raise MissingFile(f"{path} is not there; `drsl data check` lists every image that is missing") from None
    except UnidentifiedImageError:
        raise DamagedFile(f"{path} is not an image that Pillow can read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the warning, where warnings are errors
        raise _bomb(path) from None
    except DamagedFile:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every type when a file is broken
        raise DamagedFile(f"{path} cannot be decoded: {error}") from None


def _ends_in_zeros(path: Path) -> bool:
    """Whether a JPEG file has zeros where its end marker should be; the decoder would make grey of them, silently."""
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\0" and not path.read_bytes().rstrip(b"\0").endswith(b"\xff\xd9")


def _bomb(path: Path) -> DamagedFile:
    return DamagedFile(f"{path} has more than {MOST_PIXELS:,} pixels, like a decompression bomb: make it smaller")


def _to_eight_bits(image: Image.Image, format: str | None) -> Image.Image:
    """Grey values of 16 bits, 32 bits or floating point brought to 0..255; Pillow's conversion would clip them at 255.

    A whole number of 32 bits says nothing about its range but by its values, and so does a floating one; PGM files
    of 16 bits are given as 32.
    """
    values = np.asarray(image, dtype=np.float64)
    most = values.max(initial=0)
    if image.mode == "F":
        top = 1.0 if most <= 1 else 255.0
    else:
        top = 255.0 if image.mode == "I" and format != "PPM" and most <= 255 else 65535.0
    return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))
