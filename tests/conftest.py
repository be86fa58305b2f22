"""What all rooms' tests share: made-up features, other Python processes, folders that nobody may write."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import drsl
from drsl.cli import main
from drsl.features import Features

# `--hypothesis-profile=thorough` runs each property on 10,000 cases.
settings.register_profile(
    "quick", max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=10_000)
settings.load_profile("quick")

# A shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    def refused(self, *words: str, problems: int = 0) -> None:
        """Exit code 1, a line for each of some problems, then one line that says what is wrong, no traceback."""
        assert self.code == 1, self
        *before, last = self.err.strip().splitlines()
        assert last.startswith("drsl: ")
        assert [line[:9] for line in before] == ["problem: "] * problems, self.err
        for word in words:
            assert word in last, self.err


@pytest.fixture
def command_in(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command line in a project's folder, in this process."""

    def run(root: Path, *arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["drsl", "-C", str(root), *(str(each) for each in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), said.out, said.err)

    return run


def _module(name: str) -> ModuleType:
    """A file beside this one; the tests are no package."""
    spec = importlib.util.spec_from_file_location(Path(name).name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def public_trees() -> ModuleType:
    """The functions of public_trees.py, which make small folders in the layouts of the public data sets."""
    return _module("public_trees")


@pytest.fixture(scope="session")
def make_paired_toy() -> Callable[..., tuple[Features, Features]]:
    """Builds a paired toy problem with a known latent."""
    make: Callable[..., tuple[Features, Features]] = _module("paired_toy").make_paired_toy
    return make


@pytest.fixture(scope="session")
def make_features() -> Callable[..., Features]:
    """Builds small features: every class in every split when there are enough rows; equal seeds, equal numbers."""

    def build(n: int = 12, dim: int = 8, classes: int = 3, seed: int = 0, modality: str = "image") -> Features:
        rows = np.arange(n)
        return Features(
            id=np.array([f"item-{row}" for row in rows], dtype=object),
            feature=np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32),
            label=rows % classes,
            split=(rows // classes % 3).astype(np.uint8),
            classes=tuple(f"class-{number}" for number in range(classes)),
            attrs={
                "dataset": "toy",
                "modality": modality,
                "encoder": '{"architecture":"toy"}',
                "manifest_digest": "0" * 64,
                "fingerprint": "1" * 64,
            },
        )

    return build


@pytest.fixture(scope="session")
def start_python() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts another Python process that runs some code; kills it at the end at the latest."""
    home = str(Path(drsl.__file__).parent.parent)
    started = []

    def start(code: str, *arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *(str(each) for each in arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": home, "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Debian's chromium without a window, driven by Selenium. Skips, with the reason, where it is not."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, service = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and service):
        pytest.skip("no browser: `apt-get install chromium chromium-driver` brings the one tested with")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,900"):
        options.add_argument(each)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    yield found
    found.quit()


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the present user cannot make a file."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # permissions do not bind root, but /sys takes no new files
        if not Path("/sys/kernel").is_dir():
            pytest.skip("everything can be written")
        yield Path("/sys/kernel")
        return
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
