"""Waits grow, stay under their cap, and follow what the service asks for."""

from __future__ import annotations

import pytest

from cupixgeo.net.settings import RETRY_FAILURES, RETRY_STATUSES, NetSettings


def test_waits_are_a_random_part_of_a_doubling_span_under_a_cap():
    longest = NetSettings(uniform=lambda: 1.0)
    assert [longest.wait_s(n) for n in (1, 2, 3, 4, 9)] == [0.5, 1.0, 2.0, 4.0, 30.0]
    assert NetSettings(uniform=lambda: 0.0).wait_s(5) == 0.0


def test_a_wait_the_service_asks_for_is_kept_in_full():
    assert NetSettings(uniform=lambda: 0.0).wait_s(1, 7.0) == 7.0
    assert NetSettings(uniform=lambda: 1.0).wait_s(1, 7.0) == 7.5


def test_a_wait_beyond_the_cap_is_not_waited_out():
    assert NetSettings().wait_s(1, 3600.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("12", 12.0),
        ("Sun, 09 Sep 2001 01:47:10 GMT", 30.0),
        ("Sun, 09 Sep 2001 01:46:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header, seconds):
    assert NetSettings(now=lambda: 1_000_000_000.0).retry_after_s(header) == seconds


def test_everything_that_is_repeated_has_its_reason():
    assert set(RETRY_STATUSES) == {429, 500, 502, 503, 504}
    assert all(len(reason) > 10 for reason in (*RETRY_STATUSES.values(), *RETRY_FAILURES.values()))
