"""Over real, encrypted connections: nothing leaves encryption, nothing secret changes hands."""

from __future__ import annotations

import ssl

import pytest

from cupixgeo.errors import ConnectionFailedError, TransferError
from cupixgeo.net.ranges import RangeReader
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.transfer import Expected, download
from tests.formats.ranged import RangedFile
from tests.net.conftest import Reply, Server, told
from tests.net.tls import encrypted, make_certificate

DATA = bytes(range(256)) * 100
TOKEN = "planted" + "-0123456789-token"
SIGNATURE = "abcdef" + "0123456789"
ORDINARY = {"host", "user-agent", "accept", "accept-encoding", "connection", "range", "if-range"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusting(monkeypatch, certificate):
    """Trust the tests' certificate, and no other."""
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("cupixgeo.net.wire._certificates", lambda *, trust_env: context)


@pytest.fixture
def secure(certificate):
    server = encrypted(Server(), certificate)
    yield server
    server.close()


@pytest.fixture
def other_secure(certificate):
    """Another host, as names go."""
    server = encrypted(Server(), certificate)
    server.url = server.url.replace("127.0.0.1", "localhost")
    yield server
    server.close()


def test_a_certificate_nobody_vouches_for_is_refused_at_once(secure, settings, pauses):
    with pytest.raises(ConnectionFailedError, match=r"tried once: .*CERTIFICATE"):
        RangeReader(f"{secure.url}/a.laz?sig={SIGNATURE}", first_bytes=10, settings=settings)
    assert not secure.seen
    assert not pauses


def test_parts_are_read_over_an_encrypted_connection(secure, trusting, settings):
    secure.answer = RangedFile(DATA)
    reader = RangeReader(f"{secure.url}/a.laz", first_bytes=10, settings=settings)
    assert reader.first + reader.read(10, 90) == DATA[:100]
    reader.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_an_open_connection_is_refused_before_anything_is_sent(
    secure, trusting, server, settings, status
):
    server.answer = RangedFile(DATA)
    location = f"{server.url}/a.laz?sig={SIGNATURE}"
    secure.script(Reply(status, headers={"Location": location}))
    with pytest.raises(TransferError, match="from https to an open connection") as caught:
        RangeReader(f"{secure.url}/a.laz", first_bytes=10, settings=settings)
    assert len(secure.seen) == 1
    assert not server.seen
    assert SIGNATURE not in told(caught.value)


def test_a_later_redirect_to_an_open_connection_is_refused_too(secure, trusting, server, settings):
    secure.answer = RangedFile(DATA)
    reader = RangeReader(f"{secure.url}/a.laz", first_bytes=10, settings=settings)
    secure.script(Reply(302, headers={"Location": f"{server.url}/a.laz"}))
    with pytest.raises(TransferError, match="from https to an open connection"):
        reader.read(10, 10)
    assert not server.seen
    reader.close()


def test_a_redirect_to_another_host_takes_nothing_along(secure, other_secure, trusting, settings):
    other_secure.answer = RangedFile(DATA)
    location = f"{other_secure.url}/real?own=1"
    headers = {"Location": location, "Set-Cookie": f"id={SIGNATURE}; Path=/"}
    secure.script(Reply(302, headers=headers))
    url = f"{secure.url}/a.laz?sig={SIGNATURE}"
    reader = RangeReader(url, first_bytes=10, settings=settings)
    assert reader.read(10, 10) == DATA[10:20]
    assert [seen.path for seen in other_secure.seen] == ["/real?own=1"] * 2
    for seen in other_secure.seen:
        assert set(seen.headers) <= ORDINARY
        assert SIGNATURE not in repr(seen)
    reader.close()


def test_a_download_that_is_sent_to_an_open_connection_is_refused(
    secure, trusting, server, settings, tmp_path
):
    server.answer = lambda seen: Reply(200, DATA)
    secure.script(Reply(302, headers={"Location": f"{server.url}/x?sig={SIGNATURE}"}))
    expected = Expected(name="pointcloud 5310", plain_http=True)
    link = Secret(f"{secure.url}/store/1?sig={SIGNATURE}")
    with pytest.raises(TransferError, match="from https to an open connection") as caught:
        download(lambda: link, tmp_path / "a", expected=expected, settings=settings)
    assert not server.seen
    assert SIGNATURE not in told(caught.value)


def test_the_token_stays_with_the_service_that_redirects(
    secure, other_secure, trusting, settings, tmp_path
):
    """The service says where the file is; the storage hears of no token."""
    other_secure.answer = lambda seen: Reply(200, DATA)
    secure.script(Reply(302, headers={"Location": f"{other_secure.url}/x?sig={SIGNATURE}"}))
    auth = {"X-CUPIX-AUTH": Secret(TOKEN)}
    session = Session(secure.url, service="cupix", auth=auth, settings=settings)
    path = download(
        lambda: session.location("pointclouds/5310/download"),
        tmp_path / "a",
        expected=Expected(name="pointcloud 5310"),
        settings=settings,
    )
    session.close()
    assert path.read_bytes() == DATA
    assert secure.seen[0].headers["x-cupix-auth"] == TOKEN
    (seen,) = other_secure.seen
    assert set(seen.headers) <= ORDINARY
    assert TOKEN not in repr(seen)
