"""The laws every service that runs jobs keeps, through each way a photo can travel."""

from __future__ import annotations

from pathlib import Path

import pytest

from cupixgeo.emulator import Emulator
from tests.services.altizure.stage import AltizureStage
from tests.services.contract import JobContract


class TestAltizureJobs(JobContract):
    @pytest.fixture
    def stage(self, emu: Emulator, photos: Path) -> AltizureStage:
        return AltizureStage(emu, photos)
