"""What past forecasts taught, by meter and over all: worked out anew each night from what was used.

The same database gives the same calibration: accounts are drawn by the hash of their ids, so many of each meter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString

import numpy as np
from django.db import transaction
from django.db.models import Q

from metering.calendars import DAY, HOUR
from metering.events import floor_hour
from metering.forecast.expecting import DAILY_PAST, HOURLY_PAST, SEASONS, build_series
from metering.forecast.histories import Asked, History, read_histories
from metering.forecast.maths import Calibration, Series
from metering.models import ForecastCalibration
from metering.statements import run_statement

FROM_EACH = 40  # histories of a meter
FOR_ALL = 8  # of them, that teach for all meters as well
ENOUGH = 10  # histories, with fewer of which a meter goes by what all taught
MOST_METERS = 100  # those with the most limits

FIND_SERIES: LiteralString = """
    SELECT m.id, m.aggregation, drawn.account_id FROM (
        SELECT l.meter_id, count(*) AS limits FROM metering_limit l WHERE l.starts_at <= %s AND l.ends_at > %s
        GROUP BY l.meter_id ORDER BY limits DESC, l.meter_id LIMIT %s
    ) AS often JOIN metering_meter m ON m.id = often.meter_id
        AND m.aggregation IN ('count', 'sum', 'unique') AND NOT m.carries_over
    CROSS JOIN LATERAL (
        SELECT l.account_id FROM metering_limit l
        WHERE l.meter_id = m.id AND l.starts_at <= %s AND l.ends_at > %s AND l.used > 0
        ORDER BY md5(l.account_id::text) LIMIT %s
    ) AS drawn ORDER BY m.id, md5(drawn.account_id::text)
"""


@dataclass(frozen=True, slots=True)
class Calibrations:
    """By meter (None: over all) and length of a bucket."""

    known: Mapping[tuple[int | None, timedelta], Calibration] = field(default_factory=dict)

    def find(self, meter_id: int, step: timedelta) -> Calibration | None:
        """The meter's own, else that over all; None before there was any."""
        return self.known.get((meter_id, step)) or self.known.get((None, step))


def read_calibrations(meter_ids: Sequence[int]) -> Calibrations:
    """What was stored by another version of the maths is passed over. One statement."""
    known: dict[tuple[int | None, timedelta], Calibration] = {}
    for row in ForecastCalibration.objects.filter(Q(meter__in=meter_ids) | Q(meter=None)):
        if row.meter_id is not None and row.series_count < ENOUGH:
            continue
        for step in SEASONS:
            if (stored := row.data.get(name_step(step))) and (read := read_stored(stored)):
                known[row.meter_id, step] = read
    return Calibrations(known)


def read_stored(stored: dict[str, Any]) -> Calibration | None:
    try:
        return Calibration.from_json(stored)
    except ValueError:
        return None


def name_step(step: timedelta) -> str:
    return {HOUR: "hour", DAY: "day"}[step]


def recalibrate(*, at: datetime) -> int:
    """Learn anew from histories up to `at`; returns how many meters were. At most 4,000 histories, a meter at a time.

    A second call with the same usage stores the same again.
    """
    everywhere: dict[timedelta, Calibration] = {step: Calibration() for step in SEASONS}
    count = meters = 0
    for meter_id, asked in draw_accounts(at=at):
        histories = list(read_histories(dict(enumerate(asked))).values())
        learnt = {step: Calibration() for step in SEASONS}
        for number, history in enumerate(histories):
            for step in SEASONS:
                series = take_series(history, step)
                learnt[step].learn(series, season=SEASONS[step])
                if number < FOR_ALL:
                    everywhere[step].learn(series, season=SEASONS[step])
        store(meter_id, learnt, series_count=len(histories), at=at)
        meters, count = meters + 1, count + min(len(histories), FOR_ALL)
    if count:
        store(None, everywhere, series_count=count, at=at)
    return meters


def draw_accounts(*, at: datetime) -> Iterator[tuple[int, list[Asked]]]:
    """Of each meter that adds up, what is to be read."""
    now = floor_hour(at)
    by_meter: dict[int, list[Asked]] = {}
    for meter_id, aggregation, account_id in run_statement(FIND_SERIES, [at, at, MOST_METERS, at, at, FROM_EACH]):
        asked = Asked(account_id, meter_id, aggregation, now - DAILY_PAST, now + HOUR, now - HOURLY_PAST, now)
        by_meter.setdefault(meter_id, []).append(asked)
    yield from by_meter.items()


def take_series(history: History, step: timedelta) -> Series:
    """As much of it as a forecast sees."""
    series = build_series(history, np.nan_to_num(history.values[:-1]), step=step)
    past = HOURLY_PAST if step == HOUR else DAILY_PAST
    return series.since(max(0, len(series.values) - past // step))


@transaction.atomic
def store(meter_id: int | None, learnt: Mapping[timedelta, Calibration], *, series_count: int, at: datetime) -> None:
    of = Q(meter=None) if meter_id is None else Q(meter=meter_id)
    data = {name_step(step): each.as_json() for step, each in learnt.items()}
    values: dict[str, Any] = {"made_at": at, "series_count": series_count, "data": data}
    if not ForecastCalibration.objects.filter(of).update(**values):
        ForecastCalibration.objects.create(meter_id=meter_id, **values)
