"""What Teleport does not say and this client has to assume, each under a name of its own.

Knows values, no requests. Sources are beside each; all of them can be told otherwise with
``connect("teleport", assume=TeleportSettings(...))``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cupixgeo.errors import ArgumentError


@dataclass(frozen=True)
class TeleportSettings:
    """Assumptions about the service.

    Parameters
    ----------
    max_photos : int or None
        Photos in one capture. 3000 on the developer plan, according to third parties.
    max_bytes : int or None
        [byte] largest upload. 10 GB, according to third parties.
    max_parts : int
        Parts of an upload: a rule of S3, where the parts go.
    per_page : int
        Captures to ask for at a time. 25 is the documented default, so no server cuts it down, and
        a shorter page is the last one.
    send_checksums : bool
        Whether each part carries a Content-MD5, which S3 compares.
    quat_order : {"xyzw", "wxyz"}
        Order of the quaternion where a camera comes as 7 numbers.
    """

    max_photos: int | None = 3000
    max_bytes: int | None = 10_000_000_000
    max_parts: int = 10_000
    per_page: int = 25
    send_checksums: bool = True
    quat_order: Literal["xyzw", "wxyz"] = "xyzw"

    def __post_init__(self) -> None:
        if self.per_page < 1 or self.max_parts < 1:
            raise ArgumentError("per_page and max_parts of TeleportSettings are at least 1.")
        if self.quat_order not in ("xyzw", "wxyz"):
            raise ArgumentError(f"quat_order={self.quat_order!r} is not 'xyzw' or 'wxyz'.")

    def to_dict(self) -> dict[str, Any]:
        """Give them as JSON."""
        return asdict(self)
