"""What travels between the HTTP server and a service: requests, responses, how they are delivered.

Knows HTTP in general. Knows no service, no world and no socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Request:
    """One request as a service sees it.

    Parameters
    ----------
    method : str
        Upper case, for example ``"GET"``.
    path : str
        Path below the service's root, decoded, for example ``"/pointclouds/5310"``.
    query : Mapping of str to str
        Query parameters; of a repeated one the last counts.
    headers : Mapping of str to str
        Header names in lower case.
    body : bytes
        The whole request body, decoded from chunks where it came in chunks.
    pairs : tuple of (str, str)
        Query parameters in their order, repeated ones included.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Delivery:
    """How the bytes of a response are put on the wire; the default is the honest way.

    Parameters
    ----------
    cut_after : int or None
        [byte] of body after which the connection is closed; None sends everything.
    length_delta : int
        [byte] added to the true Content-Length.
    pause_s : float
        [s] to wait before each chunk of the body.
    chunk : int
        [byte] written at a time.
    silent : bool
        Close the connection without a single byte of answer.
    """

    cut_after: int | None = None
    length_delta: int = 0
    pause_s: float = 0.0
    chunk: int = 1 << 16
    silent: bool = False


@dataclass(frozen=True)
class Response:
    """One answer: status, headers (without Content-Length and Date), body and its delivery."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delivery: Delivery = Delivery()

    def header(self, name: str) -> str | None:
        """Return the value of the header `name` (any case), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Service(Protocol):
    """An emulated service: it answers requests and has tokens for its users."""

    def handle(self, request: Request) -> Response:
        """Answer one request whose path lies below the service's root."""

    def token(self, account: int) -> str:
        """Return the API token of the account with this index; ValueError when there is none."""


@runtime_checkable
class Operating(Protocol):
    """A service one path of which takes every request; the body says what is asked for."""

    def operation(self, request: Request) -> str:
        """Return what is asked for, ``"createProject"``; empty where the path says it all."""


def json_response(
    status: int, content: Any, *, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Make a response with a JSON body; NaN and infinity are refused."""
    body = json.dumps(content, allow_nan=False, ensure_ascii=False).encode()
    return Response(status, (("Content-Type", "application/json; charset=utf-8"), *headers), body)


def is_number(text: str) -> bool:
    """Return whether `text` is a plain whole number of a sane length."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def empty_response(status: int, *, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Make a response without a body."""
    return Response(status, tuple(headers))
