"""`dvc plots show` draws with the templates of `evaluate/plots`, and the colour is the method."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FOUND = sorted((ROOT / "evaluate" / "plots").glob("*.json"))


def test_dvc_has_the_same_templates():
    ours, dvcs = (
        {path.name: path.read_bytes() for path in (ROOT / folder).glob("*.json")}
        for folder in ("evaluate/plots", ".dvc/plots")
    )
    assert ours
    assert ours == dvcs, "cp evaluate/plots/*.json .dvc/plots/"


def test_every_plot_uses_one_of_them():
    plots = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["plots"]
    assert {body["template"] for plot in plots for body in plot.values()} == {path.stem for path in FOUND}


@pytest.fixture
def shown(tmp_path):
    """What `dvc plots show` draws of two methods' curves with each template: template's name to specification."""
    repo = pytest.importorskip("dvc.repo")
    (tmp_path / ".dvc" / "plots").mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    files = []
    for place, method in enumerate(("cca", "drsl-c")):
        path = tmp_path / "results" / "toy" / method / "0.precision_recall.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"recall,i2t_precision\n0.0,{0.5 + 0.1 * place}\n0.5,\n1.0,0.2\n")
        files.append(path.relative_to(tmp_path).as_posix())
    plots = []
    for path in FOUND:
        shutil.copy(path, tmp_path / ".dvc" / "plots")
        plots.append({path.stem: {"template": path.stem, "x": "recall", "y": dict.fromkeys(files, "i2t_precision")}})
    with (tmp_path / "dvc.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"plots": plots}, file)
    from dvc.render.convert import to_json
    from dvc.render.match import match_defs_renderers

    with repo.Repo(str(tmp_path)) as project:
        data = project.plots.show()
        found = match_defs_renderers(data, templates_dir=str(tmp_path / ".dvc" / "plots"))
        return {each.renderer.name: to_json(each.renderer)[0]["content"] for each in found}


def test_colour_and_dashes_are_the_method(shown):
    vl_convert = pytest.importorskip("vl_convert")
    assert set(shown) == {path.stem for path in FOUND}
    for spec in shown.values():
        svg = vl_convert.vegalite_to_svg(spec)
        assert ">cca<" in svg
        assert ">drsl-c<" in svg
        assert svg.count('aria-roledescription="line mark"') == 2  # nor is a line broken by a cell without a number
