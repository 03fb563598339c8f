"""The second origin: an object store that hands out bytes for signed, expiring links.

Behaves like the S3 the services redirect to: the link carries its own credentials, ranges and
conditional ranges work, a refusal is an XML document. Knows objects and links; knows no service.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from cupixgeo.emulator.wire import Request, Response

if TYPE_CHECKING:
    from cupixgeo.emulator.clock import Clock
    from cupixgeo.emulator.stage import Options

Counter = Callable[[Request, bool], Response]
"""Answers requests to one part of the store, told whether a service's token came along."""

_MODIFIED = formatdate(1_700_000_000, usegmt=True)
_SESSION_HEADERS = ("x-amz-security-token", "x-oss-security-token")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class StoredObject:
    """Bytes in the store; they are made when first needed.

    Parameters
    ----------
    key : str
        Path in the store, without leading slash.
    filename : str
        Name announced in Content-Disposition; not necessarily a harmless one.
    content_type : str
        Media type.
    load : callable
        Returns the bytes.
    """

    key: str
    filename: str
    content_type: str
    load: Callable[[], bytes]

    @cached_property
    def content(self) -> bytes:
        """The bytes."""
        return self.load()

    @cached_property
    def etag(self) -> str:
        """MD5 of the bytes in quotes, as S3 makes it for a plain upload."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'

    @property
    def disposition(self) -> str:
        """Value of Content-Disposition; the name also in the extended notation of RFC 6266."""
        plain = self.filename.encode("ascii", "replace").decode().replace('"', "'")
        return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(self.filename, safe='')}"


class Storage:
    """Objects and the links to them.

    Parameters
    ----------
    seed : int
        Decides the signing key.
    clock : Clock
        Decides when a link has expired.
    options : Options
        `link_lifetime_s` and `strict_storage` are obeyed.
    """

    def __init__(self, seed: int, clock: Clock, options: Options) -> None:
        self.url = ""
        self._key = hashlib.sha256(f"storage/{seed}".encode()).digest()
        self._clock = clock
        self._options = options
        self._signed: dict[str, StoredObject] = {}
        self._public: dict[str, StoredObject] = {}
        self._revoked: set[str] = set()
        self._counters: dict[str, Counter] = {}
        self._serials = itertools.count(1)
        self._lock = threading.Lock()

    def link(self, stored: StoredObject) -> str:
        """Return a new signed URL for an object; every call makes another link."""
        path = "/" + quote(stored.key)
        with self._lock:
            stored = self._signed.setdefault(path, stored)
            serial = next(self._serials)
        expires = int(self._clock.now() + self._options.link_lifetime_s)
        query = {
            "X-Emu-Expires": str(expires),
            "X-Emu-Serial": str(serial),
            "X-Emu-Signature": self._sign(path, str(expires), str(serial)),
        }
        return f"{self.url}{path}?{urlencode(query)}"

    def publish(self, stored: StoredObject) -> str:
        """Return the URL of an object that everybody may read, with a cache-busting query."""
        path = "/" + quote(stored.key)
        with self._lock:
            self._public[path] = stored
        return f"{self.url}{path}?v=1"

    def mount(self, root: str, counter: Counter) -> None:
        """Hand every request below `root` to `counter`: where a service takes uploads.

        Parameters
        ----------
        root : str
            First part of the path, for example ``"/teleport-uploads"``.
        counter : callable
            Takes the request and whether it carried a token of a service; it checks its own
            links, and asks `is_revoked` about each.
        """
        with self._lock:
            self._counters[root] = counter

    def is_revoked(self, request: Request) -> bool:
        """Return whether a fault has let the link of this request expire."""
        with self._lock:
            return _link_name(request) in self._revoked

    def revoke(self, request: Request) -> None:
        """Let the link of this request be expired from now on."""
        with self._lock:
            self._revoked.add(_link_name(request))

    def handle(self, request: Request, *, carried_token: bool) -> Response:
        """Answer one request to the storage origin."""
        path = quote(request.path)
        counter = self._counters.get("/" + request.path.split("/")[1])
        if counter is not None:
            return counter(request, carried_token)
        if request.method != "GET":
            return refusal(405, "MethodNotAllowed", "Only GET is allowed here.")
        if carried_token and self._options.strict_storage:
            return refusal(400, "InvalidArgument", "Unsupported credential for this store.")
        public = self._public.get(path)
        if public is not None:
            return stored_content(public, request.headers)
        refused = self._refuse_link(path, request.query)
        if refused is not None:
            return refused
        stored = self._signed.get(path)
        if stored is None:
            return refusal(404, "NoSuchKey", "The specified key does not exist.")
        return stored_content(stored, request.headers)

    def _refuse_link(self, path: str, query: Mapping[str, str]) -> Response | None:
        expires, serial = query.get("X-Emu-Expires", ""), query.get("X-Emu-Serial", "")
        if "X-Emu-Signature" not in query:
            return refusal(403, "AccessDenied", "Access Denied")
        if not hmac.compare_digest(
            query["X-Emu-Signature"].encode(), self._sign(path, expires, serial).encode()
        ):
            return refusal(403, "SignatureDoesNotMatch", "The signature does not match.")
        if self._clock.now() >= int(expires) or serial in self._revoked:
            return refusal(403, "AccessDenied", "Request has expired")
        return None

    def _sign(self, path: str, expires: str, serial: str) -> str:
        text = f"GET\n{path}\n{expires}\n{serial}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _link_name(request: Request) -> str:
    """Name what lets a request in: a link's serial, a temporary key's session, or its path."""
    sessions = (request.headers.get(name) for name in _SESSION_HEADERS)
    return next(filter(None, (request.query.get("X-Emu-Serial"), *sessions)), request.path)


def stored_content(stored: StoredObject, headers: Mapping[str, str]) -> Response:
    """Answer a GET for an object, with the range and the condition it asks for."""
    body = stored.content
    common = (
        ("Content-Type", stored.content_type),
        ("Content-Disposition", stored.disposition),
        ("ETag", stored.etag),
        ("Last-Modified", _MODIFIED),
        ("Accept-Ranges", "bytes"),
    )
    condition = headers.get("if-range")
    wanted = headers.get("range")
    if wanted is None or (condition is not None and condition not in (stored.etag, _MODIFIED)):
        return Response(200, common, body)
    span = _parse_range(wanted, len(body))
    if span is None:
        return Response(200, common, body)
    first, last = span
    if first > last:
        refused = refusal(416, "InvalidRange", "The requested range is not satisfiable")
        return Response(
            416, (*refused.headers, ("Content-Range", f"bytes */{len(body)}")), refused.body
        )
    where = ("Content-Range", f"bytes {first}-{last}/{len(body)}")
    return Response(206, (*common, where), body[first : last + 1])


def _parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte; None for a header to be ignored; first > last if it is outside.

    References
    ----------
    RFC 9110, section 14.1.2: an invalid or multiple range may be ignored.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        length = int(last)
        return (max(size - length, 0), size - 1) if length else (size, size - 1)
    if last and int(last) < int(first):
        return None
    return (int(first), min(int(last), size - 1) if last else size - 1)


def refusal(status: int, code: str, message: str) -> Response:
    """Refuse as an S3 store does: an XML document with a code and a message."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>\n"
    )
    return Response(status, (("Content-Type", "application/xml"),), body.encode())
