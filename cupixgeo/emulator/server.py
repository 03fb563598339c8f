"""The HTTP server under both origins: sockets, keep-alive, delivery and an orderly end.

Knows HTTP/1.1 on a loopback socket. Knows no service: what to answer comes from one function.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from cupixgeo.emulator.wire import Request, Response, is_number

HOST = "127.0.0.1"
_POLL_S = 0.02
_JOIN_S = 5.0
_LINE_BYTES = 1024

Answer = Callable[[Request], tuple[Response, Callable[[int], None]]]
"""Takes a request; returns its response and a function that is told of every bytes sent."""


class Server(HTTPServer):
    """One origin: a listening loopback socket and a thread for each connection.

    Parameters
    ----------
    port : int
        Port to listen on, 0 for a free one.
    answer : callable
        Makes the response to a request.
    now : callable
        Returns the time for the Date header, [s] since 1970-01-01 UTC.
    """

    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, *, answer: Answer, now: Callable[[], float]) -> None:
        self.answer = answer
        self.now = now
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__((HOST, port), Handler)
        self._loop = threading.Thread(
            target=self.serve_forever, args=(_POLL_S,), name=f"emulator:{self.port}", daemon=True
        )

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind without looking up the host's name (the inherited way asks a name server)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.port

    def start(self) -> None:
        """Begin to answer."""
        self._loop.start()

    def stop(self) -> None:
        """Stop answering: close every connection, wait for its thread, close the port."""
        self.stopping.set()
        self.shutdown()
        self._loop.join(_JOIN_S)
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            _hang_up(connection)
        for thread in connections.values():
            thread.join(_JOIN_S)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own."""
        thread = threading.Thread(
            target=self._serve,
            args=(request, client_address),
            name="emulator:connection",
            daemon=True,
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that went away; everything else is reported as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def _serve(self, connection: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(connection, client_address)
        except OSError:
            self.handle_error(connection, client_address)
        finally:
            with self._lock:
                self._open.pop(connection, None)
            self.shutdown_request(connection)


class Handler(BaseHTTPRequestHandler):
    """Reads requests from one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    server_version = "cupixgeo-emulator"
    disable_nagle_algorithm = True
    server: Server

    def serve(self) -> None:
        """Answer the request whose head has just been read."""
        body = self._read_body()
        if body is None:
            return
        target, _, query = self.path.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        request = Request(
            method=self.command,
            path=unquote(target),
            query=dict(pairs),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            pairs=pairs,
        )
        response, count = self.server.answer(request)
        self._deliver(response, count)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing; the journal is the log."""

    def _read_body(self) -> bytes | None:
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        if coding == "chunked":
            return self._read_chunks()
        if coding:
            self._give_up(HTTPStatus.NOT_IMPLEMENTED)
            return None
        text = self.headers.get("Content-Length", "0")
        if not is_number(text):
            self._give_up(HTTPStatus.BAD_REQUEST)
            return None
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            self.close_connection = True
            return None
        return body

    def _read_chunks(self) -> bytes | None:
        """Read a body sent in chunks (RFC 9112, section 7.1); trailers are passed over."""
        body = bytearray()
        while True:
            size = _chunk_size(self.rfile.readline(_LINE_BYTES))
            if size is None:
                self._give_up(HTTPStatus.BAD_REQUEST)
                return None
            if size == 0:
                break
            chunk = self.rfile.read(size)
            if len(chunk) < size or self.rfile.readline(_LINE_BYTES).strip():
                self.close_connection = True
                return None
            body += chunk
        while self.rfile.readline(_LINE_BYTES).strip():
            pass
        return bytes(body)

    def _give_up(self, status: HTTPStatus) -> None:
        self.close_connection = True
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close"
        self.wfile.write(f"{head}\r\n\r\n".encode())

    def _deliver(self, response: Response, count: Callable[[int], None]) -> None:
        how = response.delivery
        if how.silent:
            self.close_connection = True
            return
        body = memoryview(b"" if self.command == "HEAD" else response.body)
        end = len(body) if how.cut_after is None else min(how.cut_after, len(body))
        if how.cut_after is not None or how.length_delta:
            self.close_connection = True
        self.wfile.write(self._head(response))
        for start in range(0, end, how.chunk):
            if how.pause_s and self.server.stopping.wait(how.pause_s):
                self.close_connection = True
                return
            piece = body[start : min(start + how.chunk, end)]
            count(len(piece))
            self.wfile.write(piece)

    def _head(self, response: Response) -> bytes:
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = "Emulated"
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if response.status != HTTPStatus.NO_CONTENT:
            length = max(len(response.body) + response.delivery.length_delta, 0)
            lines.append(f"Content-Length: {length}")
        lines.append(f"Date: {formatdate(self.server.now(), usegmt=True)}")
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk_size(line: bytes) -> int | None:
    text = line.split(b";")[0].strip()
    return int(text, 16) if re.fullmatch(rb"[0-9A-Fa-f]{1,8}", text) else None


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already closed by the other side
