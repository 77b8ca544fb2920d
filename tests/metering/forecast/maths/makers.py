"""Histories to forecast from."""

from datetime import UTC, datetime, timedelta

import numpy as np

from metering.forecast.maths import Series

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


def hourly(values, start=MONDAY):
    return Series(start, timedelta(hours=1), np.asarray(values, dtype=np.float64))


def daily(values, start=MONDAY):
    return Series(start, timedelta(days=1), np.asarray(values, dtype=np.float64))


def weeks_of_days(weeks, *, noise=0.1, seed=1, weekend=0.4, level=100.0):
    """Daily usage with quiet weekends."""
    numbers = np.random.default_rng(seed)
    shape = np.tile([1.0] * 5 + [weekend] * 2, weeks)
    return daily(level * shape * np.exp(noise * numbers.standard_normal(len(shape))))
