"""The source files that each stage of dvc.yaml depends on: the import closure of its command.

`python tools/dvc_deps.py` writes them into dvc.yaml, between the lines that mark them; a test compares the two.
Left out are the files that only parse the command line and draw progress: they cannot change an output.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from linktree import ROOMS, ROOT, make_linktree

SHELL = frozenset(
    (
        "drsl",
        "drsl.__main__",
        "drsl.cli",
        "drsl.progress",
        "drsl.commands",
        "drsl.commands.tables",
        "drsl.commands.lazy",
    )
)
_PUBLIC = ("wikipedia", "pascal", "nuswide10k", "xmedianet")
_IMAGE = ("drsl.extract.image_config", "drsl.extract.image_build", "drsl.extract.image_encoder")
_TEXT = ("drsl.extract.text_config", "drsl.extract.text_build", "drsl.extract.text_encoder")
_SOURCES = tuple(f"drsl.extract.sources.{each}" for each in (*_PUBLIC, "emoji", "folder", "manifest_file"))
_METHODS = tuple(f"drsl.train.methods.{each.stem}" for each in sorted((ROOT / "train" / "methods").glob("[!_]*.py")))
# A stage's command, and what it imports by name only.
ENTRIES = {
    "prepare": ("drsl.commands.data_prepare", *_SOURCES),
    "finetune-image": ("drsl.commands.finetune", *_IMAGE),
    "finetune-text": ("drsl.commands.finetune", *_TEXT),
    "encode-image": ("drsl.commands.encode", *_IMAGE),
    "encode-text": ("drsl.commands.encode", *_TEXT),
    "fit": ("drsl.commands.fit", *_METHODS),
    "evaluate": ("drsl.commands.evaluate",),
    "report": ("drsl.commands.report",),
}


def closures() -> dict[str, list[str]]:
    """Works the lists out.

    Returns:
        Stage name to file names relative to the project's folder, sorted.
    """
    import grimp

    sys.path.insert(0, str(make_linktree()))
    graph = grimp.build_graph("drsl", exclude_type_checking_imports=True, cache_dir=None)
    found = {}
    for stage, entries in ENTRIES.items():
        todo, seen = list(entries), set()
        while todo:
            module = todo.pop()
            if module in seen:
                continue
            seen.add(module)
            parent = module.rpartition(".")[0]  # importing a module runs its packages first
            todo += [*graph.find_modules_directly_imported_by(module), *([parent] if parent else [])]
        found[stage] = sorted(_file(module) for module in seen - SHELL)
    return found


def write(path: Path) -> None:
    """Puts the lists into dvc.yaml.

    Args:
        path: the dvc.yaml file; each stage has a line `# code` after which its files stand.
    """
    text = path.read_text("utf-8")
    for stage, files in closures().items():
        pattern = rf"(\n  {stage}:\n(?:(?!\n  \S).)*?      # code: [^\n]*\n)(?:      - [^\n]*\.py\n)*"
        lines = "".join(f"      - {file}\n" for file in files)
        text, count = re.subn(pattern, lambda found, lines=lines: found[1] + lines, text, count=1, flags=re.DOTALL)
        if not count:
            raise SystemExit(f"dvc.yaml: stage {stage} has no `# code:` line")
    path.write_text(text, encoding="utf-8")


def _file(module: str) -> str:
    parts = module.split(".")[1:]
    path = Path(*parts) if parts[0] in ROOMS else Path("drsl", *parts)
    return (path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")).as_posix()


if __name__ == "__main__":
    write(ROOT / "dvc.yaml")
