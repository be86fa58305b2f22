"""params.yaml as it stands: every setting of a method is one, and every grid can be tried."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from drsl.params import read_params
from drsl.train import get_method, method_names
from drsl.train.methods import method_class
from drsl.tuning import points_of

ROOT = Path(__file__).resolve().parents[2]
PARAMS = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", PARAMS["grids"])
def test_every_point_of_a_grid_is_a_setting(name):
    grid = PARAMS["grids"][name]
    points = points_of(grid)
    assert len(points) >= 4
    assert len({str(point) for point in points}) == len(points)
    for point in points:
        settings = get_method(name, **point).settings
        assert {key: settings[key] for key in point} == point


def test_every_method_that_learns_in_epochs_has_a_grid():
    trained = {name for name in method_names() if method_class(name).log_columns[0] == "epoch"}
    assert set(PARAMS["grids"]) == trained


@pytest.mark.parametrize("name", PARAMS["methods"])
def test_every_block_of_a_method_is_taken_on_its_data_sets(name):
    params = read_params(ROOT)
    for dataset in (PARAMS["methods"][name] or {}).get("datasets", {"emoji": {}}):
        assert get_method(name, **params.method(dataset, name)).name == name
