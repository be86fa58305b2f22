"""The peak of one stretch of work does not count for the next."""

import sys

import numpy as np
import pytest

from drsl.train.memory import peak_memory, restart_peak


def test_a_peak_is_of_the_order_of_this_process():
    assert 10 * 2**20 < peak_memory() < 2**40


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can restart the peak")
def test_runs_in_one_process_are_measured_apart():
    if not restart_peak():
        pytest.skip("this system does not let a process restart its peak")
    before = peak_memory()
    large = np.ones(200 * 2**20, dtype=np.uint8)
    assert peak_memory() >= before + 150 * 2**20
    del large
    assert restart_peak()
    assert peak_memory() < before + 100 * 2**20


def test_elsewhere_it_is_the_processes(monkeypatch, tmp_path):
    monkeypatch.setattr("drsl.train.memory._STATUS", tmp_path / "none")
    monkeypatch.setattr("drsl.train.memory._CLEAR", tmp_path / "none" / "none")
    assert restart_peak() is False
    assert peak_memory() > 10 * 2**20
