"""The collector sees again, after a merge, what it was kept from."""

from __future__ import annotations

import gc
import threading

from cupixgeo.collector import collector_paused, heap_set_aside


def test_nothing_stays_set_aside_after_blocks_in_one_another_and_in_threads():
    begun, go_on = threading.Event(), threading.Event()

    def other():
        with heap_set_aside():
            begun.set()
            go_on.wait(10)

    thread = threading.Thread(target=other)
    with heap_set_aside():
        with heap_set_aside():
            assert gc.get_freeze_count() > 0
        thread.start()
        assert begun.wait(10)
    assert gc.get_freeze_count() > 0
    go_on.set()
    thread.join(10)
    assert gc.get_freeze_count() == 0


def test_what_the_process_set_aside_itself_stays_so():
    gc.freeze()
    try:
        with heap_set_aside():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
