"""Graceful interruption, with real signals."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from keras_radtl.runs.interrupt import INTERRUPTED, TERMINATED, Stopped, StopRequest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_check_raises_after_a_signal(number, code):
    with StopRequest() as stop:
        stop.check("before")
        os.kill(os.getpid(), number)
        assert stop.code == code
        with pytest.raises(Stopped, match="^stopped in epoch 2; run the same command to resume$") as error:
            stop.check("in epoch 2")
    assert error.value.code == code


def test_second_ctrl_c_raises_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_second_sigterm_is_only_recorded():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.code == TERMINATED


def test_the_inner_request_handles_a_signal_and_the_outer_one_knows_it():
    with StopRequest(immediately=True) as outer, StopRequest() as inner:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (outer.code, inner.code) == (TERMINATED, TERMINATED)


def test_no_exception_handler_of_a_library_catches_it():
    with pytest.raises(Stopped, match="^stopped; no file is half-written") as error, StopRequest(immediately=True):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            pytest.fail("the library went on")
    assert error.value.code == TERMINATED


def test_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_handlers_are_not_changed_outside_the_main_thread():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with StopRequest() as stop:
            seen.append((signal.getsignal(signal.SIGTERM), stop.code))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, 0)]


def test_exit_codes():
    assert (INTERRUPTED, TERMINATED, Stopped("x").code) == (130, 143, 130)
