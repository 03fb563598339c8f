import pytest

from tests.services.contract import JobContract
from tests.services.flighthub.stage import FlightHubStage


class TestFlightHubJobs(JobContract):
    @pytest.fixture
    def stage(self, emu, photos):
        return FlightHubStage(emu, photos)
