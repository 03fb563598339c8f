"""The emulated OpenScanCloud as the contract suite sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.journal import Entry
from tests.services.stage import EmulatorStage

PART = 8192
CHANGES = ("createProject", "startProject", "resetProject", "requestToken")


class OpenScanStage(EmulatorStage):
    service = "openscan"
    makes_pointcloud = False
    steps: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "create": ("openscan", "GET", "/createProject"),
        "part": ("storage", "POST", "/apitul/*"),
        "start": ("openscan", "GET", "/startProject"),
        "status": ("openscan", "GET", "/getProjectInfo"),
        "download": ("storage", "GET", "/openscan/*"),
    }

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        super().__init__(emulator, photos)
        self.emulated = emulator.service("openscan")
        self.emulated.settings.ready_after_polls = 20
        self.largest_part = PART

    def connect(self, **options: Any) -> Any:
        return super().connect(**{"assume": {"part_bytes": PART}, **options})

    def child(self) -> dict[str, Any]:
        order = super().child()
        order["connect"]["assume"] = {"part_bytes": PART}
        return order

    def wrong_token(self) -> dict[str, Any]:
        return {"token": "nobody-has-this-token"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        self.emulated.accounts[0].limit_photos = 2
        return self.photos, {}

    def made(self) -> int:
        return len(self.emulated.projects)

    def started(self) -> int:
        return sum(project.started is not None for project in self.emulated.projects)

    def running(self) -> int:
        now, settings = self.emulator.clock.now(), self.emulated.settings
        states = [project.state(now, settings) for project in self.emulated.projects]
        final = ("created", "processing done", "processing failed", "expired")
        return sum(state not in final for state in states)

    def is_change(self, entry: Entry) -> bool:
        is_order = entry.path.rpartition("/")[2] in CHANGES
        return is_order or super().is_change(entry)

    def refusal(self) -> faults.Fault:
        return faults.html_page(400)

    def fail_job(self) -> None:
        self.emulated.settings.outcome = "processing failed"

    def say_unknown(self) -> None:
        self.emulated.settings.stages = (("polishing", 1.0), ("processing started", 1.0))
