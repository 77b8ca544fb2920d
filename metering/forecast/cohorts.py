"""How the accounts of a plan fill their windows: what one with too little past of its own is forecast by."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString, NamedTuple

import numpy as np

from metering.calendars import HOUR
from metering.events import floor_hour
from metering.forecast.histories import Asked, History, read_histories
from metering.forecast.maths import CohortProfile
from metering.statements import bigint_array, plain_array, run_statement, text_array

MOST = 30  # windows that a cohort is made of, each of another account

# Several windows of one account may be among the latest, hence some more.
FIND_WINDOWS: LiteralString = """
    SELECT k.place, w.* FROM unnest(%s::int[], %s::text[], %s::bigint[]) AS k (place, plan, meter_id)
    JOIN metering_meter m ON m.id = k.meter_id CROSS JOIN LATERAL (
        SELECT l.account_id, l.meter_id, m.aggregation, l.starts_at, l.ends_at FROM metering_limit l
        WHERE l.plan = k.plan AND l.plan <> '' AND l.meter_id = k.meter_id AND l.ends_at <= %s AND l.used > 0
        ORDER BY l.ends_at DESC, l.id DESC LIMIT %s
    ) AS w ORDER BY k.place, w.ends_at DESC, w.account_id
"""


class CohortKey(NamedTuple):
    plan: str
    meter_id: int


@dataclass(slots=True)
class Cohorts:
    """Those that were asked for in one run; each is read once. Windows that ended before `at` are looked at."""

    at: datetime
    known: dict[CohortKey, Sequence[CohortProfile]] = field(default_factory=dict)

    def learn_of(self, keys: Collection[CohortKey]) -> None:
        """Two statements for all that are new, three where meters differ in kind; none where none is."""
        wanted = sorted(key for key in set(keys) - self.known.keys() if key.plan)
        if wanted:
            self.known.update(read_cohorts(wanted, at=self.at))

    def find(self, key: CohortKey) -> Sequence[CohortProfile]:
        """Empty where nobody on the plan has filled a window, and without a plan."""
        return self.known.get(key, ())


def read_cohorts(keys: Sequence[CohortKey], *, at: datetime) -> dict[CohortKey, Sequence[CohortProfile]]:
    """The latest window that each of up to thirty accounts has filled. Only for meters whose usage adds up."""
    plans, meters = zip(*keys, strict=True)
    places = plain_array(range(len(keys)))
    windows: dict[tuple[int, int], Asked] = {}
    for place, account_id, meter_id, aggregation, start, end in run_statement(
        FIND_WINDOWS, [places, text_array(plans), bigint_array(meters), at, 2 * MOST]
    ):
        if sum(known == place for known, _ in windows) < MOST:
            first, last = floor_hour(start), floor_hour(end - HOUR / 60) + HOUR
            windows.setdefault((place, account_id), Asked(account_id, meter_id, aggregation, first, last, start, end))
    histories = read_histories(windows)
    return {
        key: [draw_profile(histories[window]) for window in windows if window[0] == place]
        for place, key in enumerate(keys)
    }


def draw_profile(history: History) -> CohortProfile:
    return CohortProfile(np.cumsum(np.nan_to_num(history.values)))
