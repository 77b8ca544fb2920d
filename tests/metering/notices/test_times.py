from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from metering.notices.times import find_digest_time, find_quiet_end

PARIS = ZoneInfo("Europe/Paris")
NIGHT = {"quiet_from": time(22), "quiet_until": time(7, 30)}


def utc(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (utc(10, 20, 59), utc(10, 20, 59)),  # 21:59 in Paris
        (utc(10, 21), utc(11, 6, 30)),  # 22:00 begins them, included
        (utc(11, 3), utc(11, 6, 30)),
        (utc(11, 6, 29), utc(11, 6, 30)),
        (utc(11, 6, 30), utc(11, 6, 30)),  # 07:30 ends them, excluded
    ],
)
def test_quiet_hours_past_midnight_end_by_the_accounts_clock(at, end):
    assert find_quiet_end(at, zone=PARIS, **NIGHT) == end


def test_quiet_hours_within_a_day():
    noon = {"quiet_from": time(12), "quiet_until": time(14), "zone": PARIS}
    assert find_quiet_end(utc(10, 12), **noon) == utc(10, 13)
    assert find_quiet_end(utc(10, 13), **noon) == utc(10, 13)


def test_quiet_hours_end_at_the_time_on_the_clock_also_where_the_clock_was_put_back():
    """In the night of 25 October 2026 Paris goes from 03:00 back to 02:00: 07:30 is 06:30 UTC and no longer 05:30."""
    assert find_quiet_end(utc(24, 21, month=10), zone=PARIS, **NIGHT) == utc(25, 6, 30, month=10)


def test_a_daily_digest_is_written_at_the_next_eight_of_the_account():
    assert find_digest_time("daily", at=utc(10, 6, 59), zone=PARIS) == utc(10, 7)
    assert find_digest_time("daily", at=utc(10, 7), zone=PARIS) == utc(11, 7)


def test_a_weekly_digest_is_written_on_monday():
    """10 November 2026 is a Tuesday."""
    assert find_digest_time("weekly", at=utc(10, 6), zone=PARIS) == utc(16, 7)
    assert find_digest_time("weekly", at=utc(16, 6, 59), zone=PARIS) == utc(16, 7)


def test_without_a_digest_now_is_the_time():
    assert find_digest_time("none", at=utc(10, 6), zone=PARIS) == utc(10, 6)
