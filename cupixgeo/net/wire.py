"""The only module that touches the HTTP library, so that nothing secret leaves through it.

Knows how one request is sent and its answer read. Its exceptions hold no request, no header and
no URL: the HTTP library's own, whose frames hold all three, end here. It sends no header of its
own accord to anybody, follows no redirect, and silences the library's logs for its own requests
(they contain full URLs and the ``Location`` header). Must not know services, retries or files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import ip_address
from ssl import SSLContext
from types import TracebackType
from typing import TypeVar

import httpx

from cupixgeo.errors import ArgumentError, CupixGeoError
from cupixgeo.net.secret import Secret, redact
from cupixgeo.net.settings import RETRY_FAILURES, NetSettings

_LIBRARY_LOGGERS = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_T = TypeVar("_T")
_ours: ContextVar[bool] = ContextVar("cupixgeo_request", default=False)


class NoAnswerError(CupixGeoError):
    """No whole answer came. Callers turn it into the error that names the object.

    Parameters
    ----------
    kind : str
        What failed, as in `cupixgeo.net.settings.RETRY_FAILURES`.
    detail : str
        What the system said, redacted.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail

    @property
    def may_pass(self) -> bool:
        """Whether another try is worth it."""
        return self.kind in RETRY_FAILURES and "CERTIFICATE" not in self.detail.upper()


class Wire:
    """A pool of connections that carries requests and nothing else.

    Parameters
    ----------
    settings : NetSettings
        Timeouts.
    use_proxies : bool
        Whether the proxy variables of the environment count; never for loopback.
    """

    def __init__(self, settings: NetSettings, *, use_proxies: bool = True) -> None:
        from cupixgeo.version import __version__

        _silence_library()
        self._client = httpx.Client(
            timeout=httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
            follow_redirects=False,
            trust_env=use_proxies,
            verify=_certificates(trust_env=use_proxies),
            headers={"User-Agent": f"cupixgeo/{__version__}"},
        )

    def open(
        self,
        method: str,
        url: Secret,
        *,
        headers: Mapping[str, str | Secret],
        content: bytes | Iterable[bytes] | None = None,
    ) -> Exchange:
        """Send one request and wait for the head of its answer.

        Parameters
        ----------
        method : str
            HTTP method.
        url : Secret
            Absolute address; a signed link is as good as a key.
        headers : mapping
            All that is sent besides the ordinary ones.
        content : bytes, iterable of bytes or None
            Request body. What is iterated is sent as it comes: give its Content-Length.

        Returns
        -------
        Exchange
            Close it, or use it as a context manager.

        Raises
        ------
        NoAnswerError
            If no answer came.
        """

        def send() -> httpx.Response:
            self._client.cookies.clear()
            request = self._client.build_request(
                method,
                url.reveal(),
                headers={
                    name: value.reveal() if isinstance(value, Secret) else value
                    for name, value in headers.items()
                },
                content=content,
            )
            try:
                return self._client.send(request, stream=True)
            except RuntimeError:
                if not self._client.is_closed:
                    raise
            raise NoAnswerError("Closed", "")

        return Exchange(_guarded(send))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Exchange:
    """The answer to one request: status, headers, and a body that is still on its way."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status: int = response.status_code

    def header(self, name: str) -> str | None:
        """Give one header; None where it was not sent."""
        value = self._response.headers.get(name)
        return None if value is None else str(value)

    @property
    def is_redirect(self) -> bool:
        """Whether the answer is another address (and not, say, 304)."""
        return self.status in _REDIRECTS

    def location(self) -> Secret | None:
        """Give the absolute address of a redirect; None where there is none that can be read."""
        value = self.header("location")
        if value is None:
            return None
        try:
            return Secret(str(self._response.url.join(value)))
        except httpx.InvalidURL:
            return None

    def read(self, *, limit: int, seconds: float) -> bytes:
        """Read the whole body, decompressed.

        Parameters
        ----------
        limit : int
            Most bytes to take [byte].
        seconds : float
            Longest time to take [s].

        Raises
        ------
        NoAnswerError
            If the body is cut, stalls, or is larger than `limit` (kind ``"TooLarge"``).
        """
        end = time.monotonic() + seconds

        def read() -> bytes:
            body = bytearray()
            for chunk in self._response.iter_bytes():
                body += chunk
                if len(body) > limit:
                    raise NoAnswerError("TooLarge", f"more than {limit} bytes")
                if time.monotonic() > end:
                    raise NoAnswerError("Stalled", f"not whole after {seconds:g} s")
            return bytes(body)

        return _guarded(read)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it was sent, in the pieces in which it came.

        Gathering larger pieces would lose what had been gathered when the connection breaks.

        Raises
        ------
        NoAnswerError
            If it is cut or stalls.
        """
        parts = self._response.iter_raw()
        while chunk := _guarded(lambda: next(parts, b"")):
            yield chunk

    def close(self) -> None:
        """Give the connection back, or drop it where the body was not read to its end."""
        _guarded(self._response.close)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Exchange {self.status}>"


def origin_of(url: str | Secret) -> str:
    """Give scheme, host and port of an address, as one text that can be compared.

    Raises
    ------
    ArgumentError
        If it is not an http or https address, or holds a user name or password.

    Examples
    --------
    >>> origin_of("https://API.cupix.works/api/v1")
    'https://api.cupix.works:443'
    """
    secret = Secret(url)
    del url
    parts = _parsed(secret)
    shown = redact(secret.reveal())
    if parts is None or parts.scheme not in ("http", "https") or not parts.host:
        raise ArgumentError(f"{shown!r} is not an http or https address.")
    if parts.userinfo:
        raise ArgumentError(
            f"{shown!r} holds a user name or password; give the token as token= instead."
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return f"{parts.scheme}://{host}:{port}"


def is_loopback(origin: str) -> bool:
    """Say whether an origin is this very machine."""
    host = httpx.URL(origin).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(url: Secret) -> httpx.URL | None:
    try:
        return httpx.URL(url.reveal())
    except (httpx.InvalidURL, ValueError):
        return None


def _guarded(action: Callable[[], _T]) -> _T:
    """Run `action`; let nothing of the HTTP library out, be it log line, exception or frame."""
    quiet = _ours.set(True)
    try:
        return action()
    except httpx.HTTPError as error:
        # The text of a LocalProtocolError quotes the offending header, token and all.
        told = "" if isinstance(error, httpx.LocalProtocolError) else redact(str(error))
        failure = NoAnswerError(type(error).__name__, told[:200])
    except (httpx.InvalidURL, UnicodeError):
        failure = NoAnswerError("InvalidURL", "the address cannot be read")
    except BaseException as error:  # Ctrl-C, too: its frames hold the request
        error.__traceback__ = error.__context__ = None
        raise
    finally:
        _ours.reset(quiet)
    raise failure


def _not_ours(record: logging.LogRecord) -> bool:
    return not _ours.get()


@lru_cache(maxsize=2)
def _certificates(*, trust_env: bool) -> SSLContext:
    """Load the trusted certificates once: it takes longer than most requests."""
    return httpx.create_ssl_context(trust_env=trust_env)


def _silence_library() -> None:
    """Keep the library's log lines about our requests out: they hold URLs and headers."""
    for name in _LIBRARY_LOGGERS:
        logging.getLogger(name).addFilter(_not_ours)
