from pathlib import Path

import pytest

from drsl.features.layout import Layout, Run

ROOT = Path("/home/somebody/project")


@pytest.fixture
def layout():
    return Layout(ROOT, "pascal")


def all_paths(layout):
    """Every file and folder that a layout names."""
    by_modality = [
        getattr(layout, name)(modality)
        for name in ("network", "features", "encoder_log", "encoder_result")
        for modality in ("image", "text")
    ]
    runs = [layout.run(method, seed) for method in ("cca", "drsl-concat") for seed in (0, 1)]
    of_runs = [getattr(run, name) for run in runs for name in vars(Run) if isinstance(vars(Run)[name], property)]
    by_modality += [layout.parts("image", "grid"), layout.parts("text", "words"), layout.parts("text", "sentences")]
    return [layout.manifest, layout.images, layout.report, layout.work, *by_modality, *of_runs]


@pytest.mark.parametrize(
    ("path", "spelt"),
    [
        (lambda layout: layout.manifest, "data/pascal/manifest.csv"),
        (lambda layout: layout.features("image"), "features/pascal/image.h5"),
        (lambda layout: layout.features("text"), "features/pascal/text.h5"),
        (lambda layout: layout.parts("image", "grid"), "features/pascal/image.grid.h5"),
        (lambda layout: layout.network("image"), "models/pascal/image.safetensors"),
        (lambda layout: layout.run("cca", 3).result, "results/pascal/cca/3.json"),
        (lambda layout: layout.run("cca", 3).model, "results/pascal/cca/3.safetensors"),
        (lambda layout: layout.run("cca", 3).scores, "results/pascal/cca/3.scores.h5"),
        (lambda layout: layout.work, "work/pascal"),
    ],
)
def test_paths_that_others_rely_on(layout, path, spelt):
    assert path(layout) == ROOT / spelt
    assert layout.show(path(layout)) == spelt


def test_no_two_files_share_a_path(layout):
    paths = all_paths(layout)
    assert len(set(paths)) == len(paths) > 20


def test_data_sets_are_apart(layout):
    assert not set(all_paths(layout)) & set(all_paths(Layout(ROOT, "wikipedia")))


def test_resume_state_lies_outside_all_outputs(layout):
    others = [path for path in all_paths(layout) if path != layout.work]
    assert not any(path.is_relative_to(layout.work) or layout.work.is_relative_to(path) for path in others)


def test_all_runs_of_a_method_lie_in_one_folder(layout):
    assert layout.run("cca", 0).folder == layout.run("cca", 1).folder == layout.results / "cca"


def test_a_path_outside_the_project_is_shown_whole(layout):
    assert layout.show(Path("/elsewhere/a.h5")) == str(Path("/elsewhere/a.h5"))


def test_a_relative_project():
    layout = Layout(Path(), "toy")
    assert layout.show(layout.manifest) == "data/toy/manifest.csv"
