"""Each room imports only what lies below it; no module loads under two names; `drsl --help` stays light."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_import_direction():
    _run(sys.executable, "tools/linktree.py")
    code = "import sys; from importlinter.cli import lint_imports_command as run; run()"
    found = _run(
        sys.executable,
        "-c",
        code,
        "--config",
        str(ROOT / "setup.cfg"),
        "--no-cache",
        folder=ROOT / "build" / "linktree",
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout


def test_help_does_not_load_the_heavy_libraries():
    code = (
        "import sys; sys.argv = ['drsl', '--help']\n"
        "from drsl.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'torchvision', 'gensim', 'h5py', 'numpy', 'PIL', 'dvc'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    start = time.perf_counter()
    found = _run(sys.executable, "-c", code)
    assert found.returncode == 0, found.stderr
    assert "Retrieve images with words" in found.stdout
    assert time.perf_counter() - start < 10  # a hang, not a speed claim


def test_drawing_a_data_set_does_not_load_torch():
    code = "import sys, drsl.extract.sources.emoji, drsl.commands.data; assert 'torch' not in sys.modules"
    assert _run(sys.executable, "-c", code).returncode == 0


def test_evaluation_does_not_load_torch():
    code = (
        "import sys, drsl.evaluate, drsl.evaluate.results, drsl.evaluate.report.build, drsl.commands.evaluate; "
        "assert 'torch' not in sys.modules"
    )
    assert _run(sys.executable, "-c", code).returncode == 0


def test_python_dash_m_works_in_the_checkout():
    found = _run(sys.executable, "-m", "drsl", "--version")
    assert found.returncode == 0
    assert found.stdout.startswith("drsl, version ")


def test_the_rooms_are_not_shadowed():
    code = (
        "import drsl.evaluate, drsl.features, drsl.train, sys; "
        "assert not {'evaluate', 'features', 'train', 'extract', 'search'} & set(sys.modules)"
    )
    assert _run(sys.executable, "-c", code).returncode == 0
