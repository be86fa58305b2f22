"""Features are joined with parts of the same items, network and settings, or refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from drsl.features import Features
from drsl.features.errors import MissingFile, StaleFile
from drsl.features.joined import JoinedRows
from drsl.features.layout import Layout
from drsl.features.parts import open_parts_writer
from drsl.params import Params
from drsl.project import Project
from drsl.stage_two import with_parts

ENCODER = json.dumps({"fingerprint": "f" * 64, "settings": {"crop": 32}})
PARTS = {"image": "patches"}


@pytest.fixture
def project(tmp_path):
    return Project(Params(tmp_path, {"datasets": {"toy": {}}}), Layout(tmp_path, "toy"))


@pytest.fixture
def image():
    return Features(
        id=np.array(list("abcd"), dtype=object),
        feature=np.arange(12, dtype=np.float32).reshape(4, 3),
        label=np.array([0, 1, 0, 1]),
        split=np.array([0, 0, 1, 2], np.uint8),
        classes=("ant", "bee"),
        attrs={"dataset": "toy", "digest": "d", "manifest_digest": "m", "encoder": ENCODER},
    )


def write(project, image, **changed):
    settings = json.dumps({"side": 3, "share": 0.5} | changed.pop("settings", {}))
    about = {"settings": settings, "encoder": ENCODER, "manifest_digest": "m", "dataset": "toy"} | changed
    path = project.layout.parts("image", "patches")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_parts_writer(
        path,
        "patches",
        id=image.id.tolist(),
        label=image.label,
        split=image.split,
        classes=image.classes,
        shape=(2, 3),
        attrs=about,
    ) as writer:
        writer.append(np.ones((4, 2, 3), np.float16), np.ones((4, 2), bool))


def test_a_method_without_parts_gets_the_features_as_they_are(project, image):
    assert with_parts(project, image, image, {}) == (image, image)


def test_features_are_joined_on_the_side_that_is_asked_for(project, image):
    write(project, image)
    joined, text = with_parts(project, image, image, PARTS)
    assert text is image
    assert isinstance(joined.feature, JoinedRows)
    assert joined.feature.shape == (4, 3 + 6 + 2)
    assert joined.attrs["digest"] != image.attrs["digest"]


def test_missing_parts_name_the_command(project, image):
    with pytest.raises(MissingFile, match=r"image\.patches\.h5 .*`drsl encode image --parts patches -d toy`"):
        with_parts(project, image, image, PARTS)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"manifest_digest": "n"}, "manifest"),
        ({"encoder": json.dumps({"fingerprint": "e" * 64, "settings": {"crop": 32}})}, "fingerprint"),
        ({"settings": {"side": 2}}, "side was 2, now 3"),
    ],
)
def test_stale_parts_are_refused(project, image, changed, words):
    write(project, image, **changed)
    with pytest.raises(StaleFile, match=f"{words}.*drsl encode image --parts patches -d toy"):
        with_parts(project, image, image, PARTS)


def test_parts_of_other_items_are_refused(project, image):
    write(project, replace(image, id=image.id[::-1]))
    with pytest.raises(StaleFile, match="other items"):
        with_parts(project, image, image, PARTS)
