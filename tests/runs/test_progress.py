"""Progress: a bar on a terminal, log lines otherwise."""

from __future__ import annotations

import io
import sys

import pytest

from keras_radtl.runs import progress
from keras_radtl.runs.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (36061, "10:01:01")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def watch(monkeypatch):
    """Return a clock whose time the test sets."""
    made = Clock()
    monkeypatch.setattr(progress.time, "monotonic", made.monotonic)
    return made


def test_lines_at_intervals_with_the_remaining_time(watch, caplog):
    with caplog.at_level("INFO"), Progress("images", 100, interval=10) as bar:
        for second in range(1, 22):
            watch.now = float(second)
            bar.advance()
    assert caplog.messages == ["images: 11 of 100, left 1:29", "images: 21 of 100, left 1:19"]


def test_written_lines_are_logged(caplog):
    with caplog.at_level("INFO"), Progress("x", 1) as bar:
        bar.write_line("epoch 1 [a]")
    assert caplog.messages == ["epoch 1 [a]"]


def test_update_accepts_done_and_total(watch, caplog):
    with caplog.at_level("INFO"), Progress("images", 1, interval=1) as bar:
        watch.now = 2.0
        bar.update(1, 4)
        bar.describe("resizing")
        watch.now = 4.0
        bar.update(2)
    assert caplog.messages == ["resizing: 2 of 4, left 0:04"]


def test_resumed_steps_do_not_affect_the_remaining_time(watch, caplog):
    with caplog.at_level("INFO"), Progress("training", 100, interval=1) as bar:
        bar.update(90)
        watch.now = 5.0
        bar.update(95)
    assert caplog.messages == ["training: 95 of 100, left 0:05"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_on_a_terminal_does_not_interpret_markup(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("training", 2) as bar:
        bar.advance()
        bar.describe("epoch 2")
        bar.write_line("epoch 1 [bold]done[/bold]")
    assert "epoch 1 [bold]done[/bold]" in terminal.getvalue() and "left" in terminal.getvalue()
