"""A small reconstruction service on loopback: projects, parts, a start that costs, results.

It counts what happens to it, and does what a test wants before or after any request: lose the
reply, answer with an error, kill the process that asks.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

TOKEN = "fake-token-0123456789-planted"


class LostReplyError(Exception):
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Call:
    """One request: its number from 1, method and path."""

    number: int
    method: str
    path: str
    carried_token: bool = False
    port: str = "api"

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


@dataclass
class Project:
    """One project at the service."""

    id: str
    name: str
    parts: dict[str, bytes] = field(default_factory=dict)
    received: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    starts: int = 0
    stops: int = 0
    states: list[tuple[str, float]] = field(default_factory=list)
    is_stopped: bool = False


Hook = Callable[[Call], "tuple[int, Any] | None"]


class Service:
    """The service; `api` and `storage` are two origins."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.projects: dict[str, Project] = {}
        self.deleted: list[str] = []
        self.calls: list[Call] = []
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.products: dict[str, bytes] = {}
        self.states = [("queued", 0.0), ("running", 0.5), ("packing", 0.9), ("done", 1.0)]
        self.rejected: list[tuple[str, str]] = []
        self.checks = 0
        self.stop_takes = 1
        self.is_held = False
        self._servers = [self._serve("api"), self._serve("storage")]
        self.api, self.storage = (f"http://127.0.0.1:{s.server_port}" for s in self._servers)

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    # -- what happened ---------------------------------------------------------------------------

    @property
    def starts(self) -> int:
        return sum(project.starts for project in self.projects.values())

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if not call.is_read]

    def count(self, method: str, ending: str) -> int:
        return sum(c.method == method and c.path.endswith(ending) for c in self.calls)

    def sent_twice(self) -> int:
        """Bytes of parts that arrived whole more than once."""
        return sum(
            (count - 1) * len(project.parts[key])
            for project in self.projects.values()
            for key, count in project.received.items()
        )

    # -- what a test wants -----------------------------------------------------------------------

    def lose_reply(self, method: str, ending: str, *, times: int = 1, done: bool = True) -> None:
        """Close the connection instead of answering, after (or before) doing what was asked."""
        left = [times]

        def hook(call: Call) -> None:
            if call.method == method and call.path.endswith(ending) and left[0] > 0:
                left[0] -= 1
                raise LostReplyError

        (self.after if done else self.before).append(hook)

    def answer(self, method: str, ending: str, status: int, body: Any = None, **rest: Any) -> None:
        """Answer so instead of doing what was asked, `times` times."""
        left = [rest.get("times", 1)]
        skip = [rest.get("skip", 0)]

        def hook(call: Call) -> tuple[int, Any] | None:
            if call.method != method or not call.path.endswith(ending):
                return None
            if skip[0] > 0:
                skip[0] -= 1
                return None
            if left[0] <= 0:
                return None
            left[0] -= 1
            return status, body if body is not None else {"error": f"scripted {status}"}

        self.before.append(hook)

    # -- HTTP ------------------------------------------------------------------------------------

    def _serve(self, port: str) -> ThreadingHTTPServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size)
                if len(body) < size:
                    self.close_connection = True
                    return
                try:
                    status, content, headers = outer._handle(
                        port, self.command, self.path, body, self.headers
                    )
                except LostReplyError:
                    self.close_connection = True
                    return
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        server = _Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _handle(
        self, port: str, method: str, target: str, body: bytes, headers: Any
    ) -> tuple[int, Any, dict[str, str]]:
        url = urlsplit(target)
        with self.lock:
            token = headers.get("X-Fake-Token")
            path = unquote(url.path)
            call = Call(len(self.calls) + 1, method, path, token is not None, port)
            self.calls.append(call)
            for hook in list(self.before):
                answered = hook(call)
                if answered is not None:
                    return *answered, _headers_of(answered)
            if port == "storage":
                reply = self._store(method, path, body)
            elif token != TOKEN:
                reply = 401, {"error": "no token"}, {}
            else:
                query = dict(parse_qsl(url.query))
                reply = self._api(method, path.strip("/").split("/"), query, body)
            for hook in list(self.after):
                hook(call)
            return reply

    def _store(self, method: str, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if method == "GET":
            name = path.removeprefix("/out/")
            if name not in self.products:
                return 404, {"error": "gone"}, {}
            data = self.products[name]
            etag = f'"{hashlib.md5(data).hexdigest()}"'
            return 200, data, {"ETag": etag, "Content-Type": "application/octet-stream"}
        _, _, project_id, key = path.split("/", 3)
        project = self.projects.get(project_id)
        if project is None:
            return 404, {"error": "no such project"}, {}
        project.parts[key] = body
        project.received[key] += 1
        return 200, {}, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}

    def _api(
        self, method: str, path: list[str], query: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        value = json.loads(body) if body else {}
        if path == ["limits"]:
            return 200, {"max_photos": 100_000, "credit": 1e12}, {}
        if path == ["projects"] and method == "POST":
            project = Project(f"p{len(self.projects) + len(self.deleted) + 1}", value["name"])
            self.projects[project.id] = project
            return 200, {"id": project.id}, {}
        if path == ["projects"]:
            found = [p.id for p in self.projects.values() if query["tag"] in p.name]
            return 200, {"list": found or None}, {}
        project = self.projects.get(path[1])
        if project is None:
            return 404, {"error": "no such project"}, {}
        verb = path[2] if len(path) > 2 else ""
        return self._project(project, method, verb, value)

    def _project(
        self, project: Project, method: str, verb: str, value: Any
    ) -> tuple[int, Any, dict[str, str]]:
        if method == "DELETE":
            self.deleted.append(project.id)
            del self.projects[project.id]
            return 200, {}, {}
        match verb:
            case "parts":
                etags = {key: hashlib.md5(b).hexdigest() for key, b in project.parts.items()}
                return 200, etags, {}
            case "complete":
                wrong = [
                    key
                    for key, etag in value["parts"].items()
                    if hashlib.md5(project.parts.get(key, b"")).hexdigest() != etag
                ]
                if wrong or set(value["parts"]) != set(project.parts):
                    return 400, {"error": f"parts do not match: {wrong}"}, {}
                project.completed += 1
                return 200, {}, {}
            case "check":
                self.checks -= 1
                return 200, {"ready": self.checks < 0, "rejected": self.rejected}, {}
            case "start":
                if not project.completed:
                    return 400, {"error": "not complete"}, {}
                project.starts += 1
                project.states = list(self.states)
                return 200, {"started": True}, {}
            case "stop":
                project.stops += 1
                if project.states[0][0] not in ("done", "failed"):
                    left = self.stop_takes * [("stopping", 0.5)]
                    project.states = [*left, ("stopped", 0.0)]
                return 200, {}, {}
            case "results":
                return 200, [{"name": n, "bytes": len(b)} for n, b in self.products.items()], {}
            case name if name.startswith("link-"):
                product = quote(list(self.products)[int(name[5:])], safe="")
                link = f"{self.storage}/out/{product}?signature=planted-signature"
                return 302, {}, {"Location": link}
        if not project.starts:
            return 200, {"state": "created", "progress": 0.0}, {}
        state, progress = project.states[0]
        if len(project.states) > 1 and not (self.is_held and project.states[1][0] == "done"):
            project.states.pop(0)
        return 200, {"state": state, "progress": progress, "name": project.name}, {}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that are killed."""


def _headers_of(answered: tuple[int, Any]) -> dict[str, str]:
    if answered[0] == 429 and isinstance(answered[1], dict):
        return {"Retry-After": str(answered[1].get("retry_after", 1))}
    return {}
