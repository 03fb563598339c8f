"""Parts of a remote file are the parts asked for, of one and the same file, or an error."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import cupixgeo.net.ranges as ranges
from cupixgeo.errors import (
    ArgumentError,
    BadRequestError,
    ConnectionFailedError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    TransferError,
)
from cupixgeo.net.ranges import RangeReader
from tests.formats.ranged import RangedFile
from tests.net.conftest import Reply, told

DATA = bytes(range(256)) * 1000
SIGNATURE = "abcdef" + "0123456789"


@pytest.fixture
def file(server) -> RangedFile:
    server.answer = RangedFile(DATA)
    return server.answer


def opened(server, settings, path="/a.laz") -> RangeReader:
    return RangeReader(server.url + path, first_bytes=1000, settings=settings)


def test_parts_are_those_asked_for_and_no_more_is_fetched(server, settings, file):
    reader = opened(server, settings)
    assert reader.first == DATA[:1000]
    assert reader.version.size_bytes == len(DATA)
    assert reader.read(5000, 300) == DATA[5000:5300]
    assert reader.read(len(DATA) - 10, 10) == DATA[-10:]
    assert file.served == 1310
    reader.close()
    with pytest.raises(TransferError, match="closed"):
        reader.read(0, 1)


def test_the_server_gets_a_range_and_a_condition_and_nothing_else(server, settings, file):
    opened(server, settings).read(10, 10)
    ordinary = {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert server.seen[0].headers.keys() - ordinary == {"range"}
    assert server.seen[1].headers.keys() - ordinary == {"range", "if-range"}
    assert server.seen[1].headers["accept-encoding"] == "identity"


def test_any_number_of_threads_may_read(server, settings, file):
    reader = opened(server, settings)
    starts = range(0, len(DATA) - 999, 997)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda start: reader.read(start, 999), starts))
    assert parts == [DATA[start : start + 999] for start in starts]


def test_a_small_file_is_shorter_than_the_first_part(server, settings):
    server.answer = RangedFile(b"LASF")
    assert opened(server, settings).first == b"LASF"


def test_an_empty_file_is_empty(server, settings):
    server.answer = RangedFile(b"")
    reader = opened(server, settings)
    assert (reader.first, reader.version.size_bytes) == (b"", 0)


# -- servers that give no parts --------------------------------------------------------------------


def test_a_small_file_is_taken_whole_where_the_server_gives_no_parts(server, settings):
    server.script(Reply(200, DATA))
    reader = opened(server, settings)
    assert reader.version.size_bytes == len(DATA)
    assert reader.read(5000, 300) == DATA[5000:5300]
    assert len(server.seen) == 1


def test_a_large_one_is_refused_before_it_is_fetched(server, settings, monkeypatch):
    monkeypatch.setattr(ranges, "LARGEST_WHOLE", 1000)
    server.script(Reply(200, DATA))
    with pytest.raises(TransferError, match=r"gives no parts.*256,000 bytes\. Download it"):
        opened(server, settings)
    server.script(Reply(200, DATA, length=False))
    with pytest.raises(TransferError, match="of a length it does not tell"):
        opened(server, settings)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "does not say which part"),
        ({"Content-Range": "bytes 0-999/*"}, "does not say which part"),
        ({"Content-Range": "lines 0-999/5000"}, "does not say which part"),
        ({"Content-Range": "bytes 1-1000/256000"}, "sends bytes 1 to 1,000 where 0 to 999"),
        ({"Content-Range": "bytes 0-99/256000"}, "sends bytes 0 to 99 where 0 to 999"),
        ({"Content-Range": "bytes 0-999/256000", "Content-Encoding": "gzip"}, r"compressed \(gzip"),
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_refused(server, settings, headers, words):
    server.script(Reply(206, DATA[:1000], headers))
    with pytest.raises(TransferError, match=words) as caught:
        opened(server, settings)
    assert f"{server.url}/a.laz" in str(caught.value)


# -- files that change -----------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["etag", "size", "modified", "gone"])
def test_a_file_that_changes_between_two_parts_is_not_mixed(server, settings, file, change):
    file.modified = "Sat, 01 Nov 2025 00:00:00 GMT"
    if change in ("size", "modified"):
        file.etag = None
    reader = opened(server, settings)
    assert reader.read(1000, 10) == DATA[1000:1010]
    match change:
        case "etag":
            file.etag = '"two"'
        case "size":
            file.data = DATA + b"more"
        case "modified":
            file.modified = "Sun, 02 Nov 2025 00:00:00 GMT"
        case "gone":
            server.script(Reply(404))
    kind = NotFoundError if change == "gone" else TransferError
    with pytest.raises(kind, match=r"Check the address" if change == "gone" else "has changed"):
        reader.read(2000, 10)


def test_a_server_that_ignores_the_condition_is_found_out(server, settings, file):
    reader = opened(server, settings)
    headers = {"Content-Range": f"bytes 10-19/{len(DATA)}", "ETag": '"two"'}
    server.script(Reply(206, bytes(10), headers))
    with pytest.raises(TransferError, match="has changed"):
        reader.read(10, 10)


def test_a_weak_etag_is_no_condition_but_is_compared(server, settings, file):
    file.etag = 'W/"one"'
    reader = opened(server, settings)
    reader.read(10, 10)
    assert "if-range" not in server.seen[-1].headers
    file.etag = 'W/"two"'
    with pytest.raises(TransferError, match="has changed"):
        reader.read(10, 10)


# -- failures --------------------------------------------------------------------------------------


def test_passing_faults_are_waited_out(server, settings, pauses, file):
    reader = opened(server, settings)
    faults = [
        Reply(503, headers={"Retry-After": "7"}),
        Reply(502),
        Reply(206, DATA[50:150], {"Content-Range": f"bytes 50-149/{len(DATA)}"}, cut=20),
    ]
    server.answer = lambda seen: faults.pop(0) if faults else file(seen)
    assert reader.read(50, 100) == DATA[50:150]
    assert len(pauses) == 3
    assert pauses[0] >= 7.0


def test_a_part_that_is_always_cut_ends_in_an_error(server, settings, pauses):
    headers = {"Content-Range": f"bytes 0-999/{len(DATA)}"}
    server.script(Reply(206, DATA[:1000], headers, cut=300))
    with pytest.raises(ConnectionFailedError, match="tried 5 times"):
        opened(server, settings)
    assert len(pauses) == 4


def test_a_part_that_is_too_short_or_too_long_is_no_part(server, settings, pauses):
    headers = {"Content-Range": f"bytes 0-999/{len(DATA)}"}
    server.script(Reply(206, DATA[:300], headers))
    with pytest.raises(ConnectionFailedError, match="300 bytes instead of 1,000"):
        opened(server, settings)
    server.script(Reply(206, DATA[:3000], headers))
    with pytest.raises(ConnectionFailedError, match="more than 1000 bytes"):
        opened(server, settings)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, PermissionDeniedError, "not public, or the link has expired"),
        (404, NotFoundError, "Check the address"),
        (418, BadRequestError, "answers 418"),
        (503, ServerError, "asked 5 times.*later"),
    ],
)
def test_a_refusal_is_a_typed_error_that_keeps_the_signature(
    server, settings, pauses, status, kind, words
):
    server.script(Reply(status))
    with pytest.raises(kind, match=words) as caught:
        opened(server, settings, f"/a.laz?X-Signature={SIGNATURE}")
    assert caught.value.status == status
    assert f"{server.url}/a.laz" in str(caught.value)
    assert SIGNATURE not in told(caught.value)


def test_no_server_at_all_is_a_connection_error(server, settings, pauses):
    server.close()
    with pytest.raises(ConnectionFailedError, match="Check the network"):
        opened(server, settings)


def test_what_is_no_address_is_refused(settings):
    for address in ("ftp://example.com/a.laz", "https://", "https://user:pass@example.com/a.laz"):
        with pytest.raises(ArgumentError):
            RangeReader(address, first_bytes=10, settings=settings)


# -- redirects -------------------------------------------------------------------------------------


def test_a_redirect_is_followed_once_and_remembered(server, other_server, settings):
    store = RangedFile(DATA)
    other_server.answer = store
    server.script(Reply(302, headers={"Location": f"{other_server.url}/real?key=1"}))
    reader = opened(server, settings)
    assert reader.read(77, 7) == DATA[77:84]
    assert (len(server.seen), len(other_server.seen)) == (1, 2)
    assert "referer" not in other_server.seen[0].headers

    expired = threading.Event()
    other_server.answer = lambda seen: (
        Reply(403) if "key=1" in seen.path and expired.is_set() else store(seen)
    )
    expired.set()
    server.script(Reply(302, headers={"Location": f"{other_server.url}/real?key=2"}))
    assert reader.read(77, 7) == DATA[77:84]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/a.laz", "more than 3 times"),
        ("ftp://127.0.0.1/a.laz", "cannot be used"),
        (None, "cannot be read"),
    ],
)
def test_a_redirect_to_nowhere_is_refused(server, settings, location, words):
    server.script(Reply(302, headers={} if location is None else {"Location": location}))
    with pytest.raises(TransferError, match=words):
        opened(server, settings)


def test_a_redirect_never_leaves_encryption(server, settings, file):
    reader = opened(server, settings)
    with pytest.raises(TransferError, match="from https to an open connection"):
        reader._checked(ranges.Secret("https://a.example/x"), ranges.Secret("http://a.example/x"))


def test_a_reader_is_not_pickled(server, settings, file):
    with pytest.raises(TypeError, match="open connections"):
        opened(server, settings).__reduce__()
