"""Stretches of bytes: what is read of them is what is there, from the start, as often as asked."""

from __future__ import annotations

import hashlib
import io
import os

import pytest

from cupixgeo.errors import TransferError
from cupixgeo.net.body import CHUNK_BYTES, Body, Stretch


@pytest.fixture
def content():
    return os.urandom(CHUNK_BYTES + 12_345)


@pytest.fixture
def file(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("offset", "size"), [(0, None), (0, 10), (7, 0), (1000, CHUNK_BYTES + 1)])
def test_a_stretch_of_a_file_is_read_whole_and_again(file, content, offset, size):
    body = Body.from_file(file, offset=offset, size=size)
    wanted = content[offset : None if size is None else offset + size]
    assert body.size == len(wanted)
    for _ in range(2):
        assert b"".join(body.chunks()) == wanted
    assert body.name == "photo.jpg"


def test_hashes_are_those_of_the_bytes(content):
    body = Body.from_bytes(content)
    assert body.digest() == hashlib.md5(content).hexdigest()
    assert body.digest("sha256") == hashlib.sha256(content).hexdigest()
    # RFC 1864 §2: the digest in base64; the value for an empty body is well known.
    assert Body.from_bytes(b"").content_md5() == "1B2M2Y8AsgTpgAmY7PhCfg=="


def test_a_stretch_has_the_manners_of_a_file(file, content):
    with Body.from_file(file, offset=100, size=50).open() as stream:
        assert stream.read(10) == content[100:110]
        assert stream.tell() == 10
        assert stream.seek(-5, io.SEEK_END) == 45
        assert stream.read() == content[145:150]
        assert stream.read() == b""
        assert stream.seek(2) == 2
        assert stream.seek(3, io.SEEK_CUR) == 5
        assert stream.read(3) == content[105:108]


@pytest.mark.parametrize("size", [9, 11])
def test_a_body_that_is_not_as_long_as_it_says_is_noticed(size):
    body = Body(size, lambda: io.BytesIO(b"0123456789"), "photo.jpg")
    with pytest.raises(TransferError, match=r"photo\.jpg has"):
        list(body.chunks())


def test_closing_a_stretch_closes_the_file(file):
    raw = file.open("rb", buffering=0)
    with Stretch(raw, 0, 10):
        assert not raw.closed
    assert raw.closed


def test_bodies_show_no_bytes():
    assert repr(Body.from_bytes(b"planted", name="a")) == "Body(size=7, name='a')"
