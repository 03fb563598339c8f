"""The emulated Altizure as the contract suite sees it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cupixgeo.emulator import Emulator, faults
from cupixgeo.emulator.journal import Entry
from tests.services.stage import EmulatorStage

CHANGES = (
    "createProject", "removeProject", "startReconstructionWithError", "preStartReconstruction",
    "stopReconstruction", "upload", "startImageUpload", "doneImageUpload", "doneModelUpload",
    "transfer", "reportProject",
)  # fmt: skip


class AltizureStage(EmulatorStage):
    service = "altizure"
    makes_pointcloud = False
    steps: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "create": ("altizure", "POST", "/graphql/createProject"),
        "part": ("storage", "PUT", "/emu-altizure-*"),
        "start": ("altizure", "POST", "/graphql/startReconstructionWithError"),
        "status": ("altizure", "POST", "/graphql/project"),
        "download": ("storage", "GET", "/altizure/*"),
    }

    def __init__(self, emulator: Emulator, photos: Path) -> None:
        super().__init__(emulator, photos)
        self.at = emulator.service("altizure")
        self.before = set(self.at.store.projects)
        self.planted = (*self.planted, self.at.app_key, self.at.user_token())

    def wrong_token(self) -> dict[str, Any]:
        return {"token": f"{self.at.app_key}:nobody"}

    def too_little(self) -> tuple[Path, dict[str, Any]]:
        folder = self.photos.parent / "two"
        folder.mkdir()
        for path in sorted(self.photos.iterdir())[:2]:
            shutil.copy(path, folder)
        return folder, {}

    def made(self) -> int:
        return len(self._projects)

    def started(self) -> int:
        return sum(len(project.tasks) for project in self._projects)

    def running(self) -> int:
        return sum(project.running is not None for project in self._projects)

    @property
    def _projects(self) -> list[Any]:
        projects = self.at.store.projects
        return [projects[id] for id in projects if id not in self.before]

    def is_change(self, entry: Entry) -> bool:
        return entry.operation.startswith(CHANGES) or entry.method == "PUT"

    def refusal(self) -> faults.Fault:
        return faults.json_reply({"data": None, "errors": [{"message": "refused"}]})

    def fail_job(self) -> None:
        self.at.rules.fail_task = "EmulatedNotEnoughOverlap"

    def say_unknown(self) -> None:
        self.at.rules.next_word = "Levitating"
