"""Uploads through a link: one stretch of bytes, sent once, to a host that never sees the token.

Knows how a body is streamed to a storage host with PUT or POST, and how its answer becomes a value
or an error. It sends the headers it is given and no others, follows no redirect and repeats
nothing: whoever owns the parts decides what is sent again. Must not know any service.

Sources: RFC 9110 §8.6 (Content-Length), §9.3.3, §9.3.4 (POST, PUT), §8.8.3 (ETag).
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

from cupixgeo.errors import (
    ConnectionFailedError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
    ServiceError,
    TransferError,
)
from cupixgeo.net.body import Body
from cupixgeo.net.secret import Secret, excerpt
from cupixgeo.net.settings import NetSettings
from cupixgeo.net.wire import NoAnswerError, Wire, is_loopback, origin_of

log = logging.getLogger("cupixgeo.net")

_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Stored:
    """What a storage host answered to a body it took.

    Parameters
    ----------
    status : int
        HTTP status, 200 to 299.
    etag : str
        Entity tag without quotes; empty where none was given.
    body : bytes
        The answer's body.
    """

    status: int
    etag: str = ""
    body: bytes = field(default=b"", repr=False)


class Uploader:
    """Connections to storage hosts, for several threads at a time. Close it when done.

    Parameters
    ----------
    service : str
        Name used in errors.
    settings : NetSettings
        Timeouts.
    plain_http : bool
        Let storage be unencrypted: only where the service itself is.
    """

    def __init__(
        self, *, service: str, settings: NetSettings | None = None, plain_http: bool = False
    ) -> None:
        self.service = service
        self.settings = settings or NetSettings()
        self.plain_http = plain_http
        self._direct = Wire(self.settings, use_proxies=False)
        self._outside = Wire(self.settings)
        for wire in (self._direct, self._outside):
            weakref.finalize(self, wire.close)

    def upload(
        self,
        url: Secret,
        body: Body,
        *,
        method: str = "PUT",
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Stored:
        """Send a body once.

        Parameters
        ----------
        url : Secret
            Where to; mostly a signed link.
        body : Body
            What; streamed, with its length.
        method : str
            ``"PUT"`` or ``"POST"``.
        headers : mapping
            All that is sent besides Content-Length; give a Content-Type where the storage wants
            one.

        Returns
        -------
        Stored

        Raises
        ------
        ConnectionFailedError
            No whole answer: whether the bytes arrived is not known.
        ServerError, RateLimitError
            5xx; 408 and 429. Another try may help.
        PermissionDeniedError
            401, 403, or 400 that speaks of an expired link: a fresh link may help.
        ServiceError
            Any other status; it is in ``.status``.
        TransferError
            The link is not encrypted though the service is, or the file on disk ended early.
        """
        origin = origin_of(url)
        if not (origin.startswith("https:") or self.plain_http or is_loopback(origin)):
            raise TransferError(
                f"{body.name} was not sent: the storage link goes to {origin} unencrypted, though "
                f"{self.service} itself is not. Report this to the service."
            )
        wire = self._direct if is_loopback(origin) else self._outside
        start = time.monotonic()
        failure: NoAnswerError | None = None
        try:
            with wire.open(
                method,
                url,
                headers={**(headers or {}), "Content-Length": str(body.size)},
                content=body.chunks(),
            ) as exchange:
                answer = exchange.read(limit=_ANSWER_BYTES, seconds=self.settings.answer_timeout_s)
                status, etag = exchange.status, (exchange.header("etag") or "").strip()
                wait_s = self.settings.retry_after_s(exchange.header("retry-after"))
        except NoAnswerError as error:
            failure = error.with_traceback(None)
        if failure is not None:
            raise self._no_answer(failure, body, origin)
        log.debug(
            "%s %s %s/… %d %.0f ms %d bytes",
            self.service, method, origin, status, 1000 * (time.monotonic() - start), body.size,
        )  # fmt: skip
        if not 200 <= status < 300:
            raise self._refusal(status, answer, body, origin, wait_s)
        return Stored(status, etag.removeprefix("W/").strip('"'), answer)

    def close(self) -> None:
        """Close the connections."""
        self._direct.close()
        self._outside.close()

    def _no_answer(self, failure: NoAnswerError, body: Body, origin: str) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"no whole answer from the storage at {origin} for {body.name} "
            f"({body.size} bytes): {failure}. Check the network, then resume the job.",
            service=self.service,
            verb="upload",
        )

    def _refusal(
        self, status: int, answer: bytes, body: Body, origin: str, wait_s: float | None
    ) -> ServiceError:
        words = excerpt(answer)
        expired = status in (401, 403) or (status == 400 and b"xpired" in answer)
        kind, remedy = (
            (PermissionDeniedError, "The link may have expired: ask for a fresh one.")
            if expired
            else (RateLimitError, "Try again later.")
            if status in (408, 429)
            else (ServerError, "Try again later.")
            if status >= 500
            else (ResponseError, "Give base_url= anew, if the service has moved.")
            if 300 <= status < 400
            else (ServiceError, "Look at what it says.")
        )
        told = f", {words!r}" if words else ""
        return kind(
            f"the storage at {origin} did not take {body.name} ({status}{told}). {remedy}",
            service=self.service,
            verb="upload",
            status=status,
            retry_after=wait_s,
        )
