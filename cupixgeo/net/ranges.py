"""Parts of a file behind an address, fetched when they are needed.

Knows HTTP range requests: what proves that a part is the one asked for, and of the same file as the
parts before it. The server gets a Range, an If-Range and nothing else: no token, no cookie. Must
not know what is in the file.

Sources: RFC 9110 §13.1.5 (If-Range), §14 (range requests), §15.4 (redirects).
"""

from __future__ import annotations

import logging
import re
import weakref
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urljoin

from cupixgeo.errors import (
    ArgumentError,
    BadRequestError,
    ConnectionFailedError,
    ServerError,
    ServiceError,
    TransferError,
)
from cupixgeo.net.answer import STATUS_ERRORS
from cupixgeo.net.secret import Secret, redact
from cupixgeo.net.settings import RETRY_STATUSES, NetSettings
from cupixgeo.net.wire import Exchange, NoAnswerError, Wire, is_loopback, origin_of

log = logging.getLogger("cupixgeo.net")

MAX_REDIRECTS = 3
"""Redirects followed from an address to where the file is."""

LARGEST_WHOLE = 32 * 2**20
"""[byte] up to which a file is taken whole from a server that gives no parts."""

_CONTENT_RANGE = re.compile(r"\s*bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*", re.ASCII)
_EXPIRED_STATUSES = frozenset({401, 403, 404, 410})
_REMEDIES = {
    401: "It asks for a sign-in: get a link that works without one, or download the file.",
    403: "It is not public, or the link has expired: get a fresh link, or download the file.",
    404: "Check the address.",
    410: "It was taken away: ask whoever published it.",
}


@dataclass(frozen=True)
class FileVersion:
    """What tells a file from its successor under the same address.

    Parameters
    ----------
    size_bytes : int
        Length of the file [byte].
    etag, modified : str or None
        As the server sent them.
    """

    size_bytes: int
    etag: str | None
    modified: str | None

    @property
    def strong_etag(self) -> str:
        """ETag if it stands for the very bytes; else empty."""
        return self.etag if self.etag and not self.etag.startswith("W/") else ""

    def is_followed_by(self, other: FileVersion) -> bool:
        """Whether `other` is a different file."""
        if self.size_bytes != other.size_bytes:
            return True
        pairs = ((self.etag, other.etag), (self.modified, other.modified))
        return any(mine and theirs and mine != theirs for mine, theirs in pairs)


class RangeReader:
    """A file behind an address, of which parts are fetched. Any thread may use it.

    Parameters
    ----------
    url : str or Secret
        Its http(s) address; a signed link is as good as a key and shown without its query.
    first_bytes : int
        Bytes at its start that are fetched with the question how long it is [byte].
    settings : NetSettings
        Timeouts and retries.

    Raises
    ------
    ArgumentError
        It is not an http(s) address.
    ServiceError
        The server answers with an error (see `STATUS_ERRORS`), or not at all.
    TransferError
        It gives no parts of files, and this one is too large to be taken whole.
    """

    def __init__(
        self, url: str | Secret, *, first_bytes: int, settings: NetSettings | None = None
    ) -> None:
        self._address = self._target = Secret(url)
        del url
        self.name = redact(self._address.reveal())
        self._settings = settings or NetSettings()
        loopback = is_loopback(origin_of(self._address))
        self._wire = Wire(self._settings, use_proxies=not loopback)
        self._close = weakref.finalize(self, self._wire.close)
        self._version: FileVersion | None = None
        self._whole: bytes | None = None
        try:
            self.first = self._fetch(0, first_bytes)
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> FileVersion:
        """What the file was when it was opened."""
        assert self._version is not None
        return self._version

    def read(self, start: int, size: int) -> bytes:
        """Fetch a part.

        Parameters
        ----------
        start, size : int
            First byte and number of bytes, within the file [byte].

        Returns
        -------
        bytes
            Exactly so many.

        Raises
        ------
        ServiceError
            The server answers with an error, or not at all, also after some tries.
        TransferError
            What it sends is not the part, or the file has changed since it was opened.
        """
        if self._whole is not None:
            return self._whole[start : start + size]
        return self._fetch(start, size)

    def beside(self, name: str) -> Secret:
        """Give the address of a file that is named relative to this one; this one's query stays.

        Parameters
        ----------
        name : str
            A relative reference, like ``./a.laz``.

        Raises
        ------
        ArgumentError
            It leads to another server, or is no http(s) address.
        """
        try:
            target = Secret(urljoin(self._address.reveal().partition("?")[0], name))
        except ValueError:
            raise ArgumentError("it cannot be read as an address.") from None
        if origin_of(target) != origin_of(self._address):
            raise ArgumentError(
                f"{redact(target.reveal())} is on another server, and does not name it in full."
            )
        return target

    def close(self) -> None:
        """Close the connections, and let go of what was kept."""
        self._close()
        self._whole, self.first = None, b""

    def __repr__(self) -> str:
        return f"<RangeReader {self.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RangeReader holds open connections: make a new one instead")

    # -- one part --------------------------------------------------------------------------------

    def _fetch(self, start: int, size: int) -> bytes:
        """Try until the part is there, or there is no hope."""
        if not self._close.alive:
            raise TransferError(f"{self.name} was closed. Open it again.")
        failures = 0
        while True:
            outcome = self._try(start, size)
            if isinstance(outcome, bytes):
                return outcome
            failures += 1
            wait_s = self._settings.wait_s(failures, outcome.retry_after_s)
            if not outcome.may_pass or failures >= self._settings.attempts or wait_s is None:
                raise outcome.error(self.name, failures)
            log.debug("%s: try %d failed, next in %.1f s", self.name, failures, wait_s)
            self._settings.sleep(wait_s)

    def _try(self, start: int, size: int) -> bytes | _Failure:
        headers: dict[str, str | Secret] = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Range": f"bytes={start}-{start + size - 1}",
        }
        if self._version is not None and self._version.strong_etag:
            headers["If-Range"] = self._version.strong_etag
        url = self._target
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with self._wire.open("GET", url, headers=headers) as exchange:
                    log.debug("GET %s %s %d", self.name, headers["Range"], exchange.status)
                    if not exchange.is_redirect:
                        outcome = self._take(exchange, start, size)
                        break
                    target = exchange.location()
                url = self._checked(url, target)
            else:
                raise self._problem(f"redirects more than {MAX_REDIRECTS} times")
        except NoAnswerError as failure:
            return _Failure(may_pass=failure.may_pass, why=str(failure))
        if isinstance(outcome, bytes):
            self._target = url
        elif outcome.status in _EXPIRED_STATUSES and self._target is not self._address:
            self._target = self._address  # the place it once redirected to may be good no longer
            return self._try(start, size)
        return outcome

    def _take(self, exchange: Exchange, start: int, size: int) -> bytes | _Failure:
        """Take what the server answers."""
        status = exchange.status
        if status == 416 and self._version is None:
            match = _CONTENT_RANGE.fullmatch(exchange.header("content-range") or "")
            if match and match[3] == "0":
                return self._take_whole(exchange, b"")
        if status not in (200, 206):
            return _Failure(
                may_pass=status in RETRY_STATUSES,
                status=status,
                retry_after_s=self._settings.retry_after_s(exchange.header("retry-after")),
            )
        encoding = (exchange.header("content-encoding") or "identity").strip().lower()
        if encoding != "identity":
            raise self._problem(f"sends it compressed ({encoding}), so parts of it mean nothing")
        if status == 200:
            return self._take_all(exchange)
        return self._take_part(exchange, start, size)

    def _take_part(self, exchange: Exchange, start: int, size: int) -> bytes | _Failure:
        given = exchange.header("content-range") or ""
        match = _CONTENT_RANGE.fullmatch(given)
        if match is None or match[1] is None or match[3] == "*":
            raise self._problem(f"does not say which part of how many bytes it sends ({given!r})")
        first, last, total = int(match[1]), int(match[2]), int(match[3])
        self._recognise(exchange, total)
        if (first, last) != (start, min(start + size, total) - 1):
            raise self._problem(
                f"sends bytes {first:,} to {last:,} where {start:,} to "
                f"{min(start + size, total) - 1:,} were asked for"
            )
        body = self._body(exchange, last - first + 1)
        if len(body) != last - first + 1:
            why = f"the answer has {len(body):,} bytes instead of {last - first + 1:,}"
            return _Failure(may_pass=True, why=why)
        return body

    def _take_all(self, exchange: Exchange) -> bytes | _Failure:
        """Take a whole file, where it is small, from a server that gives no parts."""
        length = exchange.header("content-length") or ""
        size = int(length) if length.isascii() and length.isdecimal() else None
        if self._version is not None:
            self._recognise(exchange, self._version.size_bytes if size is None else size)
            if self._version.strong_etag and not exchange.header("etag"):
                raise self._changed()
            raise self._problem("gives no parts of files any more")
        if size is None or size > LARGEST_WHOLE:
            told = "of a length it does not tell" if size is None else f"of {size:,} bytes"
            raise self._problem(
                f"gives no parts of files, and this one is {told}",
                "Download it, and open the file on this machine.",
            )
        return self._take_whole(exchange, self._body(exchange, size))

    def _take_whole(self, exchange: Exchange, body: bytes) -> bytes:
        self._recognise(exchange, len(body))
        self._whole = body
        return body

    def _recognise(self, exchange: Exchange, total: int) -> None:
        """Remember which file it is, or refuse another one in its place."""
        here = FileVersion(total, exchange.header("etag"), exchange.header("last-modified"))
        if self._version is None:
            self._version = here
        elif self._version.is_followed_by(here):
            raise self._changed()

    def _body(self, exchange: Exchange, size: int) -> bytes:
        return exchange.read(limit=size, seconds=self._settings.answer_timeout_s)

    # -- what went wrong -------------------------------------------------------------------------

    def _checked(self, url: Secret, target: Secret | None) -> Secret:
        """Give where a redirect leads, if one may go there."""
        if target is None:
            raise self._problem("redirects to an address that cannot be read")
        try:
            origin = origin_of(target)
        except ArgumentError as error:
            raise self._problem(f"redirects to an address that cannot be used: {error}") from None
        if origin_of(url).startswith("https:") and not origin.startswith("https:"):
            raise self._problem("redirects from https to an open connection")
        return target

    def _problem(
        self, what: str, remedy: str = "Download the file, and open that."
    ) -> TransferError:
        return TransferError(f"{self.name} cannot be read in parts: its server {what}. {remedy}")

    def _changed(self) -> TransferError:
        return TransferError(
            f"{self.name} has changed since it was opened, so its parts do not belong together. "
            "Open it again."
        )


@dataclass(frozen=True)
class _Failure:
    """Why one try gave no part."""

    may_pass: bool
    why: str = ""
    status: int | None = None
    retry_after_s: float | None = None

    def error(self, name: str, tries: int) -> ServiceError:
        often = f"{tries} times" if tries > 1 else "once"
        if self.status is None:
            return ConnectionFailedError(
                f"no whole answer from the server of {name}, tried {often}: {self.why}. Check the "
                "network, the address and any proxy, then try again.",
                verb="GET",
            )
        kind: type[ServiceError] = ServerError if self.status >= 500 else BadRequestError
        kind = STATUS_ERRORS.get(self.status, (kind, "", ""))[0]
        remedy = _REMEDIES.get(
            self.status, "Try again later." if self.may_pass else "Check the address."
        )
        facts: dict[str, Any] = {"status": self.status, "retry_after": self.retry_after_s}
        return kind(
            f"the server of {name} answers {self.status}, asked {often}. {remedy}",
            verb="GET",
            **facts,
        )
