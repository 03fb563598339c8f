import pytest

from tests.services.contract import JobContract
from tests.services.openscan.stage import OpenScanStage


class TestOpenScanJobs(JobContract):
    @pytest.fixture
    def stage(self, emu, photos):
        return OpenScanStage(emu, photos)
