"""Upload links that work once, and share links to results, on the storage origin.

Behaves as Dropbox does: an upload link takes one POST of bytes and is consumed; a share link shows
a page, or leads to the file when ``dl=1`` is asked for. No token is needed for either.

References
----------
Dropbox HTTP documentation, ``/files/get_temporary_upload_link``: method, content type, 409, 410,
lifetime of 4 hours; *content hash* (blocks of 4 MiB).
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from cupixgeo.emulator.openscan.projects import Project
from cupixgeo.emulator.openscan.settings import OpenScanSettings
from cupixgeo.emulator.spool import Spool
from cupixgeo.emulator.storage import StoredObject
from cupixgeo.emulator.wire import Request, Response, json_response

if TYPE_CHECKING:
    from cupixgeo.emulator.stage import Stage

UPLOADS = "/apitul"
SHARES = "/scl"
_BLOCK_BYTES = 4 * 2**20
_TYPES = ("application/octet-stream", "text/plain")
_PAGE = "<!doctype html><html><head><title>{0}</title></head><body>{0}: Download</body></html>\n"


class Links:
    """Takes the parts and hands out the results of all projects.

    Parameters
    ----------
    stage : Stage
        Seed, clock and storage.
    settings : OpenScanSettings
        `part_bytes` and `upload_link_lifetime_s` are obeyed.
    make_result : callable
        Returns the bytes of the result.
    """

    def __init__(
        self, stage: Stage, settings: OpenScanSettings, make_result: Callable[[], bytes]
    ) -> None:
        self.spool = Spool()
        self._stage = stage
        self._settings = settings
        self._make_result = make_result
        self._uploads: dict[str, tuple[Project, int, float]] = {}
        self._consumed: set[str] = set()
        self._shares: dict[str, Project] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()
        stage.storage.mount(UPLOADS, self._take)
        stage.storage.mount(SHARES, self._share)

    def make_uploads(self, project: Project) -> list[str]:
        """Return a new link for each part of a project; older ones stop working."""
        self.forget(project)
        until = self._stage.clock.now() + self._settings.upload_link_lifetime_s
        with self._lock:
            project.links = []
            for number in range(1, project.parts + 1):
                text = f"openscan/{self._stage.seed}/{next(self._serials)}"
                link = hashlib.sha256(text.encode()).hexdigest()[:32]
                project.links.append(link)
                self._uploads[link] = (project, number, until)
        return self.upload_urls(project)

    def upload_urls(self, project: Project) -> list[str]:
        """Return the addresses of a project's upload links."""
        return [f"{self._stage.storage.url}{UPLOADS}/1/{link}" for link in project.links]

    def forget(self, project: Project) -> None:
        """Drop links and uploads of a project."""
        with self._lock:
            for link in project.links:
                self._uploads.pop(link, None)
            project.arrived.clear()
        self.spool.discard(project.key)

    def result_url(self, project: Project, api_host: str) -> str:
        """Return the link to a result, in the shape the settings ask for."""
        if self._settings.link_shape == "direct":
            return self._stage.storage.link(self._result(project))
        share = hashlib.sha256(f"share/{project.key}".encode()).hexdigest()[:24]
        with self._lock:
            self._shares[share] = project
        name = quote(project.name, safe="")
        link = f"{self._stage.storage.url}{SHARES}/fi/{share}/{name}?rlkey={share[:8]}&dl=0"
        if self._settings.link_shape == "share":
            return link
        return f"http://{api_host}/openscan/result?lang=en&id={quote(link, safe='')}"

    def _result(self, project: Project) -> StoredObject:
        key = f"openscan/recorded/{project.key}/result.zip"
        return StoredObject(key, project.name, "application/zip", self._make_result)

    def _take(self, request: Request, carried_token: bool) -> Response:
        """Answer a request to an upload link; credentials are neither needed nor looked at."""
        if request.method != "POST":
            return Response(405, (("Allow", "POST"), ("Content-Type", "text/plain")), b"")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _TYPES:
            return _plain(400, f"Error in call to upload link: bad content type {kind!r}")
        link = request.path.rpartition("/")[2]
        with self._lock:
            known = self._uploads.get(link)
            if link in self._consumed:
                return _plain(410, "This link has been recently consumed.")
            if known is None:
                return _plain(409, "This link does not exist or is currently unavailable.")
            project, number, until = known
            if self._stage.clock.now() >= until or self._stage.storage.is_revoked(request):
                return _plain(410, "This link has expired.")
            if len(request.body) > self._settings.part_bytes:
                return _plain(409, "The upload failed: too many bytes for this link.")
            self._consumed.add(link)
            self.spool.put(project.key, number, request.body)
            project.arrived.add(number)
        return json_response(200, {"content-hash": content_hash(request.body)})

    def _share(self, request: Request, carried_token: bool) -> Response:
        """Answer a request to a share link."""
        parts = request.path.split("/")
        project = self._shares.get(parts[3]) if len(parts) > 3 else None
        if project is None or request.method not in ("GET", "HEAD"):
            return Response(404 if project is None else 405)
        if request.query.get("dl") != "1":
            page = _PAGE.format(project.key).encode()
            return Response(200, (("Content-Type", "text/html; charset=utf-8"),), page)
        return Response(302, (("Location", self._stage.storage.link(self._result(project))),))


def content_hash(body: bytes) -> str:
    """Return Dropbox's content hash: SHA-256 over the SHA-256 of each 4 MiB."""
    blocks = range(0, len(body), _BLOCK_BYTES)
    view = memoryview(body)
    digests = (hashlib.sha256(view[start : start + _BLOCK_BYTES]).digest() for start in blocks)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _plain(status: int, text: str) -> Response:
    return Response(status, (("Content-Type", "text/plain; charset=utf-8"),), text.encode())
