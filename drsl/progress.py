"""Progress bars for long work: rate and time left on a terminal, silent elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["bar"]


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr while the block runs.

    Args:
        title: stands before the bar.
        unit: what is counted, e.g. `image`.

    Yields:
        A function to call with (done, in all, a word on the state).
    """
    with tqdm(desc=title, unit=unit, unit_scale=True, disable=not sys.stderr.isatty(), dynamic_ncols=True) as shown:

        def update(done: int, total: int, word: str = "") -> None:
            shown.total = total
            if word:
                shown.set_postfix_str(word, refresh=False)
            shown.update(done - shown.n)

        yield update
