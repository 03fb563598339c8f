"""The fake service keeps the contract: it can be kept, and what is common to services keeps it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.services.contract import JobContract
from tests.services.fakes.service import Service
from tests.services.fakes.stage import FakeStage

REAL = Path(__file__).parents[3] / "data" / "brighton_beach" / "reference" / "model.laz"


class TestFakeJobs(JobContract):
    @pytest.fixture
    def stage(self, service: Service, photos: Path, tmp_path: Path) -> FakeStage:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as bundle:
            bundle.write(REAL, "points/cloud.laz")
            bundle.writestr("report/report.json", "{}")
        service.products["all.zip"] = packed.getvalue()
        return FakeStage(service, photos, tmp_path / "cache")
