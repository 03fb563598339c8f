"""The emulator: services on one loopback origin, their storage on another, one world behind them.

Knows which services exist and where they are mounted. A service is a module with
``create(stage) -> Service`` and one row in `SERVICES`; nothing else here changes for it.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

from cupixgeo.emulator.clock import Clock
from cupixgeo.emulator.faults import Fault, Faults
from cupixgeo.emulator.journal import Entry, Journal
from cupixgeo.emulator.server import HOST, Server
from cupixgeo.emulator.stage import Options, Stage
from cupixgeo.emulator.storage import Storage
from cupixgeo.emulator.wire import Operating, Request, Response, Service, empty_response
from cupixgeo.emulator.world import World, world_of


@dataclass(frozen=True)
class ServiceRow:
    """Where a service is found and how its credentials are called.

    Parameters
    ----------
    module : str
        Module with ``create(stage) -> Service``.
    root : str
        Path of the service's API root on the api origin; no two services share one.
    credentials : tuple of str
        Headers and query parameters, in lower case, that carry a token.
    also : tuple of str
        Further roots below which it answers: other versions of its API.
    bare : tuple of str
        First parts of paths that it answers without any root, too, for clients that know a host
        and a port and nothing else.
    """

    module: str
    root: str
    credentials: tuple[str, ...]
    also: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


SERVICES = {
    "cupix": ServiceRow("cupixgeo.emulator.cupix", "/api/v1", ("x-cupix-auth",)),
    "teleport": ServiceRow("cupixgeo.emulator.teleport", "/teleport", ("authorization",)),
    "openscan": ServiceRow("cupixgeo.emulator.openscan", "/openscan", ("authorization", "token")),
    "flighthub": ServiceRow(
        "cupixgeo.emulator.flighthub", "/openapi/v0.1", ("x-user-token",), also=("/openapi/v2.0",)
    ),
    "altizure": ServiceRow("cupixgeo.emulator.altizure", "/altizure", ("key", "altitoken")),
    "nodeodm": ServiceRow(
        "cupixgeo.emulator.nodeodm",
        "/nodeodm",
        ("token",),
        bare=("/info", "/options", "/auth", "/task"),
    ),
}
STORAGE = "storage"
_TOKEN_SCHEMES = ("bearer", "basic")
_CREDENTIALS = frozenset(name for row in SERVICES.values() for name in row.credentials)


class Endpoint(NamedTuple):
    """Where a client finds an emulated service, and the token that lets it in."""

    base_url: str
    token: str


class Emulator:
    """Reality-capture services on this computer: real data, no account, no network.

    Parameters
    ----------
    seed : int
        Decides tokens, transforms and everything else that is made up; the same seed gives the
        same world.
    port : int
        Port of the api origin on 127.0.0.1, 0 for a free one. Storage always takes a free one.
    clock : Clock, optional
        The emulator's time; a new `Clock` when left out.
    **options
        Fields of `Options`, for example ``matrix_order="column"``.

    Examples
    --------
    >>> with Emulator(seed=7) as emu:
    ...     emu.endpoint("cupix").token
    'emu-cupix-north-5da0c9278e99bd340335'
    """

    def __init__(
        self, seed: int = 7, *, port: int = 0, clock: Clock | None = None, **options: Any
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"the emulator's seed is a whole number from 0, not {seed!r}")
        if not 0 <= port <= 65535:
            raise ValueError(f"a port is a number from 0 to 65535, not {port!r}")
        self.clock = clock or Clock()
        self.options = Options()
        for name, value in options.items():
            setattr(self.options, name, value)
        self.journal = Journal()
        self.faults = Faults((*SERVICES, STORAGE))
        self._seed = seed
        self._port = port
        self._storage = Storage(seed, self.clock, self.options)
        self._stage = Stage(seed, self.clock, self.options, self._storage, self.world)
        self._services: dict[str, Service] = {}
        self._making = threading.Lock()
        self._servers: tuple[Server, ...] = ()

    def start(self) -> Self:
        """Begin to listen; returns the emulator itself."""
        if self._servers:
            raise ValueError("the emulator is already running; stop() it before another start()")
        storage = Server(0, answer=self._answer_storage, now=self.clock.now)
        try:
            api = Server(self._port, answer=self._answer_api, now=self.clock.now)
        except OSError as error:
            storage.server_close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise ValueError(
                f"the emulator cannot listen on port {self._port} ({error.strerror}); "
                "choose another one, or port=0 for any free one"
            ) from error
        self._storage.url = f"http://{HOST}:{storage.port}"
        self._servers = (api, storage)
        for server in self._servers:
            server.start()
        return self

    def stop(self) -> None:
        """Close every connection and both ports; a stopped emulator can be started again."""
        servers, self._servers = self._servers, ()
        for server in servers:
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = self.url if self._servers else "stopped"
        return f"<Emulator seed={self._seed} {where}>"

    @property
    def url(self) -> str:
        """Api origin, for example ``"http://127.0.0.1:41234"``."""
        return f"http://{HOST}:{self._running()[0].port}"

    @property
    def storage_url(self) -> str:
        """Storage origin: another port, so another host to every HTTP client."""
        return f"http://{HOST}:{self._running()[1].port}"

    @property
    def world(self) -> World:
        """The ground truth: what is really where, for tests that compare."""
        return world_of(self._seed)

    def endpoint(self, service: str, *, account: int = 0) -> Endpoint:
        """Return base URL and token for one service.

        Parameters
        ----------
        service : str
            For example ``"cupix"``.
        account : int
            0 is the team that owns the demo site; others see other things.
        """
        row = SERVICES[self._known(service)]
        return Endpoint(f"{self.url}{row.root}", self.service(service).token(account))

    def service(self, service: str) -> Service:
        """Return a service object, for what only that service has; made when first needed."""
        row = SERVICES[self._known(service)]
        with self._making:
            if service not in self._services:
                create: Callable[[Stage], Service] = import_module(row.module).create
                self._services[service] = create(self._stage)
            return self._services[service]

    def _known(self, service: str) -> str:
        if service not in SERVICES:
            raise ValueError(
                f"no emulated service is called {service!r}; there are {', '.join(SERVICES)}"
            )
        return service

    def _running(self) -> tuple[Server, Server]:
        if not self._servers:
            raise ValueError(
                "the emulator is not running; use `with Emulator() as emu:` or start()"
            )
        return cast("tuple[Server, Server]", self._servers)

    def _answer_api(self, request: Request) -> tuple[Response, Callable[[int], None]]:
        for name, row in SERVICES.items():
            below = _below(request.path, (row.root, *row.also))
            if below is None and _below(request.path, row.bare) is not None:
                below = request.path
            if below is not None:
                inner = replace(request, path=below or "/")
                service = self.service(name)
                operation = service.operation(inner) if isinstance(service, Operating) else ""
                place = f"{inner.path}/{operation}" if operation else inner.path
                fault = self.faults.take(name, request.method, place)
                response = (fault and fault.reply) or service.handle(inner)
                return self._finish("api", name, request, response, fault, operation)
        return self._finish("api", "", request, empty_response(404), None)

    def _answer_storage(self, request: Request) -> tuple[Response, Callable[[int], None]]:
        fault = self.faults.take(STORAGE, request.method, request.path)
        if fault is not None and fault.revoke == "before":
            self._storage.revoke(request)
        response = (fault and fault.reply) or self._storage.handle(
            request, carried_token=_carries_token(request)
        )
        if fault is not None and fault.revoke == "after":
            self._storage.revoke(request)
        return self._finish("storage", STORAGE, request, response, fault)

    def _finish(
        self,
        origin: str,
        service: str,
        request: Request,
        response: Response,
        fault: Fault | None,
        operation: str = "",
    ) -> tuple[Response, Callable[[int], None]]:
        if fault is not None and fault.edit is not None:
            response = fault.edit(response)
        entry = Entry(
            number=-1,
            time=self.clock.now(),
            origin=origin,
            service=service,
            method=request.method,
            path=request.path,
            query=_redacted(request),
            status=response.status,
            range=request.headers.get("range"),
            carried_token=_carries_token(request),
            fault=fault.name if fault else None,
            bytes_received=len(request.body),
            operation=operation,
        )
        return response, partial(self.journal.count_bytes, self.journal.add(entry))


def _below(path: str, roots: tuple[str, ...]) -> str | None:
    """Return what is left of a path below one of `roots`; None where it is below none."""
    for root in roots:
        rest = path.removeprefix(root)
        if path.startswith(root) and rest[:1] in ("", "/"):
            return rest
    return None


def _carries_token(request: Request) -> bool:
    names = {*request.headers, *(name.lower() for name in request.query)}
    scheme = request.headers.get("authorization", "").split(" ")[0].lower()
    if scheme not in _TOKEN_SCHEMES:
        names.discard("authorization")  # a signature made for the store itself, or nothing
    return not names.isdisjoint(_CREDENTIALS)


def _redacted(request: Request) -> dict[str, str]:
    return {
        name: "[redacted]" if name.lower() in _CREDENTIALS else value
        for name, value in request.query.items()
    }
