"""What OpenScanCloud does not say and this client has to assume, each under a name of its own.

Knows values, no requests. All can be told otherwise with ``connect("openscan", assume=...)``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cupixgeo.errors import ArgumentError

PART_BYTES = 200_000_000
"""Most bytes an upload link takes, by all public clients and the service's README [byte]."""


@dataclass(frozen=True)
class OpenScanSettings:
    """Assumptions about the service.

    Parameters
    ----------
    part_bytes : int
        [byte] of a part of the zip; at most `PART_BYTES`.
    trust_consumed_links : bool
        What it means when an upload link is reported as consumed though no reply about it came:
        True, that the part arrived whole, because such a link is consumed by a whole upload and
        nobody else knows it; False, that everything is uploaded anew.
    patience : int
        Questions after ``processing done`` in which the link to the result may still be missing.
    """

    part_bytes: int = PART_BYTES
    trust_consumed_links: bool = True
    patience: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.part_bytes <= PART_BYTES:
            raise ArgumentError(f"part_bytes={self.part_bytes} is not from 1 to {PART_BYTES}.")
        if self.patience < 0:
            raise ArgumentError(f"patience={self.patience} is less than 0.")

    def to_dict(self) -> dict[str, Any]:
        """Give them as JSON."""
        return asdict(self)
