"""Forecasts of the past: made of what was known then, and nothing of what came."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from metering.calendars import DAY, HOUR
from metering.forecast.histories import Asked, History, read_histories
from metering.models import HourlyRollup
from metering.trials.foretelling import cut_history, foretell, list_days
from metering.trials.windows import read_windows
from tests.metering.grading.makers import DECEMBER, NOVEMBER, day, make_window
from tests.metering.trials.makers import make_tried

TIME = {"start": NOVEMBER, "end": DECEMBER}


def fill(limit, amounts: dict[int, int]) -> None:
    """So much at noon of each day, counted from 1 November."""
    HourlyRollup.objects.bulk_create(
        HourlyRollup(
            account_id=limit.account_id, meter_id=limit.meter_id, hour=NOVEMBER + timedelta(days=number, hours=12),
            event_count=amount, total=amount,
        )
        for number, amount in amounts.items()
    )  # fmt: skip


def foretell_november(limit):
    windows = read_windows([limit.account_id], **TIME)
    return {each.at: each.chance for each in foretell(windows, **TIME)[limit.pk]}


@pytest.mark.django_db
def test_steady_usage_that_will_reach_the_limit_is_foretold_and_half_of_it_is_not():
    high, low = make_window("high", quantity="250"), make_window("low", quantity="600")
    for limit in (high, low):
        fill(limit, dict.fromkeys(range(-50, 30), 10))
    assert min(chance.p_hit for chance in foretell_november(high).values()) > Decimal("0.9")
    assert max(chance.p_hit for chance in foretell_november(low).values()) < Decimal("0.1")
    assert list(foretell_november(low)) == [day(number, 0) for number in range(2, 31)]


@pytest.mark.django_db
def test_what_comes_later_changes_nothing_of_what_was_said_before():
    calm, wild = make_window("calm", quantity="400"), make_window("wild", quantity="400")
    past = {number: 10 + number % 7 for number in range(-50, 15)}
    fill(calm, past)
    fill(wild, past | dict.fromkeys(range(15, 30), 500))
    middle = day(16, 0)
    before = [{at: chance for at, chance in foretell_november(limit).items() if at <= middle} for limit in (calm, wild)]
    assert before[0] == before[1]
    assert len(before[0]) == 15


@pytest.mark.django_db
def test_too_few_days_of_data_say_nothing():
    limit = make_window(quantity="100")
    fill(limit, dict.fromkeys(range(5), 10))
    assert [at for at in foretell_november(limit) if at < day(8, 0)] == []


@pytest.mark.django_db
def test_all_windows_are_foretold_by_as_many_statements(django_assert_max_num_queries):
    limits = [make_window(f"acme-{number}") for number in range(3)]
    for limit in limits:
        fill(limit, dict.fromkeys(range(-20, 30), 3))
    windows = read_windows([limit.account_id for limit in limits], **TIME)
    for some in (windows[:1], windows):
        with django_assert_max_num_queries(2) as taken:
            foretell(some, **TIME)
        assert len(taken) == 2


@pytest.mark.django_db
def test_a_history_that_is_cut_is_the_one_that_would_have_been_read_then():
    limit = make_window()
    fill(limit, {number: number % 5 + 1 for number in range(-40, 30)})

    def ask(at, start):
        return Asked(limit.account_id, limit.meter_id, "count", start, at + HOUR, NOVEMBER, DECEMBER)

    at = day(14, 0)
    whole = read_histories({0: ask(DECEMBER, NOVEMBER - 50 * DAY)})[0]
    wanted = ask(at, NOVEMBER - 30 * DAY)
    read, cut = read_histories({0: wanted})[0], cut_history(whole, wanted, at=at)
    assert (cut.start, cut.end, cut.first, cut.before) == (read.start, read.end, read.first, read.before)
    np.testing.assert_array_equal(cut.values, read.values)


def test_of_a_level_the_latest_value_before_is_kept():
    values = np.full(72, np.nan)
    values[[3, 30]] = 5.0, 8.0
    history = History(NOVEMBER, NOVEMBER, values, np.zeros(72), before=2.0)
    for hours, expected in ((0, 2.0), (3, 2.0), (4, 5.0), (40, 8.0)):
        start = NOVEMBER + hours * HOUR
        asked = Asked(1, 1, "latest", start, NOVEMBER + 49 * HOUR, NOVEMBER, DECEMBER)
        assert cut_history(history, asked, at=NOVEMBER + 48 * HOUR).before == expected
    assert cut_history(history, asked._replace(aggregation="count"), at=NOVEMBER + 48 * HOUR).before is None


def test_a_window_is_foretold_each_midnight_from_a_week_before_the_time_asked_for():
    window = make_tried()
    assert list_days(window, NOVEMBER, DECEMBER) == [day(number, 0) for number in range(2, 31)]
    assert list_days(window, day(20, 0), day(22, 0)) == [day(number, 0) for number in range(14, 22)]
    assert list_days(window, DECEMBER + 30 * DAY, DECEMBER + 31 * DAY) == []
