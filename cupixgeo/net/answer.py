"""One answer of a service: what it holds, how it is decoded, and what its status means.

Knows HTTP statuses as errors of this toolkit. Must not know any service, nor how answers are got.

Sources: RFC 9110 §15 (status codes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cupixgeo.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceError,
)
from cupixgeo.net.secret import Secret, excerpt, redact

STATUS_ERRORS: Mapping[int, tuple[type[ServiceError], str, str]] = {
    400: (BadRequestError, "refuses", "Correct the arguments of the call."),
    401: (
        AuthenticationError,
        "does not accept the token for",
        "Check that it is current and was made for this very address: {origin}.",
    ),
    403: (PermissionDeniedError, "does not allow", "Ask for access, or use another token."),
    404: (NotFoundError, "has nothing at", "Check the id, and that the token may see it."),
    422: (BadRequestError, "refuses", "Correct the arguments of the call."),
    429: (RateLimitError, "gets too many requests and turned down", "Try again later."),
}
"""Status → error, the verb its message uses, and the remedy."""


@dataclass(frozen=True)
class Answer:
    """One whole answer of a service."""

    status: int
    body: bytes = field(repr=False)
    content_type: str
    request_id: str | None
    retry_after_s: float | None
    location: Secret | None

    def decoded(self) -> tuple[bool, Any]:
        """Decode JSON: (True, value), or (False, None) where it is none."""
        try:
            return True, json.loads(self.body)
        except (ValueError, RecursionError):
            return False, None

    def described(self, *secrets: Secret) -> str:
        """Say in words what came, for an error message; without these secrets."""
        kind = self.content_type.partition(";")[0].strip() or "no content type"
        if not self.body.strip():
            return f"an empty body ({kind})"
        start = excerpt(self.body, *secrets)
        return f"{len(self.body)} bytes ({redact(kind, *secrets)[:60]}) starting {start!r}"
