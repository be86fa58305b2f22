"""What the benchmarks share: interleaved medians, peak memory, the machine's vector limit, one JSON object out."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import drsl  # noqa: F401  # isort: skip  (before torch: it settles how torch's threads wait)
import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from drsl.features.threads import run_together
from drsl.train.kernels import vector_code

__all__ = ["beside_busy", "in_turn", "machine", "peak_megabytes", "report", "vector_operations"]


def in_turn(ways: Mapping[str, Callable[[], object]], repeats: Mapping[str, int] | int) -> dict[str, float]:
    """Median seconds of each way, taken in turn so that a busy moment of the machine meets all.

    Args:
        ways: what to time, by name; each is run once before, unless it is run only once at all.
        repeats: how often each is timed.
    """
    counts = {name: repeats if isinstance(repeats, int) else repeats[name] for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for name, way in ways.items():
        if counts[name] > 1:
            way()
    for turn in range(max(counts.values())):
        for name, way in ways.items():
            if turn * counts[name] // max(counts.values()) == len(seconds[name]):
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


def peak_megabytes(work: Callable[[], object]) -> float | None:
    """Memory of its own that the process takes on top while it works; None where /proc does not tell.

    Pages of mapped files are not counted.
    """
    if not Path("/proc/self/status").exists():
        return None
    before = _status("RssAnon")
    most = before
    done = False

    def watch() -> None:
        nonlocal most
        while not done:
            most = max(most, _status("RssAnon"))
            time.sleep(0.002)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done = True
        watcher.join()
    return round((most - before) / 1024, 1)


def _status(key: str) -> int:
    """A line of /proc/self/status, kilobytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def beside_busy(way: Callable[[], object], repeats: int, periods: int = 9) -> dict[str, Any]:
    """Median seconds of a way alone and while another process keeps one core busy, in periods that take turns.

    Other work that comes and goes on a shared machine so meets both. The middle period of each kind counts.

    Args:
        way: what to time.
        repeats: how often in each period.
        periods: periods of each kind.
    """
    alone, busy = [], []
    for _ in range(periods):
        alone.append(in_turn({"way": way}, repeats)["way"])
        with _busy_neighbour():
            busy.append(in_turn({"way": way}, repeats)["way"])
    seconds = {"alone": statistics.median(alone), "busy": statistics.median(busy)}
    threads = torch.get_num_threads()
    fair_share = (threads + 1) / threads  # one more thread wants these cores
    return {
        "seconds": seconds,
        "times_alone": seconds["busy"] / seconds["alone"],
        "times_fair_share": seconds["busy"] / seconds["alone"] / fair_share,
        "times_fair_share_of_each_period": [round(b / a / fair_share, 2) for a, b in zip(alone, busy, strict=True)],
    }


@contextmanager
def _busy_neighbour() -> Iterator[None]:
    """Another process keeps one core busy while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def machine() -> dict[str, Any]:
    """The machine in a few words."""
    name, flags = platform.processor(), ""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        key, _, value = line.partition(":")
        name = value.strip() if key.strip() == "model name" else name
        flags = value if key.strip() == "flags" else flags
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {
        "processor": name,
        "vector": [each for each in known if each in flags.split()],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def report(subject: str, found: Mapping[str, Any]) -> None:
    """Prints the benchmark's JSON object."""
    print(json.dumps({"benchmark": subject, "machine": machine(), **found}, indent=2))


def vector_operations() -> float:
    """Vector operations a second that all threads reach with nothing but registers: add, max, multiply-add in turn.

    The relation function as it is written down needs three of them for every 16 (8, 4) hidden units of a pair.
    """
    rounds = 2_000_000
    out = np.zeros(torch.get_num_threads(), np.float32)
    _spin(rounds, out, 0)
    best = min(_timed(rounds, out) for _ in range(5))
    return len(out) * rounds * 3 * _CHAINS / best


def _timed(rounds: int, out: np.ndarray) -> float:
    places = iter(range(len(out)))
    start = time.perf_counter()
    run_together(lambda: _spin(rounds, out, next(places)), len(out))
    return time.perf_counter() - start


_CHAINS = 12
"""Independent chains of operations: enough to hide their latency."""


@njit(nogil=True)
def _spin(rounds, out, place):
    out[place] = _chains(rounds)


@intrinsic
def _chains(typing: Any, rounds: Any) -> Any:
    """The sum of some chains after many rounds."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        vector = ir.VectorType(ir.FloatType(), vector_code.LANE_BYTES // 4)
        one = ir.Constant(vector, [1.0 + lane / 64 for lane in range(vector.count)])
        start = [ir.Constant(vector, [float(chain)] * vector.count) for chain in range(_CHAINS)]

        def step(at: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
            found = []
            for each in values:
                added = builder.fadd(each, one)
                larger = builder.select(builder.fcmp_ordered(">", added, one), added, one)
                found.append(vector_code.multiply_add(builder, larger, one, each))
            return found

        values = vector_code.loop(builder, arguments[0], 1, start, step)
        total = values[0]
        for each in values[1:]:
            total = builder.fadd(total, each)
        return vector_code.across(builder, total)

    return types.float32(types.intp), build


if __name__ == "__main__":
    report("machine", {"vector_operations_a_second": vector_operations()})
