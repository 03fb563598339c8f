"""Named GraphQL operations over one session: what is sent, what comes back, what is an error.

Knows operations by the names of their files in ``operations/``; values travel as variables, never
inside the text. An answer with ``errors`` is an error, also with HTTP status 200. Must not know
what the objects mean.

Sources: altizure/dev-docs en/api.md (one endpoint, POST of ``query`` and ``variables``), changelog
1.4.0 and 1.6.2 (a query without a good token gives null, a mutation ``Authentication Error``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from cupixgeo.errors import (
    AuthenticationError,
    BadRequestError,
    ResponseError,
    ServiceError,
)
from cupixgeo.net.session import Session
from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.altizure.regions import ENDPOINT

Object = dict[str, Any]

REPEATABLE = {
    "has_image": "a look, although it is a mutation",
    "start_image": "sets a mark; the public client sends it up to 5 times",
    "done_image": "sets a mark",
}
"""Mutations that may be sent again after a failure, with the reason. Queries always may."""

_AUTHENTICATION = "Authentication Error"
_HEAD = re.compile(r"^(query|mutation)\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Operation:
    """One named operation.

    Parameters
    ----------
    name : str
        Name inside the text: ``"CreateProject"``.
    text : str
        The GraphQL document.
    safe : bool
        Whether it may be sent again after a failure.
    """

    name: str
    text: str
    safe: bool


@lru_cache(maxsize=128)
def operation(name: str) -> Operation:
    """Load an operation by the name of its file, without suffix."""
    text = (resources.files(__package__) / "operations" / f"{name}.graphql").read_text("utf-8")
    head = _HEAD.search(text)
    assert head is not None  # every file begins with one named operation; a test looks
    return Operation(head[2], text, head[1] == "query" or name in REPEATABLE)


class Api:
    """Sends operations.

    Parameters
    ----------
    session : Session
        The connection.
    conventions : Conventions
        What is assumed where nothing public says it.
    """

    def __init__(self, session: Session, conventions: Conventions) -> None:
        self.session = session
        self.conventions = conventions

    def call(self, name: str, variables: Mapping[str, Any] | None = None) -> Object:
        """Send an operation and give its data.

        Parameters
        ----------
        name : str
            Name of its file.
        variables : mapping
            Values; None leaves one out. A `Secret` is revealed only as it is sent.

        Returns
        -------
        dict
            ``data``: root fields and their values.

        Raises
        ------
        AuthenticationError
            If the service says ``Authentication Error``.
        BadRequestError
            If it answers with errors, and changed nothing: the request was not carried out, or
            only asked.
        ResponseError
            If it answers a change with errors after it had begun with it, or with something else
            than GraphQL does: whether it did something is not known.
        ServiceError
            As for `cupixgeo.net.session.Session.json`.
        """
        return self.call_at(ENDPOINT, name, variables)

    def call_at(
        self, endpoint: str, name: str, variables: Mapping[str, Any] | None = None
    ) -> Object:
        """Send an operation to another endpoint than the usual one; else as `call`."""
        wanted = operation(name)
        text = wanted.text
        if name == "start_coupons":
            text = self._with_coupon_names(text)
        given = {key: value for key, value in (variables or {}).items() if value is not None}
        body = {"query": text, "variables": given}
        failure: ServiceError | None
        data: Object = {}
        try:
            answer = self.session.json("POST", endpoint, body=body, safe_to_repeat=wanted.safe)
            data, failure = self._read(answer, wanted)
            answer = None  # the service may quote a secret in it, and a traceback would show it
        except ServiceError as error:
            failure = _renamed(error, f"POST /{endpoint}", wanted.name)
        if failure is not None:
            raise failure
        return data

    def field(self, name: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Send an operation and give the value of its only root field; may be None."""
        return next(iter(self.call(name, variables).values()))

    def object(self, name: str, variables: Mapping[str, Any] | None = None) -> Object | None:
        """Send an operation whose only root field is an object; None where that is null.

        Raises
        ------
        ResponseError
            If it is something else.
        ServiceError
            As for `call`.
        """
        value = self.field(name, variables)
        if value is None or isinstance(value, dict):
            return value
        raise self.misunderstood(name, f"{value!r} instead of an object")

    def misunderstood(self, name: str, what: str) -> ResponseError:
        """Make the error for an answer that has not the shape the schema promises."""
        called = operation(name).name
        return ResponseError(
            f"{self.session.service} answered {called} with {self.session.redact(what)[:200]}. "
            "Try again; if it stays like this, report it: the service may have changed.",
            service=self.session.service,
            verb=called,
            status=200,
        )

    def refused(self, name: str, message: str, *, code: Any = None) -> BadRequestError:
        """Make the error for a request the service turned down inside a good answer."""
        return BadRequestError(
            self.session.redact(message),
            service=self.session.service,
            verb=operation(name).name,
            status=200,
            code=None if code is None else str(code),
        )

    def _read(self, answer: Any, wanted: Operation) -> tuple[Object, ServiceError | None]:
        """Take the data out of an answer, or give the error it is."""
        service = self.session.service
        facts: dict[str, Any] = {"service": service, "verb": wanted.name, "status": 200}
        if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
            return {}, ResponseError(
                f"{service} answered {wanted.name} with JSON that is no GraphQL. Check that "
                "base_url is the API root, without anything behind it.",
                **facts,
            )
        data = answer.get("data")
        said = first_message(answer)
        if said is None and isinstance(data, dict) and data:
            return data, None
        told = self.session.redact(said or "an empty answer").rstrip(".")
        if _AUTHENTICATION.lower() in told.lower():
            return {}, _not_authenticated(told, facts)
        was_tried = isinstance(data, dict) and bool(data)
        if said is not None and (wanted.safe or not was_tried):
            return {}, BadRequestError(
                f"{service} refuses {wanted.name}: {told}. Correct the arguments of the call.",
                **facts,
            )
        return {}, ResponseError(
            f"{service} failed at {wanted.name}: {told}. It cannot be told whether it did what was "
            "asked: look at the project before you try again.",
            **facts,
        )

    def _with_coupon_names(self, text: str) -> str:
        """Put the names of the coupons' field and type into the only text that has them."""
        named = text.replace("coupons: $", f"{self.conventions.coupon_field}: $")
        return named.replace("[ID!]", self.conventions.coupon_type)


def first_message(body: Any) -> str | None:
    """Give the first message of an answer's ``errors``; None where there is none.

    Source: public clients use the first message alone.
    """
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) else errors
    message = first.get("message") if isinstance(first, Mapping) else first
    return str(message) if message else "an error without a message"


def _renamed(error: ServiceError, call: str, name: str) -> ServiceError:
    """Make the same error again, with the operation's name in place of the endpoint's."""
    facts = {**vars(error), "verb": name}
    message = str(error).replace(call, name)
    if isinstance(error, BadRequestError) and _AUTHENTICATION.lower() in message.lower():
        return _not_authenticated(_AUTHENTICATION, facts)
    return type(error)(message, **facts)


def _not_authenticated(told: str, facts: Mapping[str, Any]) -> AuthenticationError:
    return AuthenticationError(
        f"{facts['service']} does not accept the application key or the user token for "
        f"{facts['verb']} ({told}). Check both; a user can take a token back, then sign in again "
        "for a new one.",
        **facts,
    )
