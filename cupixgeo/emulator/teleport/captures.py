"""Captures: what was announced, what was uploaded, and the state each is in by the clock.

Knows the life of a capture. Knows no route and no link.

References
----------
Teleport API specification page (``CaptureOutput``, ``NewCaptureOutput``); API documentation,
*manage captures* and *webhooks* (``READY``, ``ERROR``, the reasons).
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from cupixgeo.emulator.teleport.settings import TeleportSettings

FORMATS = ("bulk-images", "video", "commonformat-ios")
REASONS = {
    "NOT_ENOUGH_FRAMES": "Too few usable frames.",
    "INPUT_VALIDATION_FAILED": "The uploaded file is not what was announced.",
    "CONVERSION_FAILED": "The upload could not be converted to the common format.",
    "POSE_REFINEMENT_FAILED": "Camera poses could not be recovered.",
    "DENSIFICATION_FAILED": "The model could not be made.",
}
_PHOTOS = (".jpg", ".jpeg", ".png")
_PREVIEWS = ("432x576", "897x1196")


@dataclass
class Capture:
    """One capture.

    Parameters
    ----------
    eid, sid, segment : str
        Ids: of the capture, of its share page, of its one segment.
    organisation : str
        Whose it is.
    name : str
        Name.
    size, chunk_size : int
        [byte] announced size of the file, and of a part.
    form : str
        ``input_data_format``.
    created, uploaded : float
        [s] since 1970-01-01 UTC; `uploaded` is None before.
    parameters : dict or None
        ``training_parameters`` as they were sent.
    stages : list of (str, float)
        States after the upload and when each ends [s].
    outcome : str
        ``"READY"`` or an error reason.
    polls_left : int or None
        Listings until it ends; None where the clock decides.
    upload : Path or None
        What was uploaded, put together.
    is_told : bool
        Whether the webhook about its end was sent.
    """

    eid: str
    sid: str
    segment: str
    organisation: str
    name: str
    size: int
    chunk_size: int
    form: str
    created: float
    parameters: dict[str, Any] | None = None
    uploaded: float | None = None
    stages: list[tuple[str, float]] = field(default_factory=list)
    outcome: str = "READY"
    polls_left: int | None = None
    upload: Path | None = None
    is_told: bool = False

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return -(-self.size // self.chunk_size)

    def part_size(self, number: int) -> int:
        """Size [byte] of a part, from 1."""
        return min(self.chunk_size, self.size - (number - 1) * self.chunk_size)

    def state(self, now: float) -> str:
        """Return the service's word for the state at a time [s]."""
        if self.uploaded is None:
            return "CREATED"
        if self.polls_left is not None and self.stages:
            return self.stages[max(0, len(self.stages) - self.polls_left)][0]
        for state, until in self.stages:
            if now < until:
                return state
        return "READY" if self.outcome == "READY" else "ERROR"

    def asked(self, now: float) -> None:
        """Count one listing, where listings decide."""
        if self.polls_left is not None:
            self.polls_left -= 1
            if self.polls_left <= 0:
                self.polls_left = None
                self.stages = [(state, now) for state, _ in self.stages]

    def take(self, upload: Path, now: float, settings: TeleportSettings) -> None:
        """Begin to process what was uploaded."""
        self.uploaded, self.upload = now, upload
        self.outcome = _problem(upload, self.form, settings) or settings.outcome
        self.polls_left = settings.ready_after_polls
        self.stages = []
        for state, lasts in settings.stages:
            now += lasts
            self.stages.append((state, now))

    def output(self, now: float, *, zone: bool, web: str, previews: dict[str, str]) -> Any:
        """Return the capture as it is sent.

        Parameters
        ----------
        now : float
            [s] since 1970-01-01 UTC.
        zone : bool
            Whether times carry their offset.
        web : str
            Address of the web application.
        previews : dict of str to str
            Links to preview pictures by size, for a capture that is ready.
        """
        state = self.state(now)
        is_ready = state == "READY"
        reason = self.outcome if state == "ERROR" else None
        # webhooks name a share id for failed captures too; the list shows it once there is a page
        share = f"{web}/share/{self.sid}" if is_ready else None
        return {
            "eid": self.eid,
            "sid": self.sid if is_ready else None,
            "name": self.name,
            "created": stamp(self.created, zone=zone),
            "uploaded": None if self.uploaded is None else stamp(self.uploaded, zone=zone),
            "state": state,
            "error_reason": reason,
            "state_description": REASONS.get(reason, reason) if reason else None,
            "error_reason_slug": reason,
            "preview_urls": previews if is_ready else {},
            "preview_url": previews[_PREVIEWS[0]] if is_ready else None,
            "viewer_url": f"{web}/captures/{self.sid}" if is_ready else None,
            "share_url": f"{web}/captures/{self.sid}" if is_ready else None,
            "share_link": share,
            "gif_url": None,
            "video_url": None,
            "share_video_url": None,
            "is_public": False,
        }


def stamp(time: float, *, zone: bool) -> str:
    """Write a time as the service does: microseconds, and no zone unless it is asked for."""
    moment = datetime.fromtimestamp(time, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}" + ("+00:00" if zone else "")


def make_ids(seed: int, serial: int) -> tuple[str, str, str]:
    """Return eid, sid and segment of the capture with this serial number."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    digest = hashlib.sha256(f"teleport/{seed}/{serial}".encode()).digest()
    eid = "".join(letters[byte % 36] for byte in digest[:12])
    segment = "".join(letters[byte % 36] for byte in digest[12:24])
    return eid, hashlib.md5(digest, usedforsecurity=False).hexdigest(), segment


def _problem(upload: Path, form: str, settings: TeleportSettings) -> str:
    """Return the reason for which an upload cannot be processed; empty for none."""
    if form == "video":
        with upload.open("rb") as stream:
            return "" if stream.read(12)[4:8] == b"ftyp" else "CONVERSION_FAILED"
    if (
        form != "bulk-images"
    ):  # what a phone makes; anything else sent under this word ends in ERROR
        return "CONVERSION_FAILED"
    if not zipfile.is_zipfile(upload):
        return "INPUT_VALIDATION_FAILED"
    with zipfile.ZipFile(upload) as archive:
        frames = [
            info for info in archive.infolist()
            if PurePosixPath(info.filename).suffix.lower() in _PHOTOS and not info.is_dir()
        ]  # fmt: skip
        if archive.testzip() is not None or len(frames) > settings.max_frames:
            return "INPUT_VALIDATION_FAILED"
        return "NOT_ENOUGH_FRAMES" if len(frames) < settings.min_frames else ""
