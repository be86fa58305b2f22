"""A small data set with result files of two methods and two seeds, as the stages leave them."""

import numpy as np
import pytest
from PIL import Image

from drsl.evaluate import open_score_writer
from drsl.evaluate.results import evaluate_scores, write_result
from drsl.evaluate.scores import read_scores
from drsl.features import Item, write_manifest
from drsl.features.layout import Layout

CAPTION = '<script>alert("x")</script> & more'


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path, "toy")
    layout.images.mkdir(parents=True)
    items = []
    for number in range(8):
        Image.new("RGB", (20, 20), (30 * number, 0, 0)).save(layout.images / f"{number}.png")
        label = "cat" if number % 2 else "dog"
        items.append(
            Item(str(number), f"images/{number}.png", f"{CAPTION} {number}", label, "test" if number else "train")
        )
    items.append(Item("9", "", "a cat", "cat", "train"))
    write_manifest(layout.manifest, items)
    ids = [str(number) for number in range(1, 8)]
    label = np.array([int(each) % 2 for each in ids])
    for method, strength in (("drsl-c", 2.0), ("cca", 0.1)):
        for seed in (0, 1):
            noise = np.random.default_rng(seed).standard_normal((7, 7))
            run = layout.run(method, seed)
            with open_score_writer(
                run.scores,
                image_id=ids,
                text_id=ids,
                image_label=label,
                text_label=label,
                classes=["dog", "cat"],
                attrs={"method": method, "dataset": "toy", "seed": seed},
            ) as writer:
                writer.write(0, noise + strength * (label[:, None] == label))
            run.log.write_text(f"epoch,loss,val_map\n1,{8 + seed},0.25\n2,4,\n3,2,0.5\n")
            write_result(
                run, evaluate_scores(read_scores(run.scores), scope=[1, 3], at=[2], cost={"fit_seconds": 1.5 + seed})
            )
    return layout
