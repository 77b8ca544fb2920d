from datetime import UTC, datetime, timedelta

import pytest

from billing.alerting.pace import find_expected

JAN, FEB = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("days", "expected"), [(0, None), (6.99, None), (7, 70), (15.5, 155), (31, 310), (40, 310)])
def test_as_much_is_expected_as_time_has_passed_once_a_week_is_over(days, expected):
    assert find_expected(310, start=JAN, end=FEB, at=JAN + days * DAY) == expected


def test_of_a_year_a_fifth_is_waited_for_and_of_a_week_no_more():
    year = JAN + 365 * DAY
    assert find_expected(365, start=JAN, end=year, at=JAN + 72 * DAY) is None
    assert find_expected(365, start=JAN, end=year, at=JAN + 73 * DAY) == 73
    assert find_expected(70, start=JAN, end=JAN + 7 * DAY, at=JAN + 2 * DAY) == 20


def test_a_part_of_a_cent_is_rounded():
    assert find_expected(200, start=JAN, end=JAN + 3 * DAY, at=JAN + DAY) == 67


def test_nothing_is_expected_where_nothing_was_promised():
    assert find_expected(0, start=JAN, end=FEB, at=FEB) is None
