"""Resized images by position, decoded ahead of the network by threads or by processes of their own."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import torch

from drsl.extract.pictures import read_pixels
from drsl.features.errors import UserError

__all__ = ["PixelStore"]

_FEW = 64
"""Images that threads have decoded before processes have started."""


class PixelStore:
    """Resized images by position, decoded ahead of the consumer and kept while they fit in memory.

    Args:
        paths: image files, n of them.
        side: side of the decoded squares, pixels.
        keep_megabytes: decoded images are kept when all n fit in this many megabytes, else decoded at each use.
        threads: decoding threads (Pillow decodes outside Python's lock).
        processes: decoding processes instead of threads, where there are many images; 0 for none. They are spawned, so
            a script that asks for them needs the usual `if __name__ == "__main__"`.
    """

    def __init__(
        self, paths: Sequence[Path], side: int, keep_megabytes: int = 1024, threads: int = 4, processes: int = 0
    ) -> None:
        self._paths = paths
        self._side = side
        self._threads = threads
        self._processes = processes if len(paths) >= _FEW else 0
        fits = len(paths) * side * side * 3 <= keep_megabytes * 2**20
        self._kept: dict[int, np.ndarray] | None = {} if fits else None

    def __len__(self) -> int:
        """Number of images."""
        return len(self._paths)

    def batches(self, order: Sequence[int], size: int) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Goes through images in a given order, batch by batch, one batch decoded ahead.

        Args:
            order: positions of the images wanted.
            size: images a batch; the last may be smaller.

        Yields:
            Positions (b of them) and pixels (b, side, side, 3) uint8.

        Raises:
            MissingFile: an image is not there.
            DamagedFile: an image cannot be decoded.
            UserError: a decoding process was killed.
        """
        parts = (list(order[start : start + size]) for start in range(0, len(order), size))
        with ExitStack() as stack:
            pool: list[Executor] = []  # started for the first image that is not kept, ended with the walk

            def decode(part: Sequence[int]) -> Iterable[np.ndarray]:
                kept = self._kept if self._kept is not None else {}
                missing = [position for position in dict.fromkeys(part) if position not in kept]
                if not missing:
                    return (kept[position] for position in part)
                if not pool:
                    pool.append(stack.enter_context(self._start()))
                    stack.callback(pool[0].shutdown, cancel_futures=True)
                decoded = pool[0].map(read_pixels, [self._paths[each] for each in missing], repeat(self._side))
                return self._in_order(part, missing, decoded)

            ahead = deque((part, decode(part)) for part in islice(parts, 2))
            try:
                while ahead:
                    part, pixels = ahead.popleft()
                    yield part, torch.from_numpy(np.stack(list(pixels)))
                    ahead.extend((part, decode(part)) for part in islice(parts, 1))
            except BrokenProcessPool:
                raise UserError(
                    "a process that decodes images was killed: is there enough memory? run the command again"
                ) from None

    def _in_order(
        self, part: Sequence[int], missing: Sequence[int], decoded: Iterator[np.ndarray]
    ) -> Iterator[np.ndarray]:
        found = dict(zip(missing, decoded, strict=True))
        if self._kept is not None:
            self._kept.update(found)
            found = self._kept
        for position in part:
            yield found[position]

    def _start(self) -> Executor:
        if self._processes:
            context = multiprocessing.get_context("spawn")  # a forked copy of running threads may never wake up
            # Ctrl-C is the main process's to answer; it ends the others. The initializer and `read_pixels` import
            # little, so that processes start in a fifth of a second.
            ignore = signal.signal, (signal.SIGINT, signal.SIG_IGN)
            return ProcessPoolExecutor(self._processes, context, *ignore)
        return ThreadPoolExecutor(self._threads, thread_name_prefix="decode")
