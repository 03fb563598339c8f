"""Uploads: streamed with their length, to whom they belong, once, and told about in plain words."""

from __future__ import annotations

import logging
import os
import tracemalloc

import pytest

from cupixgeo import errors
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.upload import Uploader
from tests.net.conftest import Reply, told

SIGNED = "?X-Signature=planted-signature"


@pytest.fixture
def uploader():
    uploader = Uploader(service="teleport", settings=NetSettings(read_timeout_s=2.0))
    yield uploader
    uploader.close()


@pytest.fixture
def link(server):
    return Secret(f"{server.url}/part/1{SIGNED}")


def test_a_body_is_sent_as_it_is_with_its_length_and_nothing_else(uploader, server, link):
    content = os.urandom(600_000)
    server.script(Reply(200, b'{"content-hash": "77"}', {"ETag": '"0123abcd"'}))
    stored = uploader.upload(link, Body.from_bytes(content))
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", f"/part/1{SIGNED}", content)
    assert seen.headers["content-length"] == "600000"
    sent = set(seen.headers) - {"host", "content-length", "user-agent"}
    assert sent <= {"accept", "accept-encoding", "connection"}
    assert (stored.status, stored.etag) == (200, "0123abcd")
    assert stored.body == b'{"content-hash": "77"}'


def test_method_and_headers_are_what_the_caller_says(uploader, server, link):
    headers = {"Content-Type": "image/jpeg", "X-Key": Secret("planted-key")}
    uploader.upload(link, Body.from_bytes(b"x"), method="POST", headers=headers)
    assert server.seen[0].method == "POST"
    assert server.seen[0].headers["content-type"] == "image/jpeg"
    assert server.seen[0].headers["x-key"] == "planted-key"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(403, b"<Code>AccessDenied</Code>"), errors.PermissionDeniedError),
        (Reply(401), errors.PermissionDeniedError),
        (Reply(400, b"<Code>ExpiredToken</Code> expired"), errors.PermissionDeniedError),
        (Reply(429, headers={"Retry-After": "7"}), errors.RateLimitError),
        (Reply(503), errors.ServerError),
        (Reply(307, headers={"Location": "https://elsewhere.example/"}), errors.ResponseError),
        (Reply(410, b"recently consumed"), errors.ServiceError),
    ],
)
def test_what_the_storage_refuses_is_an_error_of_its_kind_and_sent_once(
    uploader, server, link, reply, kind
):
    server.script(reply)
    with pytest.raises(kind, match="part 1") as caught:
        uploader.upload(link, Body.from_bytes(b"x", name="part 1"))
    assert type(caught.value) is kind
    assert caught.value.status == reply.status
    assert len(server.seen) == 1
    assert "planted" not in told(caught.value)
    if reply.status == 429:
        assert caught.value.retry_after == 7
    if reply.status == 410:
        assert "recently consumed" in str(caught.value)


def test_no_answer_is_said_without_the_link(uploader, server, link, caplog):
    caplog.set_level(logging.DEBUG)
    server.script(Reply(200, b"x" * 100, cut=10))
    with pytest.raises(errors.ConnectionFailedError, match=r"photo\.jpg \(5 bytes\)") as caught:
        uploader.upload(link, Body.from_bytes(b"12345", name="photo.jpg"))
    assert "planted" not in told(caught.value) + caplog.text


def test_a_file_that_is_cut_while_it_is_sent_is_not_called_a_network_fault(
    uploader, link, tmp_path
):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x" * 1000)
    body = Body.from_file(path)
    path.write_bytes(b"x" * 10)
    with pytest.raises(errors.TransferError, match=r"photo\.jpg has 10 bytes instead of 1000"):
        uploader.upload(link, body)


def test_an_unencrypted_storage_elsewhere_gets_nothing(uploader):
    with pytest.raises(errors.TransferError, match="unencrypted"):
        uploader.upload(Secret("http://store.example/part" + SIGNED), Body.from_bytes(b"x"))


def test_what_the_body_raises_arrives_as_it_is(uploader, link):
    def stop():
        raise errors.CancelledError("stopped on request.")

    with pytest.raises(errors.CancelledError, match="on request"):
        uploader.upload(link, Body(10, stop))


def test_a_large_body_is_never_in_memory(uploader, server, link, tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(40 * 2**20)
    server.answer = lambda seen: Reply(200 if len(seen.body) == 40 * 2**20 else 500)
    reading = Body.from_file(path)
    tracemalloc.start()
    try:
        sum(map(len, reading.chunks()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 2**20
    assert uploader.upload(link, reading).status == 200
