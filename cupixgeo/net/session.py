"""Talking JSON to one service: one origin, one token, patient and discreet.

Knows that a token belongs to an origin (scheme, host, port) and goes nowhere else, which calls
may be repeated, and how an HTTP status becomes an error. Must not know any service's endpoints,
and follows no redirect: an answer that is one is handed out as a `Secret` address.

Sources: RFC 9110 §9.2.2 (idempotent methods), §15 (status codes).
"""

from __future__ import annotations

import json
import logging
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode

from cupixgeo.errors import (
    ArgumentError,
    BadRequestError,
    ConnectionFailedError,
    CredentialError,
    ResponseError,
    ServerError,
    ServiceError,
)
from cupixgeo.net.answer import STATUS_ERRORS, Answer
from cupixgeo.net.auth import Auth, FixedAuth
from cupixgeo.net.secret import Secret, redact
from cupixgeo.net.settings import RETRY_STATUSES, NetSettings
from cupixgeo.net.wire import NoAnswerError, Wire, is_loopback, origin_of

log = logging.getLogger("cupixgeo.net")

IDEMPOTENT = frozenset({"GET", "HEAD"})
"""Methods repeated unless the caller says otherwise. PUT and DELETE are idempotent by the book,
but not at every service, and an upload that is sent twice can cost money."""

_REQUEST_ID_HEADERS = ("x-request-id", "x-amzn-requestid", "x-amz-cf-id", "x-trace-id")


@dataclass(frozen=True)
class Form:
    """A request body of form fields (``application/x-www-form-urlencoded``).

    Parameters
    ----------
    fields : mapping
        Names and values; a `Secret` is revealed only as it is sent.
    """

    fields: Mapping[str, str | Secret]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that go with it."""
        return {"Content-Type": "application/x-www-form-urlencoded"}

    def encoded(self) -> bytes:
        """Give the body."""
        plain = {n: v.reveal() if isinstance(v, Secret) else v for n, v in self.fields.items()}
        return urlencode(plain).encode()


ReadError = Callable[[Any], tuple[str | None, str | None]]
"""Takes the decoded body of an error and gives the service's own code and message."""


def read_no_error(body: Any) -> tuple[None, None]:
    """Read nothing from an error's body (for services that document none)."""
    return None, None


class Session:
    """A connection to one service that keeps its token to itself.

    Parameters
    ----------
    base_url : str
        Full API root, ``https://host/api/v1``. Plain http is for this machine alone, unless
        `plain_http`.
    service : str
        Name used in errors.
    auth : mapping of str to Secret, or Auth
        Headers added to requests to this origin, and to no other; an `Auth` may add query
        parameters, and renew what was refused.
    settings : NetSettings
        Timeouts and retries.
    read_error : callable
        Finds the service's error code and message in a decoded body.
    plain_http : bool
        Send the token unencrypted over a network, knowingly.

    Raises
    ------
    ArgumentError
        If `base_url` is not an http or https address.
    CredentialError
        If the token cannot be sent in a header, or would be sent unencrypted.
    """

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        auth: Mapping[str, Secret] | Auth,
        settings: NetSettings | None = None,
        read_error: ReadError = read_no_error,
        plain_http: bool = False,
    ) -> None:
        self.service = service
        address = Secret(base_url)
        del base_url  # it may hold a password or a key, and a traceback would show it
        self.base_url = redact(address.reveal())
        self.origin = origin_of(address)
        if self.base_url != address.reveal() or "#" in self.base_url:
            raise ArgumentError(
                f"{self.base_url!r} is not an API root: leave out everything from the ? or # on."
            )
        self.base_url = self.base_url.rstrip("/")
        self.settings = settings or NetSettings()
        loopback = is_loopback(self.origin)
        if auth and not (loopback or plain_http or self.origin.startswith("https:")):
            raise CredentialError(
                f"the {service} token would go to {self.origin} unencrypted. Use the https "
                "address; if the network is your own, say plain_http=True."
            )
        self._auth: Auth = (
            FixedAuth({n: s.checked_header(f"the {service} token") for n, s in auth.items()})
            if isinstance(auth, Mapping)
            else auth
        )
        self._read_error = read_error
        self._wire = Wire(self.settings, use_proxies=not loopback)
        # Notebooks drop accounts without closing them; their sockets are closed all the same.
        self._close = weakref.finalize(self, self._wire.close)

    @property
    def is_encrypted(self) -> bool:
        """Whether requests travel over https."""
        return self.origin.startswith("https:")

    def json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        safe_to_repeat: bool | None = None,
    ) -> Any:
        """Call the service and decode its JSON answer.

        Parameters
        ----------
        method : str
            HTTP method.
        path : str
            Below the API root (``"pointclouds/5310"``), or an absolute address; to another
            origin the token is not sent.
        params : mapping
            Query parameters.
        body : JSON value, Form or None
            Request body; a `Secret` in it is revealed only as it is sent.
        safe_to_repeat : bool or None
            Whether the call may be sent again after a failure; None: if the method is GET.

        Returns
        -------
        JSON value
            None for an answer without content (204).

        Raises
        ------
        ServiceError
            The class for the status (see `STATUS_ERRORS`), `ServerError` for 5xx,
            `ConnectionFailedError` if no whole answer came, `ResponseError` if what came is not
            JSON or is a redirect.
        """
        answer, call = self._call(method, path, params, body, safe_to_repeat)
        if answer.location is not None or 300 <= answer.status < 400:
            self._refuse_redirect(answer, call)
        if answer.status == 204:
            return None
        known, value = answer.decoded()
        if not known:
            self._refuse_body(answer, call)
        return value

    def location(self, path: str, *, params: Mapping[str, str | int] | None = None) -> Secret:
        """Ask where something is stored, without going there.

        Parameters
        ----------
        path : str
            Below the API root.
        params : mapping
            Query parameters.

        Returns
        -------
        Secret
            The address of the redirect: mostly a signed link, as good as a key.

        Raises
        ------
        ServiceError
            As for `json`; `ResponseError` where the answer is no redirect.
        """
        answer, call = self._call("GET", path, params, None, None)
        if answer.location is None:
            raise ResponseError(
                f"{self.service} answered {call} with status {answer.status} and "
                f"{answer.described(*self._auth.secrets)} instead of the address of a file. "
                "Check base_url; it has to be the API root.",
                **self._facts(answer, call),
            )
        return answer.location

    def address(self, path: str, *, params: Mapping[str, str | int] | None = None) -> Secret:
        """Give the whole address of a transfer, with the parameters that prove who asks for it."""
        url = Secret(path if "://" in path else f"{self.base_url}/{path.lstrip('/')}")
        shown = params or {}
        hidden = self._auth.params() if origin_of(url) == self.origin else {}
        return Secret(f"{url.reveal()}?{_query(shown, hidden)}") if shown or hidden else url

    def close(self) -> None:
        """Close the connections."""
        self._close()

    def redact(self, text: str) -> str:
        """Take the token and URL queries out of a text."""
        return redact(text, *self._auth.secrets)

    def __repr__(self) -> str:
        return f"<Session {self.service} {self.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Session holds open connections and a token: make a new one instead")

    # -- one call --------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: Any,
        safe_to_repeat: bool | None,
    ) -> tuple[Answer, str]:
        """Send until an answer can be used; raise the error of the last try."""
        if not self._close.alive:
            raise self._was_closed()
        url = self.address(path, params=params)
        call = f"{method} {redact(path) if '://' in path else '/' + path.lstrip('/')}"
        repeat = method in IDEMPOTENT if safe_to_repeat is None else safe_to_repeat
        failures = renewals = 0
        while True:
            auth = self._auth.headers() if origin_of(url) == self.origin else {}
            outcome = self._send(method, url, body, call, auth)
            if isinstance(outcome, Answer) and outcome.status < 400:
                return outcome, call
            if isinstance(outcome, Answer) and outcome.status == 401 and auth and not renewals:
                renewals = 1  # a call that was refused had no effect: it can be sent again
                if self._auth.renew(auth):
                    continue
            failures += 1
            passing = (
                outcome.may_pass
                if isinstance(outcome, NoAnswerError)
                else outcome.status in RETRY_STATUSES
            )
            wait_s: float | None = None
            if repeat and passing and failures < self.settings.attempts:
                asked = None if isinstance(outcome, NoAnswerError) else outcome.retry_after_s
                wait_s = self.settings.wait_s(failures, asked)
            if wait_s is None:
                raise self._error(outcome, call, failures)
            log.debug("%s %s: try %d failed, next in %.1f s", self.service, call, failures, wait_s)
            self.settings.sleep(wait_s)

    def _send(
        self, method: str, url: Secret, body: Any, call: str, auth: Mapping[str, Secret]
    ) -> Answer | NoAnswerError:
        """Send once; a failure is returned, so that no frame of it stays in a traceback."""
        headers: dict[str, str | Secret] = {"Accept": "application/json", **auth}
        content = None
        if isinstance(body, Form):
            headers |= body.headers
            content = body.encoded()
        elif body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, default=_revealed).encode()
        start = time.monotonic()
        try:
            with self._wire.open(method, url, headers=headers, content=content) as exchange:
                data = exchange.read(
                    limit=self.settings.max_answer_bytes,
                    seconds=self.settings.answer_timeout_s,
                )
                answer = Answer(
                    status=exchange.status,
                    body=data,
                    content_type=exchange.header("content-type") or "",
                    request_id=_first(exchange.header, _REQUEST_ID_HEADERS),
                    retry_after_s=self.settings.retry_after_s(exchange.header("retry-after")),
                    location=exchange.location() if exchange.is_redirect else None,
                )
        except NoAnswerError as failure:
            log.debug("%s %s: %s after %.0f ms", self.service, call, failure.kind, _ms(start))
            return failure.with_traceback(None)
        log.debug(
            "%s %s %d %.0f ms %d bytes", self.service, call, answer.status, _ms(start), len(data)
        )
        return answer

    # -- what went wrong -------------------------------------------------------------------------

    def _error(self, outcome: Answer | NoAnswerError, call: str, tries: int) -> ServiceError:
        if isinstance(outcome, NoAnswerError):
            return self._interrupted(outcome, call, tries)
        code, said = self._read_error(outcome.decoded()[1])
        kind, verb, remedy = STATUS_ERRORS.get(
            outcome.status,
            (ServerError, "failed at", "Try again later.")
            if outcome.status >= 500
            else (BadRequestError, "refuses", "Correct the arguments of the call."),
        )
        if outcome.retry_after_s is not None:
            remedy = f"It asks to wait {outcome.retry_after_s:.0f} s before the next try."
        remedy = remedy.format(origin=self.origin)
        numbers = f"{outcome.status}, {code}" if code else str(outcome.status)
        told = f": {self.redact(said)[:300]}" if said else ""
        again = f" {tries} times" if tries > 1 else ""
        message = f"{self.service} {verb} {call}{again} ({numbers}){told.rstrip('.')}. {remedy}"
        return kind(message, **self._facts(outcome, call, code))

    def _interrupted(self, failure: NoAnswerError, call: str, tries: int) -> ServiceError:
        facts: dict[str, Any] = {"service": self.service, "verb": call}
        if failure.kind == "TooLarge":
            return ResponseError(
                f"{self.service} answered {call} with {failure.detail}, which is too much for a "
                "list of objects. Ask for fewer fields or a smaller per_page.",
                **facts,
            )
        if failure.kind == "Closed":
            return self._was_closed()
        often = f"{tries} times" if tries > 1 else "once"
        why = self.redact(str(failure)).rstrip(".")
        return ConnectionFailedError(
            f"no whole answer from {self.service} at {self.origin} to {call}, tried {often}: "
            f"{why}. Check the network, the address and any proxy, then try again.",
            **facts,
        )

    def _was_closed(self) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"the connection to {self.service} was closed: connect again.", service=self.service
        )

    def _refuse_redirect(self, answer: Answer, call: str) -> NoReturn:
        where = "an address that cannot be read"
        if answer.location is not None:
            where = redact(answer.location.reveal())
        raise ResponseError(
            f"{self.service} answered {call} with a redirect ({answer.status}) to {where}. It was "
            "not followed, because the token belongs to one address only. If the service has "
            "moved, give its new API root as base_url=.",
            **self._facts(answer, call),
        )

    def _refuse_body(self, answer: Answer, call: str) -> NoReturn:
        raise ResponseError(
            f"{self.service} answered {call} with {answer.described(*self._auth.secrets)}, "
            "which is not whole JSON. Check that base_url is the API root and that no log-in page "
            "or proxy stands between; else try again later.",
            **self._facts(answer, call),
        )

    def _facts(self, answer: Answer, call: str, code: str | None = None) -> dict[str, Any]:
        return {
            "service": self.service,
            "verb": call,
            "status": answer.status,
            "code": code,
            "request_id": answer.request_id,
            "retry_after": answer.retry_after_s,
        }


def _revealed(value: object) -> str:
    """Reveal a `Secret` inside a JSON body as it is sent."""
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON")


def _query(shown: Mapping[str, str | int], hidden: Mapping[str, Secret]) -> str:
    return urlencode({**shown, **{name: value.reveal() for name, value in hidden.items()}})


def _first(header: Callable[[str], str | None], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := header(name))), None)


def _ms(start: float) -> float:
    return 1000 * (time.monotonic() - start)
