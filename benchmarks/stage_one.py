"""Stage one: photos encoded a second against the plain loop, and memory from 1,000 to 20,000 images.

`python benchmarks/stage_one.py` prints one JSON object; `--smoke` runs small sizes once. The photos are made here:
smooth noise, 640 x 480, JPEG. Speed is that of VGG-19 at 224 x 224. Memory grows, if it does, with the number of
pictures, so it is measured with pictures of 40 x 40 and the network at 32 x 32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ != "__mp_main__":  # decoding processes import this file by that name, and need nothing of it
    from measure import in_turn, peak_megabytes, report  # isort: skip (sets threads)
    import numpy as np
    import torch
    from PIL import Image
    from torchvision import transforms

    from drsl.extract.config import FinetuneConfig
    from drsl.extract.encode import encode_items
    from drsl.extract.image_build import build_image_encoder
    from drsl.extract.image_config import ImageConfig
    from drsl.extract.image_encoder import ImageEncoder
    from drsl.features.manifest import Item, Manifest
    from drsl.features.threads import core_count


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few images, one repeat")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        print(json.dumps(memory(arguments.memory)))
        return
    photos, side = (4, 64) if arguments.smoke else (96, 224)
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_photos(Path(folder), photos, (640, 480), "jpg")
        paths = [manifest.image_path(item) for item in manifest.items]
        lines: list[str] = []
        encoder = encoder_for(manifest, side, "auto", lines)
        network = encoder_for(manifest, side, "float32", []).network.to(memory_format=torch.contiguous_format).eval()
        ways = {
            "ours": lambda: [feature for feature, _ in encoder.encode(paths)],
            "plain": lambda: plain(network, paths, side),
        }
        difference = furthest(np.concatenate(ways["ours"]()), ways["plain"]())
        seconds = in_turn(ways, 1 if arguments.smoke else 3)
    counts = (20, 40) if arguments.smoke else (1000, 20_000)
    report(
        "stage_one",
        {
            "sizes": {"photos": photos, "photo": [640, 480], "side": side, "batch": encoder.batch},
            "settled": lines,
            "seconds": seconds,
            "photos_a_second": {name: photos / each for name, each in seconds.items()},
            "ratio": seconds["plain"] / seconds["ours"],
            "largest_relative_difference": difference,
            "memory": [in_a_process(count) for count in counts],
        },
    )


def plain(network: torch.nn.Module, paths: list[Path], side: int) -> np.ndarray:
    """The usual loop: PIL, torchvision's transforms, the float32 network, one process."""
    prepare = transforms.Compose(
        [
            transforms.Resize((side * 8 // 7, side * 8 // 7)),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    found = []
    for start in range(0, len(paths), 16):
        batch = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths[start : start + 16]])
        with torch.no_grad():
            found.append(network.feature(batch).numpy())
    return np.concatenate(found)


def furthest(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest distance of a feature to its plain twin, relative to the twin's length."""
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max())


def encoder_for(manifest: Manifest, side: int, precision: str, lines: list[str]) -> ImageEncoder:
    """VGG-19 with random weights, as `drsl finetune image` would start it."""
    train = FinetuneConfig(1, 16, "sgd", 0.01, 0.0, 0.0, 0)
    config = ImageConfig("vgg19", "none", side * 8 // 7, side, 7 if side > 100 else 1, 0.5, True, precision, train)
    encoder = build_image_encoder(config, manifest, manifest.folder, manifest.folder, lines.append, "cpu")
    encoder.decoders = core_count()
    return encoder


def make_photos(folder: Path, count: int, size: tuple[int, int], ending: str) -> Manifest:
    """Pictures that all differ, and their manifest."""
    draw = np.random.default_rng(0)
    items = []
    for number in range(count):
        small = draw.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        name = f"{number}.{ending}"
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=90)
        items.append(Item(str(number), name, "", "ab"[number % 2], "train"))
    return Manifest(tuple(items), folder)


def in_a_process(count: int) -> dict[str, float]:
    """Memory is measured in a process of its own, so that nothing of other measurements is in it."""
    command = [sys.executable, __file__, "--memory", str(count)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def memory(count: int) -> dict[str, float | None]:
    """Peak memory of encoding to a feature file."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_photos(Path(folder), count, (40, 40), "png")
        encoder = encoder_for(manifest, 32, "float32", [])
        about = {"fingerprint": "0" * 64}
        peak = peak_megabytes(
            lambda: encode_items(encoder, about, manifest, Path(folder) / "image.h5", Path(folder) / "work")
        )
    return {"images": count, "peak_megabytes": peak, "feature_megabytes": count * encoder.dim * 4 / 2**20}


if __name__ == "__main__":
    main()
