"""Where the parts go: signed links on the storage origin, and the store behind them.

Behaves as S3 does for a presigned part of a multipart upload: the link is good for one part, one
method and a while; a second way to authenticate is refused; a part may be sent again.

References
----------
Amazon S3 API reference, *UploadPart* and *Error responses* (codes and statuses).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cupixgeo.emulator.spool import Spool, StoredPart
from cupixgeo.emulator.storage import refusal
from cupixgeo.emulator.wire import Request, Response, is_number

if TYPE_CHECKING:
    from cupixgeo.emulator.stage import Stage
    from cupixgeo.emulator.teleport.settings import TeleportSettings

ROOT = "/teleport-uploads"
_MOST_BYTES = 5 * 2**30


class Uploads:
    """Takes the parts of all captures.

    Parameters
    ----------
    stage : Stage
        Seed, clock and storage.
    settings : TeleportSettings
        `upload_link_lifetime_s` is obeyed.
    is_open : callable
        Says whether the capture with this eid still takes parts.
    """

    def __init__(
        self, stage: Stage, settings: TeleportSettings, is_open: Callable[[str], bool]
    ) -> None:
        self.spool = Spool()
        self._stage = stage
        self._settings = settings
        self._is_open = is_open
        self._key = hashlib.sha256(f"teleport-uploads/{stage.seed}".encode()).digest()
        self._serials = itertools.count(1)
        stage.storage.mount(ROOT, self._take)

    def link(self, eid: str, number: int) -> str:
        """Return a new link for one part of a capture."""
        path = f"{ROOT}/{eid}/{number}"
        expires = str(int(self._stage.clock.now() + self._settings.upload_link_lifetime_s))
        serial = f"teleport-{next(self._serials)}"
        query = {
            "X-Emu-Expires": expires,
            "X-Emu-Serial": serial,
            "X-Emu-Signature": self._sign(path, expires, serial),
        }
        return f"{self._stage.storage.url}{path}?{urlencode(query)}"

    def parts(self, eid: str) -> dict[int, StoredPart]:
        """Return what is there of a capture."""
        return self.spool.parts(eid)

    def _take(self, request: Request, carried_token: bool) -> Response:
        refused = self._refuse(request, carried_token)
        if refused is not None:
            return refused
        _, _, eid, number = request.path.split("/")
        if not self._is_open(eid):
            return refusal(404, "NoSuchUpload", "The specified multipart upload does not exist.")
        part = self.spool.put(eid, int(number), request.body)
        return Response(200, (("ETag", f'"{part.md5}"'),))

    def _refuse(self, request: Request, carried_token: bool) -> Response | None:
        query, headers = request.query, request.headers
        if carried_token or "authorization" in headers:
            return refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        expires, serial = query.get("X-Emu-Expires", ""), query.get("X-Emu-Serial", "")
        given = query.get("X-Emu-Signature")
        if given is None:
            return refusal(403, "AccessDenied", "Access Denied")
        signature = self._sign(request.path, expires, serial)
        if request.method != "PUT" or not hmac.compare_digest(given.encode(), signature.encode()):
            return refusal(403, "SignatureDoesNotMatch", "The signature does not match.")
        now = self._stage.clock.now()
        if not is_number(expires) or now >= int(expires) or self._stage.storage.is_revoked(request):
            return refusal(403, "AccessDenied", "Request has expired")
        if "transfer-encoding" in headers:
            return refusal(501, "NotImplemented", "A header implies functionality not implemented.")
        if "content-length" not in headers:
            return refusal(411, "MissingContentLength", "You must provide the Content-Length.")
        if len(request.body) > _MOST_BYTES:
            return refusal(400, "EntityTooLarge", "Your proposed upload is too large.")
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        said = headers.get("content-md5")
        if said is not None and said != base64.b64encode(digest).decode():
            return refusal(400, "BadDigest", "The Content-MD5 does not match what was received.")
        return None

    def _sign(self, path: str, expires: str, serial: str) -> str:
        text = f"PUT\n{path}\n{expires}\n{serial}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
