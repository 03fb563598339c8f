import gc
import hashlib

from cupixgeo.emulator.spool import Spool


def test_parts_come_in_any_order_and_leave_in_the_right_one():
    spool = Spool()
    for number, body in ((3, b"c"), (1, b"aa"), (2, b"x"), (2, b"bb")):
        part = spool.put("one", number, body)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        assert (part.number, part.size, part.md5) == (number, len(body), digest)
    assert sorted(spool.parts("one")) == [1, 2, 3]
    assert spool.join("one", [1, 2, 3]).read_bytes() == b"aabbc"


def test_what_is_discarded_is_gone_from_disk():
    spool = Spool()
    spool.put("one", 1, b"a")
    spool.put("two", 1, b"b")
    whole = spool.join("one", [1])
    spool.discard("one")
    spool.discard("never")
    assert spool.parts("one") == {}
    assert not whole.exists()
    assert spool.join("two", [1]).read_bytes() == b"b"


def test_a_forgotten_spool_leaves_nothing_behind():
    spool = Spool()
    spool.put("one", 1, b"a")
    folder = spool.join("one", [1]).parent
    assert folder.is_dir()
    del spool
    gc.collect()
    assert not folder.exists()
