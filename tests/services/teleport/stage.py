"""The emulated Teleport as the contract suite sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.journal import Entry
from tests.services.stage import EmulatorStage

CHUNK = 8192
CAPTURES = "/api/v1/captures"


class TeleportStage(EmulatorStage):
    service = "teleport"
    makes_pointcloud = False
    steps: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "create": ("teleport", "POST", CAPTURES),
        "part": ("storage", "PUT", "/teleport-uploads/*"),
        "start": ("teleport", "POST", f"{CAPTURES}/*/uploaded"),
        "status": ("teleport", "GET", CAPTURES),
        "download": ("storage", "GET", "/teleport/*"),
    }

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        super().__init__(emulator, photos)
        self.emulated = emulator.service("teleport")
        self.emulated.settings.chunk_size = CHUNK
        self.emulated.settings.ready_after_polls = 20
        self.largest_part = CHUNK
        secret = self.emulated.tokens.organisations[0].client_secret
        self.planted = (*self.planted, secret)

    def wrong_token(self) -> dict[str, Any]:
        return {"token": "nobody:nothing"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        film = self.photos.parent / "film.mp4"
        with film.open("wb") as file:
            file.truncate(11_000_000_000)  # a hole: nothing of it is on disk
        return film, {}

    def made(self) -> int:
        return len(self.emulated.captures)

    def started(self) -> int:
        return sum(capture.uploaded is not None for capture in self.emulated.captures)

    def running(self) -> int:
        now = self.emulator.clock.now()
        states = [capture.state(now) for capture in self.emulated.captures]
        return sum(state not in ("CREATED", "READY", "ERROR") for state in states)

    def is_change(self, entry: Entry) -> bool:
        asks = entry.path.endswith("/oauth2/token") or "/create-upload-url/" in entry.path
        return super().is_change(entry) and not asks

    def refusal(self) -> faults.Fault:
        problem = {"loc": ["body", "name"], "msg": "refused", "type": "value_error"}
        return faults.json_reply({"detail": [problem]}, status=422)

    def fail_job(self) -> None:
        self.emulated.settings.outcome = "POSE_REFINEMENT_FAILED"

    def say_unknown(self) -> None:
        self.emulated.settings.stages = (("POLISHING", 1.0), ("PROCESSING", 1.0))
