"""What a launch at Teleport would send, for people to read before it is sent.

Sources: Teleport API specification page; API documentation, *upload captures*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupixgeo.services.job_values import PlannedRequest

USUAL_PART_BYTES = 10_485_760
"""Size of a part in the documentation's example [byte]; the service tells the real one."""


def planned_requests(announced: Mapping[str, Any], *, size: int) -> tuple[PlannedRequest, ...]:
    """List the requests in order.

    Parameters
    ----------
    announced : mapping
        Body of the announcement.
    size : int
        Size of what is uploaded [byte].
    """
    parts = -(-size // USUAL_PART_BYTES)
    usual = f"{parts} parts if they have {USUAL_PART_BYTES} bytes, as in the documentation"
    link = {"eid": "{eid}", "bytesize": size}
    done = {"eid": "{eid}", "parts": [{"number": "{1…}", "etag": "{etag}"}]}
    path = "api/v1/captures/{eid}"
    return (
        PlannedRequest("POST", "{token service}", None, 1, "exchange the key for a token"),
        PlannedRequest("POST", "api/v1/captures", dict(announced), 1, "announce the capture"),
        PlannedRequest(
            "POST", f"{path}/create-upload-url/{{number}}", link, parts, f"ask for a link; {usual}"
        ),
        PlannedRequest("PUT", "{upload_url}", None, parts, "send a part, without the token"),
        PlannedRequest("POST", f"{path}/uploaded", done, 1, "complete the upload: starts the job"),
        PlannedRequest("GET", "api/v1/captures", None, 1, "look how it is, every 10 to 30 s"),
        PlannedRequest("GET", "share/{sid}/metadata", None, 1, "ask for the models"),
    )
