"""A panel of invented accounts, from a seed: what usage-priced customers look like, day by day.

It was written down before the forecast was tried on it, and the forecast was not tuned on it. The mix: steady 30 %,
growing 20 %, stepping 15 %, declining 15 %, batch 10 %, spiky 10 %. All have a weekly pattern, noise from day to day
and a level that wanders. Each account's limit is a step of a price list near what it used in a month when it signed
up; some outgrow it, some pay for what is over it every month, and half of those who reached it move up a step.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from metering.forecast.backtest.files import NamedSeries
from metering.forecast.backtest.settings import Settings
from metering.forecast.backtest.windows import Entrant, Window, open_window
from metering.forecast.maths.series import Floats, Series

DAYS = 240
START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = Settings(bucket=timedelta(days=1), season=7, period=30, history=120, step=30, limits=(1.0,))
SIGN_UP = 90  # days; what was used in a mean month until then is what the first limit is chosen by
STEPS = np.array([1.0, 1.5, 2.0, 3.0, 5.0, 7.5])
MIX = {"steady": 0.30, "growth": 0.20, "step": 0.15, "decline": 0.15, "batch": 0.10, "spiky": 0.10}

Numbers = np.random.Generator
Bend = Callable[[Numbers], Floats]


def invent_panel(*, accounts: int, seed: int) -> list[Entrant]:
    """The same seed gives the same accounts, and more accounts the same first ones."""
    return [invent_account(number, np.random.default_rng([seed, number])) for number in range(accounts)]


def invent_account(number: int, numbers: Numbers) -> Entrant:
    kind = str(numbers.choice(list(MIX), p=list(MIX.values())))
    level = 10.0 ** numbers.uniform(2.0, 5.0) * wander(numbers) * BENDS[kind](numbers)
    values = np.round(level * repeat_week(numbers) * shake(numbers))
    named = NamedSeries(f"{kind}-{number:04d}", Series(START, SETTINGS.bucket, values))
    return Entrant(named, set_limits(values, numbers))


def wander(numbers: Numbers) -> Floats:
    """A random walk of about one per cent a day."""
    return np.asarray(np.exp(np.cumsum(numbers.normal(0.0, 0.01, DAYS))))


def repeat_week(numbers: Numbers) -> Floats:
    """Weekends at a fifth to all of a weekday; weekdays differ by some per cent. Day 0 is a Thursday."""
    week = np.exp(numbers.normal(0.0, 0.05, 7))
    week[5:] *= numbers.uniform(0.2, 1.0)
    return np.asarray(week[(np.arange(DAYS) + START.weekday()) % 7])


def shake(numbers: Numbers) -> Floats:
    return np.asarray(np.exp(numbers.normal(0.0, numbers.uniform(0.08, 0.35), DAYS)))


def stay(numbers: Numbers) -> Floats:
    return np.ones(DAYS)


def grow(numbers: Numbers) -> Floats:
    """By 5 to 30 % a month."""
    return np.asarray((1.0 + numbers.uniform(0.05, 0.30)) ** (np.arange(DAYS) / 30.0))


def decline(numbers: Numbers) -> Floats:
    """By 5 to 25 % a month."""
    return np.asarray((1.0 - numbers.uniform(0.05, 0.25)) ** (np.arange(DAYS) / 30.0))


def step(numbers: Numbers) -> Floats:
    """Once, on a day after sign-up: three times out of four up, by 1.3 to 3."""
    factor = numbers.uniform(1.3, 3.0) if numbers.random() < 0.75 else numbers.uniform(0.3, 0.7)
    return np.where(np.arange(DAYS) < numbers.integers(SIGN_UP, DAYS), 1.0, factor)


def batch(numbers: Numbers) -> Floats:
    """Ninety per cent of a month on its first and fifteenth day."""
    days = [START + timedelta(days=day) for day in range(DAYS)]
    return np.where([each.day in (1, 15) for each in days], 13.5, 0.1 * 30 / 28)


def spike(numbers: Numbers) -> Floats:
    """On three days in a hundred three to ten times as much."""
    return np.where(numbers.random(DAYS) < 0.03, numbers.uniform(3.0, 10.0, DAYS), 1.0)


BENDS: dict[str, Bend] = {
    "steady": stay, "growth": grow, "step": step, "decline": decline, "batch": batch, "spiky": spike,
}  # fmt: skip


def set_limits(values: Floats, numbers: Numbers) -> list[Window]:
    """One window a month from the end of the history on, each with the limit of its day."""
    running = np.concatenate(([0.0], np.cumsum(values)))
    month = running[SIGN_UP] / SIGN_UP * SETTINGS.period
    limit = round_up(month * np.exp(numbers.normal(0.0, 0.4)))
    windows = []
    for start in range(SETTINGS.history, DAYS - SETTINGS.period + 1, SETTINGS.step):
        windows.append(open_window(start, limit, running[start : start + SETTINGS.period + 1] - running[start]))
        moves_up = numbers.random() < 0.5
        if windows[-1].hit is not None and moves_up:
            limit = round_up(1.05 * float(windows[-1].used[-1]))
    return windows


def round_up(amount: float) -> float:
    """The first step of the price list that is not below the amount."""
    power = 10.0 ** np.floor(np.log10(max(amount, 1.0)))
    steps = np.concatenate((STEPS, 10 * STEPS)) * power
    return float(steps[np.argmax(steps >= amount)])
