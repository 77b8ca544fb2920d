"""Looks for usage that is unlike the same weekday and hour before: an hour that is far above, a day far above or below.

Only meters that add up are looked at. Who is: whoever used something in the hour, or in the same hour a week ago. Of an
account and meter a fixed number of days are read from the rollups, a batch of them in one statement; events never.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import LiteralString, NamedTuple

from metering.anomalies.deviations import ENOUGH_WEEKS, ZERO, Deviation, measure_deviation
from metering.anomalies.places import WEEK, list_months, list_weeks
from metering.statements import BigintArray, bigint_array, run_statement, time_array

DAY_HOURS = 24
LEAST_OF_DAY = {"hour": Decimal("0.1"), "day": Decimal("0.3")}  # of a usual day's usage: less off is nobody's business

# A BRIN index on the hour finds them: rollups are made in the order of their hours, more or less.
FIND_PAIRS: LiteralString = """
    SELECT DISTINCT r.account_id, r.meter_id
    FROM metering_hourlyrollup r JOIN metering_meter m ON m.id = r.meter_id
    WHERE r.hour = ANY(%s::timestamptz[]) AND m.aggregation IN ('count', 'sum')
    ORDER BY 1, 2
"""

READ_SPANS: LiteralString = """
    SELECT p.account_id, p.meter_id, s.place, first.hour, coalesce(sum(h.total), 0),
        coalesce(sum(h.total) FILTER (WHERE h.hour = s.hour), 0), coalesce(max(h.total), 0)
    FROM unnest(%s::bigint[], %s::bigint[]) AS p (account_id, meter_id)
    CROSS JOIN unnest(%s::timestamptz[]) WITH ORDINALITY AS s (hour, place)
    CROSS JOIN LATERAL (
        SELECT hour FROM metering_hourlyrollup r WHERE (r.account_id, r.meter_id) = (p.account_id, p.meter_id)
        ORDER BY hour LIMIT 1
    ) AS first
    LEFT JOIN LATERAL (
        SELECT r.hour, sum(r.total) AS total FROM metering_hourlyrollup r
        WHERE (r.account_id, r.meter_id) = (p.account_id, p.meter_id)
            AND r.hour > s.hour - interval '24 hours' AND r.hour <= s.hour
        GROUP BY r.hour
    ) AS h ON true
    GROUP BY 1, 2, 3, 4
"""


FIND_TERMS: LiteralString = """
    SELECT p.account_id, p.meter_id, m.key, coalesce(l.plan, ''), coalesce(l.time_zone, 'UTC')
    FROM unnest(%s::bigint[], %s::bigint[]) AS p (account_id, meter_id)
    JOIN metering_meter m ON m.id = p.meter_id
    LEFT JOIN LATERAL (
        SELECT plan, time_zone FROM metering_limit l
        WHERE (l.account_id, l.meter_id) = (p.account_id, p.meter_id) ORDER BY starts_at DESC LIMIT 1
    ) AS l ON true
"""


class Pair(NamedTuple):
    account_id: int
    meter_id: int


class Terms(NamedTuple):
    """By which a pair is known and billed; without a limit there is no plan."""

    meter_key: str
    plan: str
    time_zone: str


class Span(NamedTuple):
    """The 24 hours that end with an hour: their total, that of the hour, and the greatest hour's."""

    day: Decimal
    hour: Decimal
    greatest: Decimal


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Usage that is unlike what came before, in the `hours` that end with `hour`; quantities in the meter's unit."""

    pair: Pair
    hour: datetime
    hours: int
    deviation: Deviation

    @property
    def start(self) -> datetime:
        return self.hour - timedelta(hours=self.hours - 1)

    @property
    def end(self) -> datetime:
        return self.hour + timedelta(hours=1)


def find_pairs(hour: datetime) -> list[Pair]:
    """Who may be unlike before in this UTC hour."""
    return [Pair(*row) for row in run_statement(FIND_PAIRS, [time_array([hour, hour - WEEK])])]


def find_terms(pairs: Collection[Pair]) -> dict[Pair, Terms]:
    rows = run_statement(FIND_TERMS, split_columns(pairs)) if pairs else []
    return {Pair(*row[:2]): Terms(*row[2:]) for row in rows}


def find_anomalies(pairs: Sequence[Pair], hour: datetime) -> list[Anomaly]:
    """Of each pair the worst rise and the worst drop that there are, whatever their score; one statement."""
    found = []
    for pair, spans in read_past(pairs, hour).items():
        now, weeks, months = spans
        usual_day = sum((span.day for span in weeks), ZERO) / max(len(weeks), 1)
        by_hour = measure_deviation(
            now.hour,
            [span.hour for span in weeks],
            months=[span.greatest for span in months],
            mean=usual_day / DAY_HOURS,
            least=usual_day * LEAST_OF_DAY["hour"],
        )
        by_day = measure_deviation(
            now.day,
            [span.day for span in weeks],
            months=[span.day for span in months],
            least=usual_day * LEAST_OF_DAY["day"],
        )
        rises = [(each, hours) for each, hours in ((by_hour, 1), (by_day, DAY_HOURS)) if each and each.score > 0]
        if rises:
            deviation, hours = max(rises, key=lambda rise: rise[0].score)
            found.append(Anomaly(pair, hour, hours, deviation))
        if by_day and by_day.score < 0:
            found.append(Anomaly(pair, hour, DAY_HOURS, by_day))
    return found


def read_past(pairs: Sequence[Pair], hour: datetime) -> dict[Pair, tuple[Span, list[Span], list[Span]]]:
    """By pair: the day that ends with `hour`, those of the weeks and months before; none before its first usage."""
    weeks, months = list_weeks(hour), list_months(hour)
    places = [hour, *weeks, *months]
    spans: defaultdict[Pair, dict[datetime, Span]] = defaultdict(dict)
    for account_id, meter_id, place, first, *span in run_statement(
        READ_SPANS, [*split_columns(pairs), time_array(places)]
    ):
        moment = places[place - 1]
        if moment - timedelta(hours=DAY_HOURS - 1) >= first:
            spans[Pair(account_id, meter_id)][moment] = Span(*span)
    return {
        pair: (
            by_moment[hour],
            [by_moment[w] for w in weeks if w in by_moment],
            [by_moment[m] for m in months if m in by_moment],
        )
        for pair, by_moment in spans.items()
        if sum(w in by_moment for w in weeks) >= ENOUGH_WEEKS
    }


def split_columns(pairs: Collection[Pair]) -> list[BigintArray]:
    return [bigint_array([pair.account_id for pair in pairs]), bigint_array([pair.meter_id for pair in pairs])]
