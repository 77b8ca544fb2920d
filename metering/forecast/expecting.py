"""From what was used to what is expected of a limit's window: hands the maths its numbers, and reads its answer. Pure.

Buckets are hours, and end with the last full hour; those of a window of more than five weeks, while more than two are
left of it, are days that end then. Floats are the maths' own: what is compared with a limit so far is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from metering.calendars import DAY, HOUR
from metering.events import floor_hour
from metering.forecast.facts import Expectation
from metering.forecast.gauging import Gauge, read_gauge
from metering.forecast.histories import Asked, Floats, History
from metering.forecast.maths import (
    Calibration,
    CohortProfile,
    Forecast,
    Reason,
    Series,
    forecast_by_cohort,
    forecast_usage,
)
from metering.numbers import PLACES, STEP, round_number

WEEK = timedelta(weeks=1)
LONG_WINDOW = 5 * WEEK
LAST_STRETCH = 2 * WEEK  # of a long window, which is looked at by the hour
HOURLY_PAST, DAILY_PAST = 8 * WEEK, 26 * WEEK
SEASONS = {HOUR: 24, DAY: 7}
FLOWS = frozenset({"count", "sum", "unique"})
THOUSANDTH = Decimal("0.001")
NEARLY = Decimal("0.999")


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit as it stood when its forecast was begun. Of a `quantity` of None only totals are expected."""

    limit_id: int
    account_id: int
    meter_id: int
    aggregation: str
    carries_over: bool
    plan: str
    start: datetime
    end: datetime
    used: Decimal
    quantity: Decimal | None
    epoch: int

    @property
    def is_flow(self) -> bool:
        """Whether what it reads grows by what is used; else it is a level."""
        return self.aggregation in FLOWS and not self.carries_over

    @property
    def is_reached(self) -> bool:
        return self.quantity is not None and self.used > 0 and self.used >= self.quantity


def find_step(start: datetime, end: datetime, *, at: datetime) -> timedelta:
    """How long the buckets are with which a window is looked at."""
    return DAY if end - start > LONG_WINDOW and end - at > LAST_STRETCH else HOUR


def ask_history(state: LimitState, *, at: datetime) -> Asked:
    """The hours that its forecast wants, up to the end of the running one."""
    now = floor_hour(at)
    start = now - (HOURLY_PAST if find_step(state.start, state.end, at=at) == HOUR else DAILY_PAST)
    if state.aggregation == "weighted_sum":
        start = min(start, floor_hour(state.start))  # the level is worked out from all of the window's changes
    return Asked(state.account_id, state.meter_id, state.aggregation, start, now + HOUR, state.start, state.end)


def expect_usage(
    state: LimitState,
    history: History,
    *,
    at: datetime,
    calibration: Calibration | None = None,
    cohort: Sequence[CohortProfile] = (),
) -> Expectation:
    """What is expected of the rest of the window, from its account's hours before `at`.

    With too few days of data the accounts of its plan, `cohort`, say how such windows go on.
    """
    step = find_step(state.start, state.end, at=at)
    now = floor_hour(at)
    remaining, elapsed = count_steps(state.end - now, step), count_steps(now - state.start, step)
    limit = None if state.quantity is None else float(max(state.quantity, STEP))  # of none the first use is all of it
    if not state.is_flow:
        return expect_level(state, history, at=at, step=step, remaining=remaining, limit=limit)
    running = history.values[-1] if state.start <= now else 0.0
    used = float(state.used) - (0.0 if np.isnan(running) else float(running))
    series = build_series(history, np.nan_to_num(history.values[:-1]), step=step)
    season = SEASONS[step]
    found = forecast_usage(
        series, used=used, limit=limit, remaining=remaining, season=season, calibration=calibration, elapsed=elapsed
    )
    if found.is_learning:
        found = forecast_by_cohort(
            cohort, used=used, limit=limit, elapsed=elapsed, remaining=remaining, days=found.days_of_data
        ) or found  # fmt: skip
    return state_expectation(state, found, at=at, step=step)


def count_steps(length: timedelta, step: timedelta) -> int:
    return max(0, round(length / step))


def build_series(history: History, values: Floats, *, step: timedelta) -> Series:
    """The full hours since the account's first, or the days that end with the last of them."""
    end = history.end - HOUR
    first = max(history.start, history.first or end)
    values = values[(first - history.start) // HOUR :] if first < end else values[:0]
    if step == HOUR:
        return Series(end - len(values) * HOUR, HOUR, values)
    days = len(values) // 24
    return Series(end - days * DAY, DAY, values[len(values) - days * 24 :].reshape(days, 24).sum(axis=1))


def expect_level(
    state: LimitState, history: History, *, at: datetime, step: timedelta, remaining: int, limit: float | None
) -> Expectation:
    """The level of the running hour stands for that of now."""
    gauge = read_gauge(
        history, aggregation=state.aggregation, carries_over=state.carries_over, used=float(state.used),
        start=state.start, end=state.end,
    )  # fmt: skip
    if gauge is None:
        return state_expectation(state, find_nothing(state), at=at, step=step)
    per_step = step // HOUR
    levels = gauge.levels[::-1][::per_step][::-1]
    series = Series(history.end - HOUR - len(levels) * step, step, levels)
    goal = None if limit is None else gauge.find_level(limit)
    found = forecast_usage(
        series, used=gauge.now, limit=goal, remaining=remaining, season=SEASONS[step], kind="level"
    )  # fmt: skip
    return state_expectation(state, found, at=at, step=step, gauge=gauge)


def find_nothing(state: LimitState) -> Forecast:
    """Of a level that nobody has seen: what is, stays."""
    used = float(state.used)
    return Forecast(
        p_hit=0.0, hit_low=None, hit_mid=None, hit_high=None, total_low=used, total_mid=used, total_high=used,
        run_rate_total=used, days_of_data=0.0, is_learning=True, reason=Reason("learning"),
    )  # fmt: skip


def state_expectation(
    state: LimitState, found: Forecast, *, at: datetime, step: timedelta, gauge: Gauge | None = None
) -> Expectation:
    read = gauge.read if gauge else float
    low, mid, high = sorted(
        bound_total(state, read(total)) for total in (found.total_low, found.total_mid, found.total_high)
    )
    chance = find_chance(state, found)
    hits = [find_moment(state, hit, at=at, step=step) for hit in (found.hit_low, found.hit_mid, found.hit_high)]
    is_dated = None not in hits and chance is not None and chance > 0 and not state.is_reached
    hit_low, hit_mid, hit_high = hits if is_dated else (None, None, None)
    return Expectation(
        p_hit=chance,
        days_of_data=round_number(Decimal(found.days_of_data), 2),
        used=state.used,
        epoch=state.epoch,
        is_learning=found.is_learning,
        hit_low=hit_low,
        hit_mid=hit_mid,
        hit_high=hit_high,
        total_low=low,
        total_mid=mid,
        total_high=high,
        run_rate_total=bound_total(state, read(found.run_rate_total)),
        reason=found.reason.code,
        reason_params=state_params(found.reason),
    )


def find_chance(state: LimitState, found: Forecast) -> Decimal | None:
    """Certain only what has happened. The smallest value never rises, so that a limit it is below stays unreached."""
    if state.quantity is None:
        return None
    if state.is_reached:
        return Decimal(1)
    if state.aggregation == "min":
        return Decimal(0)
    return min(Decimal(found.p_hit).quantize(THOUSANDTH), NEARLY)


def bound_total(state: LimitState, total: float) -> Decimal:
    """What flowed does not flow back; a greatest value does not fall, a smallest does not rise."""
    places = 0 if state.aggregation in ("count", "unique") else PLACES
    exact = round_number(Decimal(total), places)
    if state.is_flow or state.aggregation == "max":
        return max(exact, state.used)
    return min(exact, state.used) if state.aggregation == "min" else exact


def find_moment(state: LimitState, steps: int | None, *, at: datetime, step: timedelta) -> datetime | None:
    if steps is None:
        return None
    return min(max(floor_hour(at) + steps * step, at), state.end)


def state_params(reason: Reason) -> Mapping[str, object]:
    """As JSON has them; what a reason lacks is left out."""
    found = {"percent": reason.percent, "since": reason.since and reason.since.isoformat(), "share": reason.share}
    return {name: value for name, value in found.items() if value is not None}
