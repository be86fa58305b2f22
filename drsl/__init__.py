"""drsl: deep relational similarity learning for cross-modal retrieval.

The package's rooms are top-level folders of the repository (`features/`, `evaluate/`, `extract/`, `train/`,
`search/`), mapped to `drsl.features` and so on by `setup.cfg`.
"""

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a source checkout the rooms lie beside this folder, not inside it. Searching there too makes `python -m drsl`,
# `python -m pytest`, editable and wheel installs find the same modules under the same names.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and str(_root) not in __path__:
    __path__.append(str(_root))
