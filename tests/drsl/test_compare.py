"""`drsl compare`: the files of the stages, nothing made twice, one failure that costs the others nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import drsl
from drsl.comparison import plan
from drsl.features.layout import Layout
from drsl.project import Project
from drsl.train import method_names
from drsl.train.methods import method_class

ALL = ("-d", "toy", "-m", "drsl-c", "-m", "deep-sm", "-m", "cca", "--seeds", 2)


@pytest.fixture
def layout(toy_project):
    return Layout(toy_project, "toy")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder for a project whose methods are compared, which several tests begin with."""
    return tmp_path_factory.mktemp("compared") / "project"


@pytest.fixture
def compared(command, toy_project, kept):
    """The toy project after `drsl compare`, which runs once for all tests that begin with it."""
    if kept.exists():
        shutil.copytree(kept, toy_project, dirs_exist_ok=True)
    else:
        assert command("compare", *ALL).code == 0
        shutil.copytree(toy_project, kept)


def runs_said(outcome):
    """Method and seed to the last words of its line."""
    lines = [line.split() for line in outcome.out.splitlines() if line.startswith("[")]
    lines = [line[1:] if line[0].endswith("]") else line[2:] for line in lines]
    return {(line[0], line[2]): " ".join(line[9:]) for line in lines}


def test_it_writes_what_the_stages_write(command, layout):
    found = command("compare", *ALL)
    assert found.code == 0, found.err
    assert set(runs_said(found)) == {("drsl-c", "0"), ("drsl-c", "1"), ("deep-sm", "0"), ("deep-sm", "1"), ("cca", "0")}
    assert "against drsl-c" in found.out
    assert "Against drsl-c, of 2 methods" in found.out
    run = layout.run("deep-sm", 1)
    files = (run.model, run.scores, run.log, run.queries, run.precision_recall, run.precision_scope)
    before = [path.read_bytes() for path in files]
    metrics = json.loads(run.result.read_text())
    assert (layout.report / "index.html").is_file()
    for stage in ("fit", "evaluate"):
        assert command(stage, "-d", "toy", "-m", "deep-sm", "-s", 1).code == 0
    assert [path.read_bytes() for path in files] == before
    alone = json.loads(run.result.read_text())
    costs = {"fit_seconds", "score_seconds", "peak_memory_mb"}
    assert {key: alone[key] for key in alone if key not in costs} == {
        key: metrics[key] for key in metrics if key not in costs
    }


def test_what_is_up_to_date_is_not_made_again(command, layout, toy_project):
    assert command("fit", "-d", "toy", "-m", "cca").code == 0  # the stage's own run counts
    assert command("compare", *ALL).code == 0
    before = layout.run("drsl-c", 1).model.stat().st_mtime_ns
    again = runs_said(command("compare", *ALL))
    assert set(again.values()) == {"up to date"}
    assert layout.run("drsl-c", 1).model.stat().st_mtime_ns == before
    params = toy_project / "params.yaml"
    params.write_text(params.read_text().replace("hidden: 8", "hidden: 9"))
    said = runs_said(command("compare", *ALL))
    assert {key for key, word in said.items() if word != "up to date"} == {("deep-sm", "0"), ("deep-sm", "1")}
    said = runs_said(command("compare", *ALL, "--force"))
    assert "up to date" not in said.values()


@pytest.mark.parametrize("damage", ["scores", "cost", "model", "code"])
def test_what_is_not_whole_is_made_again(compared, command, layout, damage, monkeypatch):
    path = {
        "scores": layout.run("cca", 0).scores,
        "cost": layout.run("cca", 0).cost,
        "model": layout.run("cca", 0).model,
    }
    if damage == "code":
        monkeypatch.setattr("drsl.train.stage.code_digest", lambda module: "other" if module.endswith("cca") else "")
    elif damage == "scores":
        path[damage].write_bytes(path[damage].read_bytes()[:-9])
    else:
        path[damage].unlink()
    found = command("compare", *ALL)
    assert found.code == 0, found.err
    remade = {key for key, word in runs_said(found).items() if word != "up to date"}
    assert ("cca", "0") in remade
    assert len(remade) == (5 if damage == "code" else 1)


def test_new_cut_offs_need_no_fit(compared, command, layout, toy_project):
    params = toy_project / "params.yaml"
    params.write_text(params.read_text().replace("at: [5]", "at: [3]"))
    assert set(runs_said(command("compare", *ALL)).values()) == {"up to date"}
    assert "i2t_map_at_3" in json.loads(layout.run("cca", 0).result.read_text())


def test_one_that_fails_does_not_end_the_others(compared, command, layout, monkeypatch):
    monkeypatch.setattr("drsl.train.methods.cca.Cca._solutions", lambda *_: 1 / 0)
    found = command("compare", "-d", "toy", "-m", "cca", "-m", "deep-sm", "-s", 3, "--force")
    assert found.code == 1
    assert ("deep-sm", "3") in runs_said(found)
    assert "1 of 2 runs failed" in found.err
    assert "cca, seed 0: ZeroDivisionError: division by zero; the table shows its older result" in found.err
    assert "Traceback" not in found.err


def test_a_wrong_setting_fails_its_method_alone(command, toy_project):
    params = toy_project / "params.yaml"
    params.write_text(params.read_text().replace("hidden: 8", "hiden: 8"))
    found = command("compare", *ALL)
    assert found.code == 1
    assert "did you mean 'hidden'" in found.err
    assert ("cca", "0") in runs_said(found)


def test_all_methods_and_five_seeds_by_default(toy_project):
    project = Project.open(toy_project, "toy")
    planned = plan(project, (), range(5))
    able = [name for name in method_names() if not getattr(method_class(name), "parts", {})]
    assert list(dict.fromkeys(name for name, _ in planned.runs)) == able
    for name in able:
        seeds = [seed for each, seed in planned.runs if each == name]
        assert seeds == ([0, 1, 2, 3, 4] if method_class(name).stochastic else [0])


def test_methods_whose_parts_are_not_there_are_left_out(toy_project, monkeypatch):
    project = Project.open(toy_project, "toy")
    monkeypatch.setattr(method_class("deep-sm"), "parts", {"image": "grid"}, raising=False)
    planned = plan(project, (), [0])
    assert ("deep-sm", "features/toy/image.grid.h5 is not there") in planned.left_out
    assert "deep-sm" not in dict(planned.runs)
    assert plan(project, ["deep-sm"], [0]).runs == (("deep-sm", 0),)  # asked for: its own message tells
    project.layout.parts("image", "grid").write_bytes(b"")
    assert "deep-sm" in dict(plan(project, (), [0]).runs)


def test_wrong_words(command):
    found = command("compare", "-d", "toy", "-m", "deep-sn")
    assert found.code == 1
    assert "did you mean 'deep-sm'" in found.err
    found = command("compare", "-d", "toy", "-s", 1, "--seeds", 3)
    assert found.code == 1
    assert "give either seeds" in found.err


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_comparison_goes_on(command, layout, toy_project):
    arguments = ["-m", "cca", "-m", "drsl-c", "--seeds", "3"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "drsl", "-C", str(toy_project), "compare", "-d", "toy", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(drsl.__file__).parent.parent)},
    )
    for line in process.stdout:
        if "drsl-c seed 0" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    found = command("compare", "-d", "toy", *arguments)
    assert found.code == 0, found.err
    said = runs_said(found)
    assert said["cca", "0"] == said["drsl-c", "0"] == "up to date"
    assert said["drsl-c", "2"] != "up to date"
