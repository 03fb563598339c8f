"""The emulated node as the contract suite sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.emulator import Emulator, faults
from tests.services.stage import EmulatorStage


class NodeodmStage(EmulatorStage):
    service = "nodeodm"
    steps: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "create": ("nodeodm", "POST", "/task/new/init"),
        "part": ("nodeodm", "POST", "/task/new/upload/*"),
        "start": ("nodeodm", "POST", "/task/new/commit/*"),
        "status": ("nodeodm", "GET", "/task/*/info"),
        "download": ("nodeodm", "GET", "/task/*/download/*"),
    }

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        super().__init__(emulator, photos)
        self.emulated = emulator.service("nodeodm")
        self.emulated.settings.run_s = 60.0

    def wrong_token(self) -> dict[str, Any]:
        return {"token": "another-token"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        self.emulated.settings.max_images = 3
        return self.photos, {}

    def made(self) -> int:
        return len(self.emulated.tasks) + len(self.emulated.pending)

    def started(self) -> int:
        return len(self.emulated.tasks)

    def running(self) -> int:
        return sum(task.status in (10, 20) for task in self.emulated.tasks)

    def uploaded(self) -> int:
        """Count what was sent as files: a node takes them itself."""
        entries = self.emulator.journal.where(path="*/task/new/upload/*")
        return sum(entry.bytes_received for entry in entries)

    def fetched(self) -> int:
        return len(self.emulator.journal.where(path="*/download/*", method="GET"))

    def refusal(self) -> faults.Fault:
        return faults.json_reply({"error": "refused"})

    def fail_job(self) -> None:
        self.emulated.settings.outcome = "Not enough memory"

    def say_unknown(self) -> None:
        answer = {"uuid": "a", "status": {"code": 60}, "progress": 5, "processingTime": -1}
        fault = faults.json_reply(answer)
        self.emulator.faults.add(fault, service="nodeodm", path="/task/*/info")
