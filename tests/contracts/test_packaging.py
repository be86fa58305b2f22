"""The package map of setup.cfg holds every room, and the checkout rule finds them."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_setup_cfg_lists_every_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {"drsl", "drsl.commands"}
    for room in ("features", "evaluate", "extract", "train", "search"):
        for init in (ROOT / room).rglob("__init__.py"):
            there.add(".".join(("drsl", *init.parent.relative_to(ROOT).parts)))
    assert listed == there


@pytest.mark.slow
def test_ci_sample_the_wheel_holds_every_room(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("drsl-*.whl")
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", str(target), str(wheel)], check=True
    )
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import drsl, drsl.features.store, drsl.train, drsl.extract.stage, drsl.search.searcher\n"
        "from drsl.evaluate.published import published\n"
        "assert drsl.__file__.startswith(sys.path[0]) and drsl.train.__file__.startswith(sys.path[0])\n"
        "assert published('pascal')\n"
        "from pathlib import Path\n"
        "web = Path(drsl.search.searcher.__file__).parent / 'web'\n"
        "assert all((web / f'page.{each}').is_file() for each in ('html', 'css', 'js'))"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
