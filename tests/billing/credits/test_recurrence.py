from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.credits.recurrence import (
    InvalidRollover,
    Recurrence,
    Reset,
    Rollover,
    find_occurrence,
    reset_grant,
)
from billing.periods import Interval, UnknownTimeZone


def list_days(anchor, interval, count, *, time_zone="UTC"):
    moments = [find_occurrence(anchor, interval, number, time_zone=time_zone) for number in range(count)]
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]


def test_the_anchor_day_survives_short_months():
    days = list_days(datetime(2028, 1, 31, tzinfo=UTC), Interval.MONTH, 4)
    assert days == ["2028-01-31 00:00", "2028-02-29 00:00", "2028-03-31 00:00", "2028-04-30 00:00"]


def test_it_is_midnight_in_the_zone_before_and_after_its_clocks_change():
    days = list_days(datetime(2026, 3, 27, 23, tzinfo=UTC), Interval.DAY, 3, time_zone="Europe/Paris")
    assert days == ["2026-03-27 23:00", "2026-03-28 23:00", "2026-03-29 22:00"]


def test_an_unknown_zone_is_refused():
    with pytest.raises(UnknownTimeZone):
        find_occurrence(datetime(2026, 1, 1, tzinfo=UTC), Interval.DAY, 1, time_zone="Mars")


@given(st.integers(0, 800_000), st.sampled_from(Interval))
def test_moments_ascend_and_none_is_after_the_end(hours, interval):
    anchor = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    until = find_occurrence(anchor, interval, 5, time_zone="America/New_York")
    moments = list(Recurrence(interval, anchor, "America/New_York").list_moments(until))
    assert len(moments) == 6
    assert all(before < after for before, after in pairwise(moments))
    assert moments[-1] == until


@pytest.mark.parametrize(
    ("balance", "overage", "minimum", "maximum", "preserve", "left"),
    [
        (90, 0, 0, 50, False, (50, 0)),
        (30, 0, 0, 50, False, (30, 0)),
        (30, 0, 40, 50, False, (40, 0)),
        (30, 0, 0, 0, True, (0, 0)),
        (0, 10, 50, 50, True, (40, 0)),
        (0, 10, 50, 50, False, (50, 0)),
        (0, 80, 50, 50, True, (0, 30)),
    ],
)
def test_a_reset_keeps_what_rolls_over_less_the_overage_that_is_kept(
    balance, overage, minimum, maximum, preserve, left
):
    rollover = Rollover(Decimal(minimum), Decimal(maximum))
    found = reset_grant(Decimal(balance), Decimal(overage), rollover=rollover, preserve_overage=preserve)
    assert found == Reset(*map(Decimal, left))


@pytest.mark.parametrize(("minimum", "maximum"), [(-1, 5), (6, 5), (-2, -1)])
def test_a_rollover_that_makes_no_sense_is_refused(minimum, maximum):
    with pytest.raises(InvalidRollover):
        Rollover(Decimal(minimum), Decimal(maximum))
