"""drsl: deep relational similarity learning for cross-modal retrieval.

The package's rooms are top-level folders of the repository (`features/`, `evaluate/`, `extract/`, `train/`,
`search/`), mapped to `drsl.features` and so on by `setup.cfg`.
"""

import os as _os
from pathlib import Path as _Path

__version__ = "0.1.0"

# Torch's worker threads must sleep, not spin, while they wait: spinning takes the core from the relation function's own
# threads, and beside another busy process a step takes ten times as long. OpenMP reads this when torch is imported.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# In a source checkout the rooms lie beside this folder, not inside it. Searching there too makes `python -m drsl`,
# `python -m pytest`, editable and wheel installs find the same modules under the same names.
_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and str(_root) not in __path__:
    __path__.append(str(_root))
