from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from metering.calendars import DAY, HOUR
from metering.forecast.expecting import LimitState, ask_history, build_series, expect_usage, find_step
from metering.forecast.histories import History
from metering.forecast.maths import CohortProfile

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = datetime(2026, 11, 16, 0, 30, tzinfo=UTC)  # fifteen days are over
WEEKS = timedelta(weeks=8)


def make_state(*, used: int = 3600, quantity: int | None = 10_000, aggregation: str = "sum", **others) -> LimitState:
    """3600 is fifteen days of ten an hour."""
    state = LimitState(
        limit_id=1, account_id=1, meter_id=1, aggregation=aggregation, carries_over=False, plan="pro", start=NOVEMBER,
        end=DECEMBER, used=Decimal(used), quantity=None if quantity is None else Decimal(quantity), epoch=3,
    )  # fmt: skip
    return replace(state, **others)


def make_history(per_hour: float = 10.0, *, running: float = 0.0, first: datetime | None = None) -> History:
    """The same in each full hour since `first`, and what the running one has so far."""
    start = AT - HOUR / 2 - WEEKS
    values = np.full(WEEKS // HOUR + 1, per_hour)
    if first is not None:
        values[: (first - start) // HOUR] = np.nan
    values[-1] = running
    return History(first or start - DAY, start, values, np.zeros(len(values)))


def test_steady_usage_goes_on_as_it_is():
    found = expect_usage(make_state(), make_history(), at=AT)
    assert (found.total_mid, found.run_rate_total) == (pytest.approx(7200, rel=0.01), 7200)
    assert found.total_low <= found.total_mid <= found.total_high
    assert (found.used, found.epoch, found.days_of_data, found.is_learning) == (3600, 3, 56, False)
    assert (found.p_hit < Decimal("0.05"), found.hit_mid, found.reason) == (True, None, "steady")


def test_a_limit_on_the_way_has_a_date_and_a_range():
    found = expect_usage(make_state(quantity=5000), make_history(), at=AT)
    assert found.p_hit >= Decimal("0.95")
    assert AT < found.hit_low <= found.hit_mid <= found.hit_high < DECEMBER
    assert abs(found.hit_mid - datetime(2026, 11, 21, 20, tzinfo=UTC)) < DAY


def test_nothing_is_certain_but_what_has_happened():
    sure = expect_usage(make_state(used=4999, quantity=5000), make_history(), at=AT)
    assert sure.p_hit == Decimal("0.999")
    reached = expect_usage(make_state(used=5000, quantity=5000), make_history(), at=AT)
    assert (reached.p_hit, reached.hit_low, reached.hit_mid, reached.hit_high) == (1, None, None, None)
    assert reached.reason == "already_reached"


def test_of_no_limit_only_totals_are_expected():
    found = expect_usage(make_state(quantity=None), make_history(), at=AT)
    assert (found.p_hit, found.hit_mid) == (None, None)
    assert found.total_mid == pytest.approx(7200, rel=0.01)


def test_a_limit_of_zero_is_not_reached_before_the_first_use():
    unused = expect_usage(make_state(used=0, quantity=0), make_history(0.0), at=AT)
    assert (unused.p_hit, unused.reason) == (0, "unused")
    assert expect_usage(make_state(used=1, quantity=0), make_history(), at=AT).p_hit == 1


def test_what_the_running_hour_has_is_not_counted_twice():
    burst = expect_usage(make_state(used=3600 + 400), make_history(running=400.0), at=AT)
    calm = expect_usage(make_state(), make_history(), at=AT)
    assert (burst.total_mid, calm.total_mid) == (calm.total_mid, burst.total_mid)


def test_what_is_used_is_never_below_what_is_expected():
    found = expect_usage(make_state(used=9000), make_history(0.0, running=0.0), at=AT)
    assert (found.total_low, found.total_mid, found.total_high) == (9000, 9000, 9000)


def test_whole_things_are_expected_in_whole_numbers():
    found = expect_usage(make_state(aggregation="count"), make_history(10 / 3), at=AT)
    assert [total % 1 for total in (found.total_low, found.total_mid, found.total_high, found.run_rate_total)] == [
        0
    ] * 4


def test_with_three_days_of_data_it_learns():
    found = expect_usage(make_state(used=720), make_history(first=AT - HOUR / 2 - 3 * DAY), at=AT)
    assert (found.is_learning, found.days_of_data, found.reason) == (True, 3, "learning")


def test_who_learns_borrows_the_shape_of_the_plan():
    others = CohortProfile(np.cumsum(np.where(np.arange(720) < 360, 1.0, 3.0)))  # thrice as much in the second half
    history = make_history(first=AT - HOUR / 2 - 3 * DAY)
    alone = expect_usage(make_state(used=720), history, at=AT)
    together = expect_usage(make_state(used=720), history, at=AT, cohort=[others])
    assert together.is_learning
    assert (together.total_mid, alone.total_mid) == (
        pytest.approx(720 * 4, rel=0.15),
        pytest.approx(720 + 3600, rel=0.2),
    )


def test_who_has_learnt_does_not_borrow():
    others = CohortProfile(np.cumsum(np.full(720, 99.0)))
    state, history = make_state(), make_history()
    assert expect_usage(state, history, at=AT, cohort=[others]) == expect_usage(state, history, at=AT)


def test_an_account_without_any_past_learns_from_nothing():
    nothing = History(None, AT - HOUR / 2 - WEEKS, np.full(WEEKS // HOUR + 1, np.nan), np.zeros(WEEKS // HOUR + 1))
    for aggregation in ("sum", "max", "weighted_sum", "avg", "latest"):
        found = expect_usage(make_state(used=0, aggregation=aggregation), nothing, at=AT)
        assert (found.is_learning, found.days_of_data, found.total_mid, found.p_hit) == (True, 0, 0, 0), aggregation


def test_a_level_is_expected_to_stand_near_where_it_stands():
    found = expect_usage(make_state(used=10, quantity=12, aggregation="latest"), make_history(running=10.0), at=AT)
    assert (found.total_mid, found.run_rate_total) == (10, 10)
    assert found.p_hit < Decimal("0.2")


def test_a_rising_level_reaches_its_limit():
    history = make_history()
    history.values[:] = np.arange(len(history.values)) / 10
    now = history.values[-1]
    found = expect_usage(make_state(used=int(now), quantity=int(now) + 20, aggregation="latest"), history, at=AT)
    assert found.p_hit > Decimal("0.9")
    assert abs(found.hit_mid - (AT + 200 * HOUR)) < 2 * DAY


def test_a_greatest_value_does_not_fall_and_a_smallest_does_not_rise():
    greatest = expect_usage(make_state(used=50, aggregation="max"), make_history(running=10.0), at=AT)
    assert (greatest.total_low, greatest.total_high) == (50, 50)
    smallest = expect_usage(make_state(used=5, quantity=7, aggregation="min"), make_history(running=10.0), at=AT)
    assert (smallest.p_hit, smallest.total_high) == (0, 5)


@pytest.mark.parametrize(
    ("days", "left", "step"),
    [(1, 1, HOUR), (31, 30, HOUR), (35, 30, HOUR), (92, 30, DAY), (365, 300, DAY), (92, 14, HOUR)],
)
def test_a_long_window_is_looked_at_by_the_day_until_its_last_stretch(days, left, step):
    assert find_step(DECEMBER - days * DAY, DECEMBER, at=DECEMBER - left * DAY) == step


def test_days_end_with_the_last_full_hour():
    series = build_series(make_history(first=AT - HOUR / 2 - 50 * HOUR), np.full(8 * 7 * 24, 10.0), step=DAY)
    assert (series.end, series.values.tolist()) == (AT - HOUR / 2, [240, 240])


def test_a_year_is_forecast_by_its_days():
    state = make_state(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC), used=76_560)
    asked = ask_history(state, at=AT)
    assert asked.end - asked.start == timedelta(weeks=26) + HOUR
    values = np.full((asked.end - asked.start) // HOUR, 10.0)
    found = expect_usage(state, History(asked.start, asked.start, values, np.zeros(len(values))), at=AT)
    assert (found.days_of_data, found.total_mid) == (182, pytest.approx(87_600, rel=0.01))
