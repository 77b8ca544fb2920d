from datetime import UTC, datetime

from metering.anomalies.places import find_week, list_months, list_weeks


def moment(month: int, day: int, hour: int = 9, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def test_weeks_are_those_before_at_the_same_hour():
    assert list_weeks(moment(11, 26))[:2] == [moment(11, 19), moment(11, 12)]
    assert list_weeks(moment(11, 26))[-1] == moment(10, 1)


def test_the_last_days_of_a_month_are_compared_from_its_end():
    assert list_months(moment(3, 31)) == [moment(2, 28), moment(1, 31)]
    assert list_months(moment(2, 26)) == [moment(1, 29), moment(12, 29, year=2025)]


def test_the_first_days_of_a_month_are_compared_from_its_start():
    assert list_months(moment(1, 2)) == [moment(12, 2, year=2025), moment(11, 2, year=2025)]


def test_mid_month_has_no_place_of_its_own():
    assert list_months(moment(11, 15)) == []


def test_an_anomaly_is_one_and_the_same_from_monday_to_monday():
    assert find_week(moment(11, 26)) == (moment(11, 23, 0), moment(11, 30, 0))
