"""The examples in docstrings show what the code gives."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for room in ("features", "evaluate", "extract", "train") for path in sorted((ROOT / room).rglob("*.py"))]
FILES += [ROOT / "drsl" / "commands" / "tables.py"]
WITH_EXAMPLES = [path for path in FILES if ">>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples(path, tmp_path, monkeypatch):
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "drsl" else ("drsl", *parts)).removesuffix(".__init__")
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0
