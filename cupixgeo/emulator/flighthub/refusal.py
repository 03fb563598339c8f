"""Refusals of the emulated FlightHub: a number in the envelope, whatever the HTTP status.

Knows the envelope ``{"code", "message", "data"}``. Knows no call.
"""

from __future__ import annotations

from typing import Any

from cupixgeo.emulator.flighthub.rules import NOT_FOUND, OK, PARAMETER
from cupixgeo.emulator.wire import Response, json_response


class RefusedError(Exception):
    """A call is refused.

    Parameters
    ----------
    code : int
        Number in the envelope; not 0.
    message : str
        Text beside it.
    status : int
        HTTP status; most refusals come with 200.
    """

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def response(self) -> Response:
        """Write it as an answer."""
        return json_response(self.status, {"code": self.code, "message": self.message, "data": {}})


def done(data: Any = None) -> Response:
    """Answer a call that succeeded; None leaves `data` away, as some calls do."""
    content: dict[str, Any] = {"code": OK, "message": ""}
    if data is not None:
        content["data"] = data
    return json_response(200, content)


def bad_parameter(name: str, why: str) -> RefusedError:
    """Refuse an argument."""
    return RefusedError(PARAMETER, f"parameter error: {name} {why}")


def not_found(what: str) -> RefusedError:
    """Refuse a call about something that is not there."""
    return RefusedError(NOT_FOUND, f"{what} not found", status=404)
