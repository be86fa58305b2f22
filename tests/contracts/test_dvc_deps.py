"""dvc.yaml names every source file that a stage reads, and its plots and locks name what its matrices make."""

import importlib.util
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from drsl.train import get_method

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pipeline():
    return YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def params():
    return YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text("utf-8"))


def test_each_stage_lists_the_import_closure_of_its_command(pipeline):
    spec = importlib.util.spec_from_file_location("dvc_deps", ROOT / "tools" / "dvc_deps.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    closures = tool.closures()
    assert set(closures) == set(pipeline["stages"])
    for stage, files in closures.items():
        listed = [each for each in pipeline["stages"][stage]["deps"] if each.endswith(".py")]
        assert listed == files, f"{stage}: run `python tools/dvc_deps.py`"


def test_each_stage_has_a_file_dependency_and_runs_the_command(pipeline):
    for name, stage in pipeline["stages"].items():
        assert stage["deps"], name  # without one, DVC's run cache would not restore its outputs
        assert stage["cmd"].startswith("drsl "), name


def test_plots_show_every_method_of_the_default_run(pipeline, params):
    seed = params["run"]["seeds"][0]
    for plot in pipeline["plots"]:
        ((title, body),) = plot.items()
        if "fine-tuning" in title:
            continue
        named = {Path(path).parent.name for path in body["y"]}
        # A closed form has a row a candidate in its log, and no epochs.
        trained = {name for name in params["run"]["methods"] if get_method(name).log_columns[0] == "epoch"}
        assert named == (trained if "convergence" in title else set(params["run"]["methods"])), title
        assert {Path(path).name.split(".")[0] for path in body["y"]} == {str(seed)}, title


def test_every_method_of_the_default_run_has_a_block(params):
    from drsl.train import method_names

    assert set(params["run"]["methods"]) <= set(params["methods"])
    assert set(params["methods"]) <= set(method_names())
