"""docs/map.md names every source file once, and no file that is not there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("drsl", "features", "evaluate", "extract", "train", "search", "benchmarks", "tools")


def _named() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "map.md").read_text("utf-8"), flags=re.MULTILINE)


def _there() -> set[str]:
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".sh", ".csv"))
    return {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}


def test_every_file_is_in_the_map_once():
    named = _named()
    assert len(named) == len(set(named))
    assert set(named) == _there()


def test_no_file_is_too_long():
    for name in _there():
        if name.endswith(".py"):
            assert len((ROOT / name).read_text("utf-8").splitlines()) <= 400, name


def test_no_file_is_a_drawer_for_anything():
    assert not {Path(name).stem for name in _there()} & {"utils", "helpers", "common", "misc"}


def test_documents_name_files_that_exist():
    for document in (ROOT / "docs").glob("*.md"):
        for name in re.findall(
            r"`((?:drsl|features|evaluate|extract|train|search|benchmarks|tests|tools)/[\w/.]*)`", document.read_text()
        ):
            assert (ROOT / name).exists(), f"{document.name}: {name}"
