"""A loopback server whose every answer a test writes down beforehand."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cupixgeo.net.settings import NetSettings


@dataclass
class Reply:
    """One answer; `cut` closes the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall_s: float = 0.0
    length: bool = True


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class QuietHttp(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections the client dropped; tests make it do so."""


class Server:
    """Answers with what `answer` returns, and keeps what it received."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Reply] = lambda _: Reply()
        self._stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(size))
                outer.seen.append(seen)
                self.send(outer.answer(seen))

            do_GET = do_POST = do_PUT = handle_one  # noqa: N815

            def send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                if reply.length:
                    self.send_header("Content-Length", str(len(reply.body)))
                else:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut])
                self.wfile.flush()
                if reply.cut is not None:
                    outer._stop.wait(reply.stall_s)
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                pass

        self._http = QuietHttp(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def script(self, *replies: Reply) -> None:
        """Give these answers in turn, the last one from then on."""
        queue = list(replies)
        self.answer = lambda _: queue.pop(0) if len(queue) > 1 else queue[0]

    def close(self) -> None:
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def told(error: BaseException) -> str:
    """Everything an error collector would keep of an error: texts, fields, frames, variables.

    Frames of the tests themselves are left out; they know the planted secrets.
    """
    texts: list[str] = []
    pending: list[BaseException | None] = [error]
    while pending:
        if (error := pending.pop()) is None:
            continue
        pending += [error.__cause__, error.__context__]
        texts += [str(error), repr(error), repr(vars(error))]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                texts += [frame.f_code.co_filename, *map(repr, frame.f_locals.values())]
    return "\n".join(texts)


class Pauses(list[float]):
    """Collects the pauses instead of making them."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def other_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def settings(pauses: Pauses) -> NetSettings:
    """Patience without waiting: pauses are written down, jitter is one half."""
    return NetSettings(
        read_timeout_s=5.0, now=lambda: 1_000_000_000.0, sleep=pauses, uniform=lambda: 0.5
    )
