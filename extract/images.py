"""From image files to network input: decode, resize, crop, normalise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from drsl.features.errors import DamagedFile, MissingFile

__all__ = ["PixelStore", "center_crop", "normalize", "random_crop", "read_picture", "read_pixels"]

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's mean and deviation by channel, as torchvision's weights expect them."""


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
            if image.format in ("JPEG", "MPO") and _ends_in_zeros(path):
                raise DamagedFile(f"{path} cannot be decoded: its end is all zeros, it was cut short")
            image.draft("RGB", (side, side))  # JPEG: decode no more pixels than the resize needs
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("I;16", "I;16B", "I", "F"):
                upright = _to_eight_bits(upright)
            if upright.has_transparency_data:
                opaque = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(opaque, upright.convert("RGBA"))
            return upright.convert("RGB")
    except FileNotFoundError:
        raise MissingFile(f"{path} is not there; `drsl data check` lists every image that is missing") from None
    except UnidentifiedImageError:
        raise DamagedFile(f"{path} is not an image that Pillow can read") from None
    except DamagedFile:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every type when a file is broken
        raise DamagedFile(f"{path} cannot be decoded: {error}") from None


def normalize(pixels: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Turns bytes into what the network reads.

    Args:
        pixels: (b, h, w, 3) uint8.
        dtype: element type of the result.

    Returns:
        (b, 3, h, w) in `channels_last` layout, ImageNet's mean subtracted, divided by its deviation.
    """
    scaled = (pixels.float() / 255 - torch.tensor(_MEAN)) / torch.tensor(_DEVIATION)
    return scaled.to(dtype).permute(0, 3, 1, 2)


def center_crop(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """Cuts the middle square out.

    Args:
        pixels: (b, side, side, 3).
        size: side of the result, at most `side`.

    Returns:
        (b, size, size, 3), a view.
    """
    start = (pixels.shape[1] - size) // 2
    return pixels[:, start : start + size, start : start + size]


def random_crop(pixels: torch.Tensor, size: int, flip: bool, generator: torch.Generator) -> torch.Tensor:
    """Cuts a random square out of each image, and mirrors every second one by chance.

    Args:
        pixels: (b, side, side, 3).
        size: side of the result, at most `side`.
        flip: whether to mirror left and right with probability one half.
        generator: source of randomness.

    Returns:
        (b, size, size, 3), a copy.
    """
    room = pixels.shape[1] - size + 1
    corners = torch.randint(room, (len(pixels), 2), generator=generator).tolist()
    mirrored = (torch.rand(len(pixels), generator=generator) < 0.5).tolist()
    result = torch.empty((len(pixels), size, size, 3), dtype=pixels.dtype)
    for place, (top, left) in enumerate(corners):
        cut = pixels[place, top : top + size, left : left + size]
        result[place] = cut.flip(1) if flip and mirrored[place] else cut
    return result


class PixelStore:
    """Resized images by position, decoded by a few threads ahead of the consumer and kept while they fit in memory.

    Args:
        paths: image files, n of them.
        side: side of the decoded squares, pixels.
        keep_megabytes: decoded images are kept when all n fit in this many megabytes, else decoded at each use.
        threads: decoding threads (Pillow decodes outside Python's lock).
    """

    def __init__(self, paths: Sequence[Path], side: int, keep_megabytes: int = 1024, threads: int = 4) -> None:
        self._paths = paths
        self._side = side
        self._threads = threads
        fits = len(paths) * side * side * 3 <= keep_megabytes * 2**20
        self._kept: dict[int, np.ndarray] | None = {} if fits else None

    def __len__(self) -> int:
        """Number of images."""
        return len(self._paths)

    def batches(self, order: Sequence[int], size: int) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Goes through images in a given order, batch by batch, one batch decoded ahead.

        Args:
            order: positions of the images wanted.
            size: images a batch; the last may be smaller.

        Yields:
            Positions (b of them) and pixels (b, side, side, 3) uint8.

        Raises:
            MissingFile: an image is not there.
            DamagedFile: an image cannot be decoded.
        """
        parts = [list(order[start : start + size]) for start in range(0, len(order), size)]
        with ThreadPoolExecutor(self._threads) as pool:
            ahead = [pool.map(self._pixels, part) for part in parts[:2]]
            for place, part in enumerate(parts):
                yield part, torch.from_numpy(np.stack(list(ahead.pop(0))))
                if place + 2 < len(parts):
                    ahead.append(pool.map(self._pixels, parts[place + 2]))

    def _pixels(self, position: int) -> np.ndarray:
        if self._kept is not None and position in self._kept:
            return self._kept[position]
        pixels = read_pixels(self._paths[position], self._side)
        if self._kept is not None:
            self._kept[position] = pixels
        return pixels


def _ends_in_zeros(path: Path) -> bool:
    """Whether a JPEG file has zeros where its end marker should be; the decoder would make grey of them, silently."""
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\0" and not path.read_bytes().rstrip(b"\0").endswith(b"\xff\xd9")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit and floating grey values brought to 0..255; Pillow's own conversion would clip them at 255."""
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if image.mode.startswith("I") and values.max(initial=0) > 255 else 255.0
    if image.mode == "F" and values.max(initial=0) <= 1:
        top = 1.0
    return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))
