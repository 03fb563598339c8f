"""Messages about captures that have ended, signed as the service signs them.

References
----------
Teleport API documentation, *webhooks*: body, header ``X-Teleport-Signature``, HMAC-SHA256 of the
raw body. That the signature is hexadecimal is a decision.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cupixgeo.emulator.teleport.captures import Capture

HEADER = "X-Teleport-Signature"


@dataclass(frozen=True)
class Message:
    """One message: what is to be posted to the address an organisation has set.

    Parameters
    ----------
    headers : dict of str to str
        Headers, the signature among them.
    body : bytes
        The exact bytes that were signed.
    """

    headers: dict[str, str]
    body: bytes


def message_about(capture: Capture, state: str, secret: str) -> Message:
    """Return the message about a capture that has ended."""
    content = {"eid": capture.eid, "sid": capture.sid, "state": state}
    if state == "ERROR":
        content["error_reason"] = capture.outcome
    body = json.dumps(content).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Message({"Content-Type": "application/json", HEADER: signature}, body)
