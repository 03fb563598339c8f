"""Memory that is used again: never while anybody still looks at it."""

import threading

import numpy as np

from cupixgeo.formats.slabs import Slabs


def test_memory_is_used_again_when_its_last_view_has_gone():
    slabs = Slabs()
    array = slabs.lend(1000)
    place = array.ctypes.data
    view = array.view("<u4").reshape(-1, 10)[3:5]
    del array
    view[:] = 7
    other = slabs.lend(1000)
    other[:] = 0
    assert other.ctypes.data != place
    assert (view == 7).all()
    del view
    assert slabs.lend(500).ctypes.data == place


def test_records_keep_their_memory():
    slabs = Slabs()
    records = slabs.lend(360).view(np.dtype([("x", "<i4"), ("rest", "V32")]))
    records["x"] = np.arange(10)
    column = records["x"]
    del records
    slabs.lend(360)[:] = 255
    np.testing.assert_array_equal(column, np.arange(10))


def test_larger_arrays_than_before_get_memory_of_their_own():
    slabs = Slabs()
    del_me = slabs.lend(10)
    del del_me
    large = slabs.lend(1000)
    assert len(large) == 1000
    large[:] = 1


def test_arrays_may_go_on_another_thread():
    slabs = Slabs()
    held = [slabs.lend(100)]
    place = held[0].ctypes.data
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert slabs.lend(100).ctypes.data == place
