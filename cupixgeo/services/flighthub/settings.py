"""What FlightHub's documentation leaves open, and this client has to assume, each under its name.

Knows values, no requests. All of it is inferred; ``connect("flighthub", assume={...})`` says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from cupixgeo.errors import ArgumentError


@dataclass(frozen=True)
class FlightHubSettings:
    """Assumptions about the service.

    Parameters
    ----------
    api_path : str
        Path of the API at a region's gateway. ``"/openapi/v2.0"`` has the same calls.
    language : {"en", "zh"}
        ``X-Language``: of messages.
    callback_files : int
        Files in one upload callback. 100 is the documented most.
    whole_bytes, part_bytes : int
        [byte] larger files are uploaded in parts, of this size.
    vendor : {"", "s3", "oss"}
        Protocol of the storage; empty to tell by `cloud_name` (``ali`` in it means OSS).
    addressing : {"auto", "path", "virtual"}
        Where the bucket's name goes; stores on one's own premises mostly want ``"path"``.
    on_expiry : {"same folder", "start over"}
        What happens when the upload credential has expired: a new one is tried on the folder of
        the first (and all is sent again where it does not open that), or all is sent again.
    start_doubt_s : float
        [s] how long after a start without an answer a task that is not in the running list was
        certainly not started. Later it might have run and ended, and nobody can tell.
    results_via : {"link", "store"}
        How the archive is fetched: by the signed link of ``model/download-url``, or from the
        storage with an upload credential.
    map_mode : {0, 1, 2}
        Default of the required parameter of 2D: 0 farmland, 1 city, 2 orchard.
    """

    api_path: str = "/openapi/v0.1"
    language: Literal["en", "zh"] = "en"
    callback_files: int = 100
    whole_bytes: int = 64 * 2**20
    part_bytes: int = 16 * 2**20
    vendor: Literal["", "s3", "oss"] = ""
    addressing: Literal["auto", "path", "virtual"] = "auto"
    on_expiry: Literal["same folder", "start over"] = "same folder"
    start_doubt_s: float = 120.0
    results_via: Literal["link", "store"] = "link"
    map_mode: int = 1

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[object, ...]] = {
            "language": ("en", "zh"),
            "vendor": ("", "s3", "oss"),
            "addressing": ("auto", "path", "virtual"),
            "on_expiry": ("same folder", "start over"),
            "results_via": ("link", "store"),
            "map_mode": (0, 1, 2),
            "callback_files": tuple(range(1, 101)),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                shown = f"{values[0]!r} to {values[-1]!r}" if len(values) > 9 else values
                raise ArgumentError(f"assume: {name} is {getattr(self, name)!r}, not {shown}.")
        if self.part_bytes < 5 * 2**20:
            raise ArgumentError("assume: part_bytes is at least 5 MiB, a rule of the storage.")

    @classmethod
    def of(cls, given: FlightHubSettings | Mapping[str, Any] | None) -> FlightHubSettings:
        """Make settings of what the user gave.

        Raises
        ------
        ArgumentError
            If there is no such setting.
        """
        if isinstance(given, FlightHubSettings):
            return given
        unknown = sorted(set(given or ()) - set(cls().to_dict()))
        if unknown:
            raise ArgumentError(f"assume= knows {', '.join(cls().to_dict())}, and not {unknown}.")
        return replace(cls(), **dict(given or {}))

    def to_dict(self) -> dict[str, Any]:
        """Give them as JSON."""
        return asdict(self)
