"""Methods that look inside items, from `drsl encode --parts` to `drsl evaluate`, as a user types them."""

import json

import numpy as np
import pytest

from drsl.features import open_parts
from drsl.features.joined import JoinedRows
from drsl.train import read_method

pytestmark = pytest.mark.slow  # test_joined_methods.py and test_stage_two.py are the quick ones

D = ("-d", "colors")
SETTINGS = """
  ccl-multi: {image_layers: [16], text_layers: [16], code: 16, hidden: 16, fused: 16, stage_epochs: 2, epochs: 2,
    batch: 9, inputs: standard, learning_rate: 0.001}
  mcsm-full: {dim: 16, references: 10, cell_states: 8, word_states: 8, maps: [8], windows: [3], pools: [2], epochs: 2,
    batch: 9, inputs: standard, learning_rate: 0.001}
"""
METHODS = {"ccl-multi": ("patches", "sentences"), "mcsm-full": ("grid", "words")}


@pytest.fixture(scope="module")
def folder(project):
    """Where the feature files are; settings that make the methods small."""
    params = project / "params.yaml"
    params.write_text(params.read_text().rstrip("\n") + SETTINGS)
    return project / "features" / "colors"


def test_parts_that_are_missing_name_their_command(drsl, folder):
    for modality in ("image", "text"):
        assert drsl("finetune", modality, *D).code == 0
        assert drsl("encode", modality, *D).code == 0
    for name, (kind, _) in METHODS.items():
        drsl("fit", *D, "-m", name).refused(f"image.{kind}.h5", f"drsl encode image --parts {kind} -d colors")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_fitted_and_evaluated(drsl, project, folder, name, monkeypatch):
    for modality, kind in zip(("image", "text"), METHODS[name], strict=True):
        assert drsl("encode", modality, "--parts", kind, *D).code == 0
    read, getitem = [], JoinedRows.__getitem__
    monkeypatch.setattr(
        JoinedRows, "__getitem__", lambda self, key: read.append(len(found := getitem(self, key))) or found
    )
    fitted = drsl("fit", *D, "-m", name)
    assert fitted.code == 0, fitted.err
    assert 0 < max(read) <= 18  # 30 items, 18 of them are trained on
    found = drsl("evaluate", *D, "-m", name)
    assert found.code == 0, found.err
    assert "mean mAP@ALL" in found.out
    result = json.loads((project / "results" / "colors" / name / "0.json").read_text())
    assert 0 < result["mean_map"] <= 1
    method = read_method(project / "results" / "colors" / name / "0.safetensors")
    parts = open_parts(folder / f"image.{METHODS[name][0]}.h5")
    assert method.layouts[0][1:3] == parts.part.shape[1:]
    if name == "mcsm-full":
        vectors = np.asarray(open_parts(folder / "text.words.h5").vectors)
        np.testing.assert_array_equal(method.model.text.text_space.vectors.numpy(), vectors)


def test_a_query_has_no_parts(drsl, folder):
    drsl("search", *D, "-m", "mcsm-full", "red", "fruit").refused("mcsm-full", "the grid of images", "another method")


def test_compare_takes_both_and_keeps_what_is_up_to_date(drsl, folder):
    found = drsl("compare", *D, "-m", "ccl-multi", "-m", "mcsm-full", "-s", "0")
    assert found.code == 0, (found.out, found.err)
    assert found.out.count("up to date") == 2


def test_stale_parts_are_refused(drsl, project, folder):
    params = project / "params.yaml"
    good = params.read_text()
    try:
        params.write_text(good.replace("    drsl:", "    parts: {patches: {side: 2, share: 0.5}}\n    drsl:", 1))
        drsl("fit", *D, "-m", "ccl-multi").refused("image.patches.h5", "side was 3, now 2", "drsl encode image --parts")
    finally:
        params.write_text(good)
    path = folder / "text.words.h5"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        drsl("fit", *D, "-m", "mcsm-full").refused("text.words.h5", "drsl encode text --parts words -d colors")
    finally:
        path.write_bytes(whole)
