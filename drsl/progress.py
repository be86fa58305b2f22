"""Progress bars for long work: rate and time left on a terminal, silent elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm

__all__ = ["bar"]


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr while the block runs, drawn when there is something to show.

    Args:
        title: stands before the bar.
        unit: what is counted, e.g. `image`.

    Yields:
        A function to call with (done, in all, a word on the state).
    """
    with ExitStack() as stack:
        drawn: list[tqdm] = []  # what is not called, such as the download of a file that is there, shows no bar

        def update(done: int, total: int, word: str = "") -> None:
            if not drawn:
                silent = not sys.stderr.isatty()
                new = tqdm(desc=title, unit=unit, unit_scale=True, disable=silent, dynamic_ncols=True)
                drawn.append(stack.enter_context(new))
            (shown,) = drawn
            shown.total = total
            if word:
                shown.set_postfix_str(word, refresh=False)
            shown.update(done - shown.n)

        yield update
