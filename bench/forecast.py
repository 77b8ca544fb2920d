"""One forecast with its dates, its ranges and its reason, from eight weeks of hours and a calibration.

Value: milliseconds of processor time of one forecast at mid-month of a limit that is likely to be reached. Floor: five
milliseconds; and what numpy takes to find the mean of every hour of the week over the same history, the least that any
forecast by profile does.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import thread_time

import numpy as np

from bench.figures import Figure, at_most
from metering.forecast.maths import Series, calibrate, forecast_usage

ROUNDS = 15
FORECASTS = 10
PROFILES = 1_000
WEEKS = 8
DAY, WEEK = 24, 168
REMAINING = 15 * DAY
MOST_MS = 5.0
OVER_PROFILE = 1_500.0


def run() -> Iterator[Figure]:
    history = invent_history()
    calibration = calibrate([history], season=DAY)
    used = float(history.values[-REMAINING:].sum())
    ask = {"used": used, "limit": 1.9 * used, "remaining": REMAINING, "season": DAY, "calibration": calibration}
    values, floors = [], []
    for round_number in range(ROUNDS + 1):
        value = work(lambda: forecast_usage(history, **ask), FORECASTS)  # type: ignore[arg-type]
        floor = work(lambda: history.values.reshape(WEEKS, WEEK).mean(axis=0), PROFILES)
        if round_number:  # the first warms up
            values.append(value)
            floors.append(floor)
    yield at_most("forecast", values=values, floors=[MOST_MS] * ROUNDS, unit="ms", target=1.0)
    yield at_most("forecast, over a profile", values=values, floors=floors, unit="ms", target=OVER_PROFILE)


def work(act: Callable[[], object], times: int) -> float:
    """Milliseconds of processor time of one act."""
    began = thread_time()
    for _ in range(times):
        act()
    return 1000 * (thread_time() - began) / times


def invent_history() -> Series:
    """Days and weeks with noise, the same at every run."""
    numbers = np.random.default_rng(1)
    hours = np.arange(WEEKS * WEEK)
    shape = (1.5 + np.sin(hours / DAY * 2 * np.pi)) * np.where(hours % WEEK < 5 * DAY, 1.0, 0.4)
    noise = np.exp(0.3 * numbers.standard_normal(len(hours)))
    return Series(datetime(2026, 9, 7, tzinfo=UTC), timedelta(hours=1), 100.0 * shape * noise)
