from datetime import UTC, datetime

import pytest

from cupixgeo.emulator import Clock


def test_the_clock_stands_still_until_it_is_moved():
    clock = Clock(datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC))
    assert clock.now() == clock.now() == 1709251199.0
    clock.advance(1.5)
    assert clock.iso() == "2024-03-01T00:00:00.500Z"
    assert clock.iso(-0.5) == "2024-03-01T00:00:00.000Z"


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_the_clock_does_not_run_backwards(seconds):
    with pytest.raises(ValueError, match="forward only"):
        Clock().advance(seconds)


def test_a_start_without_time_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        Clock(datetime(2024, 1, 1))
