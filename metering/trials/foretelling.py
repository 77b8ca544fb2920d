"""What the forecast would have said of a window, once a day at midnight UTC, by what was known then.

The maths and the reading of its hours are those of `metering.forecast`. Two things differ from what would really have
been forecast, and both are small: what forecasts have taught is taken as it stands today, and accounts that had too few
days of data say nothing, since the accounts that stood for them then are not known any more.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from metering.alerts.states import Chance
from metering.calendars import DAY, HOUR
from metering.events import floor_hour
from metering.forecast.calibrations import Calibrations, read_calibrations
from metering.forecast.expecting import LimitState, ask_history, expect_usage, find_step
from metering.forecast.histories import Asked, History, read_histories
from metering.trials.replaying import Foretold
from metering.trials.windows import Allowed, TriedWindow


def foretell(windows: Sequence[TriedWindow], *, start: datetime, end: datetime) -> dict[int, list[Foretold]]:
    """limit id → its daily forecasts up to `end`, from its window's start on. At most four statements for all of them.

    A window that began long before `start` is forecast from a week before that: an alarm needs no more to stand.
    """
    asked = {
        window.limit_id: ask_all(window, start=start, end=end) for window in windows if list_days(window, start, end)
    }
    if not asked:
        return {}
    histories = read_histories(asked)
    calibrations = read_calibrations(sorted({window.meter_id for window in windows}))
    return {
        window.limit_id: list(foretell_window(window, histories[window.limit_id], calibrations, start, end))
        for window in windows
        if window.limit_id in asked
    }


def list_days(window: TriedWindow, start: datetime, end: datetime) -> list[datetime]:
    """Midnights within the window, the first a day after it begins."""
    first = max(window.start, start - 7 * DAY)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    count = max(0, -((midnight - min(window.end, end)) // DAY))
    return [midnight + number * DAY for number in range(count)]


def ask_all(window: TriedWindow, *, start: datetime, end: datetime) -> Asked:
    """The hours that its forecasts want, all at once."""
    days = list_days(window, start, end)
    first, last = (ask_history(state_limit(window, at), at=at) for at in (days[0], days[-1]))
    return last._replace(start=min(first.start, last.start))


def foretell_window(
    window: TriedWindow, history: History, calibrations: Calibrations, start: datetime, end: datetime
) -> Iterator[Foretold]:
    for at in list_days(window, start, end):
        state = state_limit(window, at)
        if state.quantity is None or not window.used or window.used[0].at > at:
            continue
        calibration = calibrations.find(window.meter_id, find_step(window.start, window.end, at=at))
        known = cut_history(history, ask_history(state, at=at), at=at)
        expected = expect_usage(state, known, at=at, calibration=calibration)
        if not expected.is_learning:
            yield Foretold(at, Chance(expected.p_hit, expected.days_of_data))


def state_limit(window: TriedWindow, at: datetime) -> LimitState:
    """The limit as it stood then."""
    allowed: Allowed = [each for each in window.allowed if each.at <= max(at, window.start)][-1]
    return LimitState(
        limit_id=window.limit_id, account_id=window.account.id, meter_id=window.meter_id,
        aggregation=window.aggregation, carries_over=window.carries_over, plan=window.plan, start=window.start,
        end=window.whole_end, used=window.find_total(at), quantity=allowed.quantity, epoch=allowed.epoch,
    )  # fmt: skip


def cut_history(history: History, asked: Asked, *, at: datetime) -> History:
    """What was known of it at the full hour `at`: nothing of the hour that begins then, nor of any later."""
    now = floor_hour(at)
    first, count = (asked.start - history.start) // HOUR, (now - asked.start) // HOUR
    values = np.append(history.values[first : first + count], np.nan)
    weights = np.append(history.weights[first : first + count], 0.0)
    before = find_before(history, first) if asked.aggregation == "latest" else None
    is_known = history.first is not None and history.first < now
    return History(history.first if is_known else None, asked.start, values, weights, before)


def find_before(history: History, first: int) -> float | None:
    """The latest value before an hour."""
    earlier = history.values[:first]
    known = earlier[~np.isnan(earlier)]
    return float(known[-1]) if len(known) else history.before
