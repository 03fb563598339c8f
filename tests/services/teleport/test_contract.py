import pytest

from tests.services.contract import JobContract
from tests.services.teleport.stage import TeleportStage


class TestTeleportJobs(JobContract):
    @pytest.fixture
    def stage(self, emu, photos):
        return TeleportStage(emu, photos)
