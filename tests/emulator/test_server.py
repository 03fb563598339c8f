import http.client
import socket

import httpx
import pytest


def exchange(emu, text):
    """Send raw bytes and return everything that comes back until the connection ends."""
    url = httpx.URL(emu.url)
    with socket.create_connection((url.host, url.port), timeout=5) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer.decode("latin-1")


def test_many_requests_share_one_connection(emu):
    url = httpx.URL(emu.url)
    connection = http.client.HTTPConnection(url.host, url.port)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/api/v1/me")
        with connection.getresponse() as response:
            assert response.status == 401
            assert response.version == 11
            response.read()
        ports.add(connection.sock.getsockname())
    connection.close()
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("POST /api/v1/authenticate HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
        ("POST /api/v1/authenticate HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400"),
        ("POST /api/v1/authenticate HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "501"),
        (
            "POST /api/v1/authenticate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "400",
        ),
        ("GET //[ HTTP/1.1\r\n\r\n", "404"),
        ("NONSENSE\r\n\r\n", "400"),
        ("BREW /api/v1/me HTTP/1.1\r\n\r\n", "501"),
    ],
)
def test_a_malformed_request_is_refused(emu, request_text, status):
    assert status in exchange(emu, request_text)


def test_a_body_in_chunks_is_put_together(emu):
    head = "POST /api/v1/authenticate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(emu, head + '5\r\n{"gra\r\n8;x=y\r\nnt": 1}\r\n0\r\nTrailer: x\r\n\r\n')
    assert "ARG10002" in answer or "grant_type" in answer
    assert emu.journal[-1].bytes_received == 13


def test_a_chunk_that_never_comes_is_dropped(emu):
    head = "POST /api/v1/authenticate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(emu, head + "50\r\nshort") == ""
    assert len(emu.journal) == 0


def test_a_request_whose_body_never_comes_is_dropped(emu):
    answer = exchange(emu, "POST /api/v1/authenticate HTTP/1.1\r\nContent-Length: 50\r\n\r\n{}")
    assert answer == ""
    assert len(emu.journal) == 0


def test_head_has_the_length_and_no_body(emu):
    answer = exchange(emu, "HEAD /api/v1/me HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 405 ")
    assert answer.endswith("\r\n\r\n")


def test_a_client_that_goes_away_disturbs_nobody(emu, api, ids, capfd):
    link = httpx.URL(api.link(f"/pointclouds/{ids.scaled_sub}/resources/ply/download"))
    with socket.create_connection((link.host, link.port), timeout=5) as connection:
        head = f"GET {link.raw_path.decode()} HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(head.encode())
        connection.recv(100)
    assert api.fetch(str(link)).status_code == 200
    emu.stop()
    assert capfd.readouterr().err == ""
