"""`drsl methods` and `drsl tune` as people type them; docs/methods.md as the docstrings have it."""

from pathlib import Path

import pytest

from drsl.method_page import method_page
from drsl.params import read_params
from drsl.train import method_names

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_names_every_method(command):
    found = command("methods", "-d", "toy")
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    for name in method_names():
        assert any(line.startswith(f"{name}: ") for line in lines), name
    assert "random: a run a seed; on toy: inputs: standard" not in found.out  # in the file's order
    assert "random: a run a seed; on toy: hidden: 8, epochs: 2, batch: 20, inputs: standard" in found.out
    assert "nothing random" in found.out
    assert "drsl compare -d toy" in found.out


@pytest.mark.parametrize("name", method_names())
def test_each_setting_has_a_meaning(command, name):
    found = command("methods", name, "-d", "toy")
    assert found.code == 0, found.err
    table = found.out.split("\n\n")[1].splitlines()
    assert table[0].split()[0] == "setting"
    assert all(len(line) > table[0].index("meaning") for line in table), found.out


def test_one_method_in_full(command):
    assert command("fit", "-d", "toy", "-m", "cca").code == 0
    found = command("methods", "cca", "-d", "toy").out
    assert "the fitted method (seed 0) has components: [" in found
    assert "methods:\n  cca:\n    datasets:\n      toy: {components: [10, 20, 50, 100, 300]}" in found
    assert "[1e-05, 0.01]" in command("methods", "deep-sm", "-d", "toy").out  # the grid
    wrong = command("methods", "kca", "-d", "toy")
    assert wrong.code == 1
    assert "did you mean 'kcca'" in wrong.err


def test_the_page_is_what_the_docstrings_say():
    assert (ROOT / "docs" / "methods.md").read_text("utf-8") == method_page(), "run `drsl methods --markdown`"


def test_the_page_is_written(command, toy_project):
    assert "wrote docs/methods.md" in command("methods", "-d", "toy", "--markdown").out
    assert (toy_project / "docs" / "methods.md").read_text("utf-8") == method_page()
    assert command("compare", "-d", "toy", "-m", "cca").code == 0
    assert "[cca](../../docs/methods.md#cca)" in (toy_project / "reports" / "toy" / "table.md").read_text("utf-8")


def test_tune(command, toy_project):
    path = toy_project / "params.yaml"
    before = path.read_text("utf-8")
    found = command("tune", "-d", "toy", "-m", "deep-sm", "--dry-run")
    assert found.code == 0, found.err
    assert "learning_rate: 0.01" in found.out
    assert "2 fits, recorded in results/toy/deep-sm/tune.csv" in found.out
    assert path.read_text("utf-8") == before
    assert not (toy_project / "results").exists()
    found = command("tune", "-d", "toy", "-m", "deep-sm")
    assert found.code == 0, found.err
    assert "wrote results/toy/deep-sm/tune.csv" in found.out
    assert read_params(toy_project).method("toy", "deep-sm")["learning_rate"] in (1e-5, 0.01)
    lines = path.read_text("utf-8").splitlines()
    (changed,) = [line for line in lines if line not in before.splitlines()]
    assert changed.startswith("      toy: {hidden: 8, epochs: 2, batch: 20, inputs: standard, learning_rate: ")
    assert "   # chosen by drsl tune on val: 0." in changed
    assert changed.endswith(", best of 2")
    again = command("tune", "-d", "toy", "-m", "deep-sm")
    assert again.out.count("(from the record)") == 2
    assert path.read_text("utf-8").splitlines() == lines


def test_tune_a_method_that_chooses_by_itself(command, toy_project):
    found = command("tune", "-d", "toy", "-m", "cca")
    assert found.code == 0, found.err
    assert "chosen by the method itself" in (toy_project / "params.yaml").read_text("utf-8")
    chosen = read_params(toy_project).method("toy", "cca")
    assert {key: len(each) for key, each in chosen.items()} == {"components": 1, "power": 1, "ridge": 1}


def test_nothing_to_tune(command):
    found = command("tune", "-d", "toy", "-m", "drsl-c")
    assert found.code == 1
    assert "drsl-c has nothing to choose on val" in found.err
    assert "grids: {drsl-c:" in found.err
