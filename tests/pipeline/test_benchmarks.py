"""Each benchmark runs alone and prints one JSON object; no time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SHARED = {"measure.py", "plain.py"}
NAMES = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in SHARED)


def test_there_is_one_for_each_subject():
    subjects = ("linear_methods", "metrics", "relation", "scale", "scoring", "stage_one", "table7")
    assert tuple(name.removesuffix(".py") for name in NAMES) == subjects
    table = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"`{name}`" in table for name in NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_ci_sample_of_a_benchmark(name):
    done = subprocess.run([sys.executable, str(FOLDER / name), "--smoke"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["benchmark"] == name.removesuffix(".py")
    assert found["machine"]["threads"] >= 1
