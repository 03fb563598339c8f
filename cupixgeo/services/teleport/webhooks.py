"""Messages Teleport sends about captures that have ended: verified, then read.

Knows signature and body. Receives nothing: that is the web server's work.

Source: Teleport API documentation, *webhooks*. That the signature is hexadecimal, with or without
``sha256=`` before it, is inferred.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cupixgeo.errors import AuthenticationError, ResponseError
from cupixgeo.net.secret import Secret

HEADER = "X-Teleport-Signature"


@dataclass(frozen=True)
class CaptureEnded:
    """A capture has ended.

    Parameters
    ----------
    eid, sid, state : str
        Which one, and ``"READY"`` or ``"ERROR"``.
    error_reason : str
        Why, for an error.
    """

    eid: str
    sid: str
    state: str
    error_reason: str = ""


def read_webhook(body: bytes, signature: str, secret: str | Secret) -> CaptureEnded:
    """Verify a message and read it.

    Parameters
    ----------
    body : bytes
        The exact bytes that came.
    signature : str
        The header `HEADER`.
    secret : str or Secret
        The signing secret of the Developer Dashboard.

    Raises
    ------
    AuthenticationError
        If the signature is not that of these bytes: the message is not from the service.
    ResponseError
        If it is, but the body is not understood.
    """
    key = Secret(secret)
    del secret
    expected = hmac.new(key.reveal().encode(), body, hashlib.sha256).hexdigest()
    given = signature.strip().lower().removeprefix("sha256=")
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise AuthenticationError(
            "the signature of a Teleport message is not that of its body: throw it away, and check "
            "the signing secret if all are refused.",
            service="teleport",
            verb="webhook",
        )
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, Mapping) or not content.get("eid") or not content.get("state"):
        raise ResponseError(
            "a signed Teleport message names no capture and state: the service may have changed.",
            service="teleport",
            verb="webhook",
        )
    texts = (str(content.get(name) or "") for name in ("eid", "sid", "state", "error_reason"))
    return CaptureEnded(*texts)
