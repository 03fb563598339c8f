"""The emulated FlightHub as the contract suite sees it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.flighthub import Outcome
from cupixgeo.emulator.journal import Entry
from tests.services.stage import EmulatorStage

OPEN_MODEL = "/open_model"
ERROR_CODE = 310001


class FlightHubStage(EmulatorStage):
    service = "flighthub"
    cloud_name = "aws"
    steps: ClassVar = {
        "create": ("flighthub", "POST", f"{OPEN_MODEL}/stores/obtain_token"),
        "part": ("storage", "PUT", "/fh-open-modeling*"),
        "start": ("flighthub", "POST", f"{OPEN_MODEL}/models/reconstruction/start"),
        "status": ("flighthub", "GET", f"{OPEN_MODEL}/models/*-*-*-*-*"),
        "download": ("storage", "GET", "/fh/*"),
    }

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        super().__init__(emulator, photos)
        self.emulated = emulator.service("flighthub")
        self.emulated.rules.cloud_name = self.cloud_name
        self.emulated.rules.every_nth_point = 400

    def wrong_token(self) -> dict[str, Any]:
        return {"token": "a-token-of-another-region"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        few = self.photos.parent / "few"
        few.mkdir()
        for photo in sorted(self.photos.iterdir())[:4]:
            shutil.copy(photo, few)
        return few, {}

    def made(self) -> int:
        return len(self.emulated.uploads.resources)

    def started(self) -> int:
        return len(self.emulated.tasks.tasks)

    def running(self) -> int:
        return len(self.emulated.tasks.running(self.emulated.directory.users[0]))

    def is_change(self, entry: Entry) -> bool:
        return super().is_change(entry) and not entry.path.endswith("/obtain_token")

    def refusal(self) -> faults.Fault:
        return faults.json_reply({"code": 200610, "message": "parameter error", "data": {}})

    def fail_job(self) -> None:
        self.emulated.rules.outcome = Outcome(status=8, error_code=ERROR_CODE)

    def say_unknown(self) -> None:
        self.emulated.rules.outcome = Outcome(odd_status=10)
