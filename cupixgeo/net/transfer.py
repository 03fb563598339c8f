"""Downloads that survive: resumed, renewed, verified, and under their final name only when whole.

Knows how bytes are fetched from a storage host through a signed link. That host gets a Range, an
If-Range and nothing else: no token, no cookie, no referrer. Must not know the service that gave
the link; renewing it is the caller's function. The storage never chooses a path: from the name it
gives, an extension out of an allowed set is taken at most.

Sources: RFC 9110 §13.1.5 (If-Range), §14 (range requests), §15.4 (redirects), RFC 6266
(Content-Disposition).
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from cupixgeo.errors import ArgumentError, TransferError
from cupixgeo.net.partial import Part, Validators
from cupixgeo.net.secret import Secret, excerpt
from cupixgeo.net.settings import RETRY_STATUSES, NetSettings
from cupixgeo.net.wire import Exchange, NoAnswerError, Wire, origin_of
from cupixgeo.progress import Progress, ProgressFn

log = logging.getLogger("cupixgeo.net")

MAX_REDIRECTS = 3
"""Redirects followed from one signed link to another place."""

NOTEWORTHY_BYTES = 8 * 2**20
"""Progress [byte] after which earlier failures no longer count: long downloads get more tries."""

_EXPIRED_STATUSES = frozenset({401, 403})
_EXPIRED_WORDS = re.compile(rb"expired|AccessDenied|SignatureDoesNotMatch", re.IGNORECASE)
_ERROR_BYTES = 4096
_SUFFIX = re.compile(r"(\.copc)?\.[a-z0-9]{1,8}$")

GetUrl = Callable[[], Secret]


@dataclass(frozen=True)
class Expected:
    """What is known of a download beforehand.

    Parameters
    ----------
    name : str
        What messages and progress call it.
    sha256 : str
        Hash of the whole file, hexadecimal; empty where not known.
    suffixes : tuple of str or None
        Extensions of which the one the storage names is added to the final name, ``".bin"`` for
        any other. None: the final name is complete.
    plain_http : bool
        Let the storage be unencrypted: only where the service itself is.
    """

    name: str = ""
    sha256: str = ""
    suffixes: tuple[str, ...] | None = None
    plain_http: bool = False


def download(
    get_url: GetUrl,
    to: Path,
    *,
    expected: Expected | None = None,
    settings: NetSettings | None = None,
    progress: ProgressFn | None = None,
) -> Path:
    """Fetch a file through a signed link.

    A download that was interrupted, by this process or an earlier one, is continued from its
    `.part` file if the storage says with a strong ETag that the file is still the same.

    Parameters
    ----------
    get_url : callable
        Gives a signed link; called again once each time the link expires.
    to : Path
        Final name in an existing folder. An existing file is replaced when the new one is whole.
    expected : Expected
        Name for messages, hash, extensions.
    settings : NetSettings
        Timeouts and retries.
    progress : callable
        Watcher; stage ``"download"``, unit ``"bytes"``.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    TransferError
        If the file cannot be fetched whole. What is there stays as `.part` for the next try.
    OutputError, DiskFullError
        If it cannot be written.
    ServiceError
        If `get_url` raises it.
    """
    expected = expected or Expected(name=to.name)
    settings = settings or NetSettings()
    part = Part(to)
    try:
        with Wire(settings, use_proxies=not expected.plain_http) as wire:
            return _Download(wire, part, expected, settings, progress).run(get_url)
    finally:
        part.close()


@dataclass(frozen=True)
class _Outcome:
    """How one try ended: whole, or why not and what helps."""

    what: Literal["whole", "again", "expired", "hopeless"]
    why: str = ""
    retry_after_s: float | None = None


class _Download:
    """The state of one call of `download`."""

    def __init__(
        self,
        wire: Wire,
        part: Part,
        expected: Expected,
        settings: NetSettings,
        progress: ProgressFn | None,
    ) -> None:
        self.wire = wire
        self.part = part
        self.expected = expected
        self.settings = settings
        self.progress = progress
        self.received = 0

    def run(self, get_url: GetUrl) -> Path:
        """Try until the file is whole or hope is lost."""
        url = Secret(get_url())
        failures, counted_from, renewed_at = 0, 0, -1
        while True:
            outcome = self._try(url)
            if outcome.what == "whole":
                return self.part.finish(self._final())
            log.debug("download of %s: %s", self.expected.name, outcome.why)
            if outcome.what == "hopeless":
                raise self._error(outcome.why)
            if outcome.what == "expired":
                if renewed_at == self.received:
                    raise self._error(f"{outcome.why}, also through a fresh link")
                url, renewed_at = Secret(get_url()), self.received
                continue
            if self.received - counted_from >= NOTEWORTHY_BYTES:
                failures = 0
            failures, counted_from = failures + 1, self.received
            wait_s = self.settings.wait_s(failures, outcome.retry_after_s)
            if failures >= self.settings.attempts or wait_s is None:
                raise self._error(f"{outcome.why} (try {failures} of {self.settings.attempts})")
            self.settings.sleep(wait_s)

    def _try(self, url: Secret) -> _Outcome:
        headers: dict[str, str | Secret] = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self.part.size and self.part.known.etag:
            headers["Range"] = f"bytes={self.part.size}-"
            headers["If-Range"] = self.part.known.etag
        elif self.part.size:
            self.part.restart()
        try:
            for _ in range(MAX_REDIRECTS + 1):
                self._check_address(url)
                with self.wire.open("GET", url, headers=headers) as exchange:
                    log.debug("GET %s/… %d", origin_of(url), exchange.status)
                    if not exchange.is_redirect:
                        return self._take(exchange, url)
                    target = exchange.location()
                if target is None:
                    return _Outcome("hopeless", "the storage redirects to nowhere")
                if origin_of(url).startswith("https:") and not _is_https(target):
                    return _Outcome(
                        "hopeless", "the storage redirects from https to an open connection"
                    )
                url = target
        except NoAnswerError as failure:
            why = f"the connection failed ({failure})"
            return _Outcome("again" if failure.may_pass else "hopeless", why)
        return _Outcome("hopeless", f"the storage redirects more than {MAX_REDIRECTS} times")

    def _check_address(self, url: Secret) -> None:
        problem = ""
        try:
            if not (origin_of(url).startswith("https:") or self.expected.plain_http):
                problem = "the storage link is not encrypted, though the service is"
        except ArgumentError as error:
            problem = f"the storage link cannot be used: {error}"
        if problem:
            raise self._error(problem)

    def _take(self, exchange: Exchange, url: Secret) -> _Outcome:
        """Take what the storage answers."""
        if exchange.status not in (200, 206):
            return self._refusal(exchange)
        problem = self._problem(exchange)
        if problem:
            return _Outcome("hopeless", problem)
        if exchange.status == 200:
            suffix = storage_suffix(exchange.header("content-disposition"), url)
            self.part.restart(Validators.from_headers(exchange.header, suffix=suffix))
        elif not self._continues(exchange):
            self.part.restart()
            return _Outcome("again", "the storage sent another part than the one asked for")
        for chunk in exchange.chunks():
            self.part.write(chunk)
            self.received += len(chunk)
            self._tell()
        return self._verified()

    def _problem(self, exchange: Exchange) -> str:
        encoding = (exchange.header("content-encoding") or "identity").strip().lower()
        if encoding != "identity":
            return f"the storage sent it compressed ({encoding}), so its length proves nothing"
        if (exchange.header("content-type") or "").lower().startswith("text/html"):
            return "the storage answered with a web page: a log-in page or a proxy stands between"
        chunked = "chunked" in (exchange.header("transfer-encoding") or "").lower()
        if exchange.status == 200 and exchange.header("content-length") is None and not chunked:
            return "the storage does not say how long it is, so it could be cut unnoticed"
        return ""

    def _refusal(self, exchange: Exchange) -> _Outcome:
        body = b""
        with contextlib.suppress(NoAnswerError):  # the status alone says enough
            body = exchange.read(limit=_ERROR_BYTES, seconds=self.settings.read_timeout_s)
        why = f"the storage answered {exchange.status}"
        if words := excerpt(body):
            why = f"{why}, {words!r}"
        if exchange.status == 416:
            self.part.restart()
            return _Outcome("again", why)
        if exchange.status in _EXPIRED_STATUSES or (
            exchange.status == 400 and _EXPIRED_WORDS.search(body)
        ):
            return _Outcome("expired", why)
        if exchange.status in RETRY_STATUSES:
            wait_s = self.settings.retry_after_s(exchange.header("retry-after"))
            return _Outcome("again", why, wait_s)
        return _Outcome("hopeless", why)

    def _continues(self, exchange: Exchange) -> bool:
        """Say whether a partial answer is the part that is missing, of the file that is known."""
        match = re.fullmatch(
            r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*", exchange.header("content-range") or ""
        )
        if match is None or int(match[1]) != self.part.size:
            return False
        if match[3] != "*" and int(match[3]) != self.part.known.length:
            return False
        etag = exchange.header("etag")
        return etag is None or etag.strip() == self.part.known.etag

    def _verified(self) -> _Outcome:
        size, known = self.part.size, self.part.known
        if known.length is not None and size < known.length:
            return _Outcome("again", f"it was cut after {size} of {known.length} bytes")
        if known.length is not None and size > known.length:
            self.part.restart()
            return _Outcome("again", f"{size} bytes came instead of {known.length}")
        for algorithm, digest in (
            ("sha256", self.expected.sha256),
            (known.algorithm, known.digest),
        ):
            if digest and self.part.digest(algorithm) != digest.lower():
                self.part.restart()
                return _Outcome("again", f"its {algorithm} hash is not the one given")
        return _Outcome("whole")

    def _final(self) -> Path:
        to, allowed = self.part.to, self.expected.suffixes
        if allowed is None:
            return to
        suffix = self.part.known.suffix
        return to.with_name(to.name + (suffix if suffix in allowed else ".bin"))

    def _tell(self) -> None:
        if self.progress is not None:
            total = self.part.known.length or 0
            done = Progress("download", self.part.size, total, "bytes", self.expected.name)
            self.progress(done)

    def _error(self, why: str) -> TransferError:
        size, length = self.part.size, self.part.known.length
        kept = ""
        if size and self.part.known.etag:
            of_all = f" of {length}" if length is not None else ""
            kept = f" The {size}{of_all} bytes that came are kept; the next try continues there."
        return TransferError(
            f"{self.expected.name} could not be downloaded to {self.part.to.parent}: "
            f"{why}. Try again later.{kept}"
        )


def storage_suffix(disposition: str | None, url: Secret) -> str:
    """Take an extension from the name the storage gives, and nothing else of it.

    Parameters
    ----------
    disposition : str or None
        The Content-Disposition header.
    url : Secret
        The link; its path is looked at where the header gives no name.

    Returns
    -------
    str
        Lower case, with the dot (``".laz"``, ``".copc.laz"``); empty where there is none.

    References
    ----------
    RFC 6266 §4.
    """
    names = [urlsplit(url.reveal()).path]
    if disposition:
        for form in (r"filename=\"?([^\";]*)", r"filename\*=[^']*'[^']*'([^;]*)"):
            if match := re.search(form, disposition, re.IGNORECASE):
                names.insert(0, match[1])
    for name in names:
        if match := _SUFFIX.search(unquote(name).strip().lower()):
            return match[0]
    return ""


def _is_https(url: Secret) -> bool:
    try:
        return origin_of(url).startswith("https:")
    except ArgumentError:
        return False
