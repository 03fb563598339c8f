import pytest

from tests.services.contract import JobContract
from tests.services.nodeodm.stage import NodeodmStage


class TestNodeodmJobs(JobContract):
    @pytest.fixture
    def stage(self, emu, photos):
        return NodeodmStage(emu, photos)
