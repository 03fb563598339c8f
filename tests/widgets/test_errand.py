"""Long things in threads: they move a bar rarely, can be stopped, and say what went wrong."""

from __future__ import annotations

import threading
import time

import pytest

from cupixgeo.errors import TransferError
from cupixgeo.progress import Progress
from cupixgeo.widgets.errand import PAUSE_S, Errand, words_of
from cupixgeo.widgets.view import View

WAIT_S = 10


@pytest.fixture
def view():
    return View([], name="test")


@pytest.fixture
def errand(view):
    return Errand(view, name="test")


def test_work_is_done_in_another_thread_and_its_result_handed_on(errand):
    results = []
    begun = errand.begin("Think", lambda p, stop: threading.current_thread().name, results.append)
    assert begun
    assert errand.wait(WAIT_S)
    assert results == ["cupixgeo-Think"]
    assert errand.layout.display == "none"


def test_only_one_thing_is_done_at_a_time(errand):
    go = threading.Event()
    assert errand.begin("First", lambda p, stop: go.wait(WAIT_S), lambda result: None)
    assert errand.is_busy
    assert errand.layout.display is None
    assert not errand.begin("Second", lambda p, stop: None, lambda result: None)
    go.set()
    assert errand.wait(WAIT_S)
    assert errand.begin("Third", lambda p, stop: None, lambda result: None)
    assert errand.wait(WAIT_S)


def test_the_bar_moves_at_most_ten_times_a_second(errand):
    moves = []
    errand._bar.observe(lambda change: moves.append(change["new"]), "value")

    def work(progress, stop):
        end = time.monotonic() + 0.5
        done = 0
        while time.monotonic() < end:
            done += 1
            progress(Progress("count", done, 10**9, "steps"))

    errand.begin("Count", work, lambda result: None)
    assert errand.wait(WAIT_S)
    assert 2 <= len(moves) <= 0.5 / PAUSE_S + 2


def test_an_error_of_ours_is_said_in_words(errand, view):
    def work(progress, stop):
        raise TransferError("the <file> is not whole. Try again.")

    ended = []
    errand.begin("Fetch", work, ended.append, after=lambda: ended.append("after"))
    assert errand.wait(WAIT_S)
    assert view.message == "the <file> is not whole. Try again."
    time.sleep(0.05)
    assert ended == ["after"]


def test_stopping_ends_the_work_at_its_next_step(errand, view):
    begun = threading.Event()

    def work(progress, stop):
        while True:
            begun.set()
            progress(Progress("count", 1, 2))
            time.sleep(0.005)

    errand.begin("Count", work, lambda result: None)
    assert begun.wait(WAIT_S)
    errand._stop.click()
    assert errand.wait(WAIT_S)
    assert view.message == "Count: stopped."


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("download", 3_200_000, 18_000_000, "bytes", "a.zip"), "download 3.2 of 18.0 MB"),
        (Progress("merge", 1000, 2000), "merge 1,000 of 2,000 points"),
        (Progress("list", 0, 0, "rows", "pointclouds"), "list , pointclouds"),
    ],
)
def test_progress_is_told_in_words(progress, words):
    assert words_of(progress).startswith(words)
