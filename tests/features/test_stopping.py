"""The first request to stop is noted, the second one acts."""

import os
import signal
import threading

import pytest

from drsl.features.stopping import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_usual_answer_comes_back(number):
    usual = signal.getsignal(number)
    with stop_requests() as stop:
        assert stop() == 0
        os.kill(os.getpid(), number)
        assert stop() == number
        assert signal.getsignal(number) is usual
    assert signal.getsignal(number) is usual


def test_a_second_ctrl_c_acts_at_once():
    with stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_without_a_signal_everything_stays_as_it_was():
    usual = signal.getsignal(signal.SIGTERM)
    with stop_requests() as stop:
        assert signal.getsignal(signal.SIGTERM) is not usual
    assert stop() == 0
    assert signal.getsignal(signal.SIGTERM) is usual


def test_other_threads_get_no_signals():
    found = []

    def work():
        with stop_requests() as stop:
            found.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0]
