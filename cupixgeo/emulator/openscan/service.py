"""The routes of the emulated OpenScanCloud: GET for everything, parameters in the query.

Order of the refusals: unknown route 404, wrong method 405, bad Basic credentials 401 (JSON), bad
token or parameter 400 (an HTML page that never says why), unknown project 401 or 400. Extra and
repeated parameters are ignored.

References
----------
OpenScan-org/OpenScanCloud README and its fork by Jajaho (queue estimate, status); a community
guide. Decided here, where they are silent: a project that was started cannot be started again
(400); a name has letters, digits, ``_``, ``-`` and ``.``; an announced project that is announced
again gets new links, and its credit is charged once.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from cupixgeo.emulator.openscan.links import Links
from cupixgeo.emulator.openscan.product import make_result
from cupixgeo.emulator.openscan.projects import Account, Project, make_accounts
from cupixgeo.emulator.openscan.settings import OpenScanSettings
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.wire import Request, Response, empty_response, is_number, json_response

USER, PASSWORD = "openscan", "free"
QUEUE_S = 2750.0
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_BAD_REQUEST = (
    "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n"
    "<p>The browser (or proxy) sent a request that this server could not understand.</p>\n"
)
_UNAUTHORIZED = (
    "<!doctype html>\n<html lang=en>\n<title>401 Unauthorized</title>\n<h1>Unauthorized</h1>\n"
)


class RefusedError(ValueError):
    """The request is refused with this status and page."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(f"status {status}")
        self.status = status


class OpenScanService:
    """The emulated service.

    Parameters
    ----------
    stage : Stage
        Seed, clock, storage, world.

    Attributes
    ----------
    settings : OpenScanSettings
        What can be told otherwise.
    accounts : tuple of Account
        0 has a private token, 1 one that everybody knows.
    requested : list of dict
        Who asked for a token: in real life it comes by e-mail.
    """

    def __init__(self, stage: Stage) -> None:
        self.settings = OpenScanSettings()
        self.accounts = make_accounts(stage.seed)
        self.requested: list[dict[str, str]] = []
        self._stage = stage
        self._links = Links(stage, self.settings, lambda: make_result(stage.world.brighton))
        self._projects: dict[tuple[str, str], Project] = {}
        self._count = 0
        self._lock = threading.RLock()
        self._routes: dict[str, Callable[[Request], Any]] = {
            "/requestToken": self._request_token,
            "/getTokenInfo": self._token_info,
            "/createProject": self._create,
            "/startProject": self._start,
            "/getProjectInfo": self._info,
            "/resetProject": self._reset,
            "/getQueueEstimate": self._queue,
        }

    @property
    def projects(self) -> tuple[Project, ...]:
        """Every project there is, oldest first."""
        with self._lock:
            return tuple(self._projects.values())

    def token(self, account: int) -> str:
        """Return the token of an account."""
        if not 0 <= account < len(self.accounts):
            raise ValueError(
                f"the emulated openscan service has accounts 0 to {len(self.accounts) - 1}, "
                f"not {account}"
            )
        return self.accounts[account].token

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.path not in (*self._routes, "/status", "/result"):
            return empty_response(404)
        if request.method not in ("GET", "HEAD"):
            return empty_response(405, headers=(("Allow", "GET, HEAD"),))
        if request.path == "/status":
            return json_response(200, {"status": "online"})
        if request.path == "/result":
            return _page(200, "<!doctype html><title>Your model</title><h1>Your model</h1>\n")
        if request.headers.get("authorization") != _BASIC:
            return json_response(401, {"error": "Unauthorized access"})
        try:
            with self._lock:
                return json_response(200, self._routes[request.path](request))
        except RefusedError as refused:
            return _page(refused.status, _BAD_REQUEST if refused.status == 400 else _UNAUTHORIZED)

    # -- routes -----------------------------------------------------------------------------------

    def _request_token(self, request: Request) -> Any:
        wanted = {name: request.query.get(name, "") for name in ("mail", "forename", "lastname")}
        if not all(wanted.values()):
            raise RefusedError
        self.requested.append(wanted)
        return {}

    def _token_info(self, request: Request) -> Any:
        account = self._account(request)
        names = ("credit", "limit_filesize", "limit_photos")
        return {name: getattr(account, name) for name in names}

    def _create(self, request: Request) -> Any:
        account, name = self._account(request), self._name(request)
        numbers = ("photos", "parts", "filesize")
        photos, parts, filesize = (_number(request.query, key) for key in numbers)
        known = self._projects.get((account.name, name))
        if known is not None and (known.started is not None and self.settings.refuses_existing):
            raise RefusedError
        charged = known.filesize if known is not None and known.started is None else 0
        is_allowed = (
            photos <= account.limit_photos
            and filesize <= min(account.limit_filesize, account.credit + charged)
            and parts * self.settings.part_bytes >= filesize
        )
        if self.settings.checks_limits and not is_allowed:
            raise RefusedError
        self._count += 1
        project = Project(
            key=f"openscan-{self._count}", owner=account.name, name=name, photos=photos,
            parts=parts, filesize=filesize,
        )  # fmt: skip
        if known is not None:
            self._links.forget(known)
        account.credit += charged - filesize
        self._projects[account.name, name] = project
        credit = account.credit if self.settings.credit_is_remaining else filesize
        return {"status": "created", "ulink": self._links.make_uploads(project), "credit": credit}

    def _start(self, request: Request) -> Any:
        project = self._find(request, 400)
        if project.started is not None or not project.is_delivered:
            raise RefusedError
        numbers = list(range(1, project.parts + 1))
        upload = self._links.spool.join(project.key, numbers)
        project.start(upload, self._stage.clock.now(), self.settings)
        return {"status": self.settings.start_word}

    def _info(self, request: Request) -> Any:
        account = self._account(request)
        project = self._projects.get((account.name, self._name(request)))
        if project is None:
            if self.settings.unknown_is_empty:
                return {}
            raise RefusedError(401)
        now = self._stage.clock.now()
        project.asked(now)
        host = request.headers.get("host", "localhost")
        has_result = project.has_result(now, self.settings)
        return {
            "dlink": self._links.result_url(project, host) if has_result else "",
            "status": project.state(now, self.settings),
            "ulink": self._links.upload_urls(project),
        }

    def _reset(self, request: Request) -> Any:
        project = self._find(request, 400)
        del self._projects[project.owner, project.name]
        self._links.forget(project)
        if self.settings.refunds:
            self._account(request).credit += project.filesize
        return {}

    def _queue(self, request: Request) -> Any:
        return {"estimated_time_seconds": QUEUE_S}

    # -- pieces -----------------------------------------------------------------------------------

    def _account(self, request: Request) -> Account:
        token = request.query.get("token")
        for account in self.accounts:
            if account.token == token:
                return account
        raise RefusedError

    def _name(self, request: Request) -> str:
        name = request.query.get("project", "")
        if not _NAME.fullmatch(name):
            raise RefusedError
        return name

    def _find(self, request: Request, status: int) -> Project:
        account = self._account(request)
        project = self._projects.get((account.name, self._name(request)))
        if project is None:
            raise RefusedError(status)
        return project


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not is_number(text) or int(text) < 1:
        raise RefusedError
    return int(text)


def _page(status: int, text: str) -> Response:
    return Response(status, (("Content-Type", "text/html; charset=utf-8"),), text.encode())
